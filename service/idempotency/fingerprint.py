"""Fingerprint of a request: whether a key's second request is its first one again.

Three SHA-256, of path parameters, query and body, so that the parts that differ can be named. Stored with its
version, so that a key survives a deploy: fingerprints of two versions cannot be compared, and a record of another
version is replayed to whoever has its key (`records.Record.replay`). There has been one version so far.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

FINGERPRINT_VERSION: Final = 1
"""Counts up with every change of what a part is made of, here or in the canonical forms of `http.decode`."""

_PART_BYTES: Final = 32
_PARTS: Final = ("path", "query", "body")


def length_prefixed(*parts: bytes) -> bytes:
    """Joined so that no two lists of parts give the same bytes."""
    return b"".join([len(part).to_bytes(4) + part for part in parts])


def fingerprint(path_parameters: Mapping[str, str], canonical_query: bytes, canonical_body: bytes) -> bytes:
    """96 bytes. Path parameters in the form in which they are looked up (a reference without its hyphen)."""
    named = [text.encode() for name in sorted(path_parameters) for text in (name, path_parameters[name])]
    path = length_prefixed(*named)
    return sha256(path).digest() + sha256(canonical_query).digest() + sha256(canonical_body).digest()


def mismatch(first: bytes, again: bytes) -> list[str]:
    """Which of `path`, `query`, `body` differ; none means the same request."""
    return [
        name
        for index, name in enumerate(_PARTS)
        if first[index * _PART_BYTES : (index + 1) * _PART_BYTES]
        != again[index * _PART_BYTES : (index + 1) * _PART_BYTES]
    ]
