"""The If-Match header (RFC 9110, section 13.1.1): a client acts only on the version that it has read.

Our entity tags are versions, as in `"3"`. One tag, or `*` for any version that exists.
"""

import re
from typing import Final

from service.refusals import InvalidRequest

_TAG: Final = re.compile(rb'"(0|[1-9][0-9]{0,17})"')


def parse_if_match(lines: list[bytes]) -> int | None:
    """The version; None for any, or without the header. Raises InvalidRequest."""
    if not lines:
        return None
    text = b", ".join(lines).strip()
    if text == b"*":
        return None
    tag = _TAG.fullmatch(text)
    if tag is None:
        raise InvalidRequest(errors=[("If-Match", _complaint(text))])
    return int(tag[1])


def _complaint(text: bytes) -> str:
    if text.startswith(b"W/"):
        return "must be a strong tag: a weak one never matches"
    return 'must be the one ETag that was read last, as in "3", or *'
