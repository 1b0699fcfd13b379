"""Parameters of the path and of the query, as an endpoint declares them.

The grammar of a path parameter belongs to its name: {reference} is a reservation's reference in any of its spellings,
every other one a name that the caller chose. A wrong one is 400, not 404: nothing could ever have this name.
"""

from collections.abc import Callable
from typing import Annotated, Final, get_args
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Meta

from service.ids import parse_reference
from service.names import Name, is_name
from service.refusals import InvalidRequest

FIELDS_MAX: Final = 64

_NO_NAME: Final = "%2F"

_NAME_DESCRIPTION: Final[str] = get_args(Name)[1].description
_NAME_RULE: Final = f"must be {_NAME_DESCRIPTION[:1].lower()}{_NAME_DESCRIPTION[1:]}"

Parser = Callable[[str], str]


class NoQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Of an endpoint without parameters: every one is unknown."""


Cursor = Annotated[str | None, Meta(description="`next_cursor` of the page before; leave it out for the first")]
Limit = Annotated[int, Meta(ge=1, le=500, description="Rows of a page at most")]


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which part of a collection; endpoints add their filters to it."""

    cursor: Cursor = None
    limit: Limit = 100


def path_parser(name: str) -> Parser:
    """What turns a part of the path into the text that the code works with. It raises ValueError."""
    return parse_reference if name == "reference" else _name


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(_NAME_RULE)
    return text


def parse_path(values: dict[str, str], parsers: tuple[tuple[str, Parser], ...]) -> dict[str, str]:
    """Raises InvalidRequest, which names a part as `/event`."""
    parsed: dict[str, str] = {}
    errors: list[tuple[str, str]] = []
    for name, parse in parsers:
        try:
            parsed[name] = parse(values[name])
        except ValueError as error:
            errors.append((f"/{name}", str(error)))
    if errors:
        raise InvalidRequest(errors=errors)
    return parsed


def exact_path(raw_path: bytes) -> str:
    """The path with its parts as they were sent: an encoded slash stays in its part, an empty part stays a part.

    The server decodes before it splits, and the router skips empty parts: `/v1/events/a%2Fseats` would be the seats of
    `a`, and `/v1/events//seats` the event `seats`. What stands in their place here no grammar allows.
    """
    parts = [unquote(part).replace("/", _NO_NAME) for part in raw_path.decode("latin-1").split("/")]
    return "/".join([parts[0], *(part or _NO_NAME for part in parts[1:-1]), parts[-1]])


def query_pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Names and values in their order, decoded. Raises InvalidRequest."""
    if not query_string:
        return []
    try:
        # Bytes that are no UTF-8 become surrogates, which the decoder of the query names and refuses.
        return parse_qsl(
            query_string.decode("utf-8", "surrogateescape"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise InvalidRequest(errors=[("?", f"has more than {FIELDS_MAX} parameters")]) from None
