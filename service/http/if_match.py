"""The If-Match header (RFC 9110, section 13.1.1): a client acts only on the version that it has read.

Our entity tags are versions, as in `"3"`. One tag; or `*`, any version that exists, which says nothing new of an action
on a reservation. A PUT would have to refuse to create for it, so there it is refused as such.
"""

import re
from typing import Final

from service.refusals import InvalidRequest

_TAG: Final = re.compile(rb'"(0|[1-9][0-9]{0,17})"')


def parse_if_match(lines: list[bytes], *, creates: bool) -> int | None:
    """The version; None for any. `creates`: whether the operation makes what is not there. Raises InvalidRequest."""
    text = b", ".join(lines).strip()
    if text == b"*" and not creates:
        return None
    tag = _TAG.fullmatch(text)
    if tag is None:
        raise InvalidRequest(errors=[("If-Match", _complaint(text))])
    return int(tag[1])


def _complaint(text: bytes) -> str:
    if text.startswith(b"W/"):
        return "must be a strong tag: a weak one never matches"
    return 'must be the one ETag that was read last, as in "3"'
