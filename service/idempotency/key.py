"""Syntax of the Idempotency-Key header.

A key is 1 to 255 visible ASCII characters, sent bare (`abc`) or as a string of RFC 9651 (`"abc"`), which is the same
key. Case counts. Judged before anything is read or stored.
"""

import re
from collections.abc import Sequence
from typing import Final

from service.refusals import IdempotencyKeyInvalid

KEY_BYTES_MAX: Final = 255

KEY_PATTERN: Final = r'^([!#-~]{1,255}|"([!#-[\]-~]|\\["\\]){1,255}")$'
"""The same as one expression of ECMA-262, for the API's document."""

_NOT_VISIBLE: Final = re.compile(rb"[^\x21-\x7e]")
_QUOTED: Final = re.compile(rb'"([^"\\]*(?:\\["\\][^"\\]*)*)"')
_ESCAPED: Final = re.compile(rb"\\(.)")


def parse_idempotency_key(lines: Sequence[bytes]) -> str | None:
    """The key of the header's lines, as they came; None if there is no line.

    Raises:
        IdempotencyKeyInvalid: It is no key, or there is more than one line.
    """
    if not lines:
        return None
    if len(lines) > 1:
        raise IdempotencyKeyInvalid(reason="stands in more than one header line")
    sent = lines[0].strip(b" \t")  # HTTP's optional white space around a value
    odd = _NOT_VISIBLE.search(sent)
    if odd is not None:
        raise IdempotencyKeyInvalid(reason=_oddity(odd[0]))
    key = _unquoted(sent) if b'"' in sent else sent
    if not key:
        raise IdempotencyKeyInvalid(reason="is empty")
    if len(key) > KEY_BYTES_MAX:
        raise IdempotencyKeyInvalid(reason=f"has {len(key)} bytes, which is more than {KEY_BYTES_MAX}")
    return key.decode("ascii")


def _unquoted(sent: bytes) -> bytes:
    quoted = _QUOTED.fullmatch(sent)
    if quoted is None:
        raise IdempotencyKeyInvalid(reason="has a quote that is not part of one whole quoted string")
    return _ESCAPED.sub(rb"\1", quoted[1])


def _oddity(byte: bytes) -> str:
    if byte == b" ":
        return "contains a space"
    return "contains a control character" if byte.isascii() else "contains a character outside ASCII"
