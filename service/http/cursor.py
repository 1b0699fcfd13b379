"""Cursors of pages: where the next page begins, as text that means nothing to a client.

A cursor belongs to one list: its checksum is keyed with a scope, which must hold whatever makes the list another list
(account, collection, filters). A cursor of another list, one that was changed, or one that is no cursor is refused.

The checksum finds errors; it is no signature, since its key is no secret. So a cursor must never grant anything: the
query that continues from it asks for the account again (R10).
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

import msgspec

from service.refusals import InvalidRequest

_CHECKSUM_BYTES: Final = 12
_TEXT_MAX: Final = 1024
"""Longer than any position in a list that we make."""


def encode_cursor(scope: bytes, values: tuple[Any, ...]) -> str:
    """Values are those of the last row shown: strings, integers, bytes, None."""
    payload = msgspec.msgpack.encode(values)
    return urlsafe_b64encode(_checksum(scope, payload) + payload).decode().rstrip("=")


def decode_cursor(scope: bytes, text: str) -> tuple[Any, ...]:
    """The values that the cursor was made of.

    Raises:
        InvalidRequest: It is not one of ours, or not of this list.
    """
    raw = _raw(text)
    payload = raw[_CHECKSUM_BYTES:]
    if raw[:_CHECKSUM_BYTES] != _checksum(scope, payload):
        raise InvalidRequest(errors=[("?cursor", "is not a cursor of this list")])
    return msgspec.msgpack.decode(payload, type=tuple[Any, ...])


def _raw(text: str) -> bytes:
    """Its bytes; none for text that we would not have written."""
    if len(text) > _TEXT_MAX or not text.isascii():
        return b""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
    # The decoder skips what is not of its alphabet, and ignores spare bits at the end.
    return raw if urlsafe_b64encode(raw).decode().rstrip("=") == text else b""


def _checksum(scope: bytes, payload: bytes) -> bytes:
    key = hashlib.blake2b(scope, digest_size=32).digest()
    return hashlib.blake2b(payload, digest_size=_CHECKSUM_BYTES, key=key).digest()
