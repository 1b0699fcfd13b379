"""Time: the host's clock, and instants as text.

An instant is whole milliseconds since 1970 in UTC, everywhere inside. As text it is RFC 3339, written with milliseconds
and `Z`, read with any offset. Years 1970 to 9999.

The host's clock must never judge whether a hold is over: that is the database's (reliability.md, 18).
"""

import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

INSTANT_MAX_MS = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# RFC 3339, section 5.6. Python's own reader takes more: week dates, no offset, a comma, from 3.14 on also 24:00.
RFC3339_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])(?!\n)$"
)
_RFC3339 = re.compile(RFC3339_PATTERN)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@lru_cache(maxsize=4096)  # the instants of one batch, and its holds' ends, share their seconds
def _second_text(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")


def to_rfc3339(instant_ms: int) -> str:
    """Raises OverflowError outside the years 1 to 9999, which no stored instant is."""
    second, millisecond = divmod(instant_ms, 1000)
    return f"{_second_text(second)}.{millisecond:03d}Z"


def from_rfc3339(text: str) -> int:
    """Milliseconds; finer fractions are cut off.

    Raises:
        ValueError: It is not RFC 3339 (no leap seconds here), names no real day, or lies outside the years 1970 to
            9999 in UTC.
    """
    if not _RFC3339.match(text):
        raise ValueError("is not an instant of RFC 3339, such as 2027-06-05T19:00:00Z")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError("names a day that does not exist") from None
    instant_ms = (moment - _EPOCH) // _MILLISECOND
    if not 0 <= instant_ms <= INSTANT_MAX_MS:
        raise ValueError("lies outside the years 1970 to 9999")
    return instant_ms
