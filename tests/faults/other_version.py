"""Launcher: the service as another version of it, which makes the fingerprints of requests in another way.

`python -m tests.faults.other_version serve …`. What it stores is marked with HOLDFAST_TEST_FINGERPRINT_VERSION, so that
the version of today, running beside it or deployed after it, must not compare its own fingerprints with these.
"""

import os
from collections.abc import Mapping
from hashlib import sha256

from service import cli
from service.http import endpoint
from service.idempotency import records
from service.idempotency.fingerprint import fingerprint

VERSION = "HOLDFAST_TEST_FINGERPRINT_VERSION"


def other_fingerprint(path_parameters: Mapping[str, str], canonical_query: bytes, canonical_body: bytes) -> bytes:
    """As long, made of the same, and equal to no fingerprint of today."""
    parts = fingerprint(path_parameters, canonical_query, canonical_body)
    return b"".join(sha256(parts[first : first + 32]).digest() for first in range(0, len(parts), 32))


def install() -> None:
    records.FINGERPRINT_VERSION = int(os.environ[VERSION])
    endpoint.fingerprint = other_fingerprint


if __name__ == "__main__":
    install()
    cli.main()
