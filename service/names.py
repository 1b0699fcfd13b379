r"""The grammar of every text that a client may choose (api.md, "Inventory"), as types for wire structs.

The types carry pattern, length and description: msgspec enforces them, the OpenAPI document shows them, and an error
quotes the description. Patterns mean the same in Python and in ECMA 262, where JSON Schema has them from: `(?!\n)$` is
there because Python's `$` also matches before a last line feed.

Three kinds of text:

- Names: events, SKUs, locations, categories, customers. ASCII, and safe in a path.
- Parts of a seat's label. Its letters and digits are ASCII too: labels are read out, typed and put into paths.
- Printable text: what people read, and the references that a caller brings from its own books. Any script, in NFC
  (decode_json brings it there before it counts the characters), taken as it is otherwise: `Order-1`, `order-1` and
  `order-1 ` are three. Refused are control characters, NUL among them, line and paragraph separators, the marks that
  reverse the direction of what follows, and code points that are no characters. Lone surrogates do not get past the
  decoder.

Never fold case or trim: what is stored is compared byte by byte.
"""

import re
import unicodedata
from typing import Annotated, Final

from msgspec import Meta

from service.clock import RFC3339_PATTERN

NAME_PATTERN: Final = r"^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,64}(?!\n)$"
_SECTION: Final = r"[A-Za-z0-9 ._-]{1,32}"
_PLACE: Final = r"[A-Za-z0-9]{1,8}"
PRINTABLE_PATTERN: Final = (
    r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff]*(?!\n)$"
)

Name = Annotated[
    str, Meta(pattern=NAME_PATTERN, description="A name of 1 to 64 of A-Z a-z 0-9 . _ ~ - that is not . or ..")
]

Section = Annotated[
    str, Meta(pattern=rf"^{_SECTION}(?!\n)$", description="A section of 1 to 32 of A-Z a-z 0-9 space . _ -")
]
Row = Annotated[str, Meta(pattern=rf"^{_PLACE}(?!\n)$", description="A row of 1 to 8 of A-Z a-z 0-9")]
Number = Annotated[str, Meta(pattern=rf"^{_PLACE}(?!\n)$", description="A number of 1 to 8 of A-Z a-z 0-9")]
SeatLabel = Annotated[
    str,
    Meta(
        pattern=rf"^{_SECTION}-{_PLACE}-{_PLACE}(?!\n)$",
        description="A seat's label: section-row-number, as in 101-A-12",
    ),
]

ExternalReference = Annotated[
    str,
    Meta(
        pattern=PRINTABLE_PATTERN,
        min_length=1,
        max_length=255,
        description="The caller's own reference: 1 to 255 characters, none of them a control character",
    ),
]
"""Of a reservation (`external_reference`) and of an adjustment (`reference`): a natural key, compared exactly."""

Title = Annotated[
    str,
    Meta(
        pattern=PRINTABLE_PATTERN,
        min_length=1,
        max_length=200,
        description="Text for people: 1 to 200 characters, none of them a control character",
    ),
]
"""Name of an event or of a category."""

Description = Annotated[
    str,
    Meta(
        pattern=PRINTABLE_PATTERN,
        max_length=200,
        description="Text for people: up to 200 characters, none of them a control character",
    ),
]

Reason = Annotated[
    str,
    Meta(
        pattern=PRINTABLE_PATTERN,
        max_length=200,
        description="A reason for the history: up to 200 characters, none of them a control character",
    ),
]

HolderName = Annotated[
    str,
    Meta(
        pattern=PRINTABLE_PATTERN,
        min_length=1,
        max_length=60,
        description="A name for people: 1 to 60 characters, none of them a control character",
    ),
]
"""60 characters are at most 240 bytes: they fit beside `operator:` into the actor of a history row."""

Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}(?!\n)$", description="An ISO 4217 code: three capital letters")]

Instant = Annotated[
    str,
    Meta(
        pattern=RFC3339_PATTERN,
        description="An instant of RFC 3339 with its offset, as in 2027-06-05T19:00:00Z",
        extra_json_schema={"format": "date-time"},
    ),
]
"""Whether the day exists, only `clock.from_rfc3339` knows."""

_NAME: Final = re.compile(NAME_PATTERN)


def is_name(text: str) -> bool:
    return _NAME.match(text) is not None


def section_of(label: str) -> str:
    """The section in a seat's label."""
    return label.rsplit("-", 2)[0]


def seat_label(section: str, row: str, number: str) -> str:
    return f"{section}-{row}-{number}"


NFC_SHORTENS_MOST: Final = 4
"""Code points that can become one (U+1F82, or a syllable of Hangul). A text longer by more than this factor stays too
long, and need not be normalised: the time that takes may grow with the square of its length."""


def nfc(text: str) -> str:
    """The one form in which text of any script is stored and looked up."""
    return unicodedata.normalize("NFC", text)
