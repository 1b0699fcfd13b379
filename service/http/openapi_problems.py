"""The problems of the OpenAPI document: a schema for each with its facts, and the answers of operations that refuse.

Made from the table in `problems.py` and the examples that it shows on its pages.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

import msgspec

from service import problems
from service.problems import Row
from service.refusals import Refusal, UnavailableBest, UnavailableSeats, UnavailableStock

Json = dict[str, Any]

EXAMPLE_REQUEST_ID: Final = "01a20b8f-6e64-7661-9b4a-89c64f159408"

_TEXT: Final = {"type": "string"}
_WHOLE: Final = {"type": "integer"}
_INSTANT: Final = {"type": "string", "format": "date-time"}

_UNAVAILABLE, _UNAVAILABLE_SCHEMAS = msgspec.json.schema_components(
    (UnavailableSeats, UnavailableStock, UnavailableBest), ref_template="#/components/schemas/{name}"
)

_FACTS: Final[dict[str, Json]] = {
    "errors": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"path": _TEXT, "message": _TEXT},
            "required": ["path", "message"],
        },
    },
    "unavailable": {"type": "array", "items": {"anyOf": list(_UNAVAILABLE)}},
    "mismatch": {"type": "array", "items": {"enum": ["path", "query", "body"]}},
    "version": _WHOLE,
    "limit_bytes": _WHOLE,
    "retry_after_s": _WHOLE,
    "first_seen_at": _INSTANT,
    "expired_at": _INSTANT,
}
"""Schema of each fact; any other is a text."""

_PROBLEM: Final[Json] = {
    "type": "object",
    "description": "RFC 9457, with what a client may do next.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Leads to a page that explains the case"},
        "title": _TEXT,
        "status": _WHOLE,
        "detail": _TEXT,
        "instance": {"type": "string", "description": "Id of the request that was refused first"},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later"},
        "retry_with": {
            "enum": ["same_key", "new_key", "none"],
            "description": "The idempotency key of another attempt",
        },
    },
    "required": ["type", "title", "status", "detail", "instance", "retryable", "retry_with"],
}


class ProblemAnswers:
    """The answers of operations that may refuse, each written down once and referred to where it is used."""

    def __init__(self, headers: Json) -> None:
        """`headers` are those of every answer."""
        self._headers = headers
        self.components: dict[str, Json] = {}

    def of(self, refusals: Iterable[type[Refusal]]) -> dict[str, Json]:
        """By status; `internal` is one of every operation's."""
        kinds = set(refusals)
        rows = [row for row in problems.TABLE if row.example is None or type(row.example) in kinds]
        rows.sort(key=lambda row: row.status)
        by_status = groupby(rows, key=lambda row: row.status)
        return {str(status): self._referred(list(group)) for status, group in by_status}

    def _referred(self, rows: list[Row]) -> Json:
        name = ".".join(row.slug for row in rows)
        if name not in self.components:
            self.components[name] = _answer(rows, self._headers)
        return {"$ref": f"#/components/responses/{name}"}


def problem_schemas() -> dict[str, Json]:
    """By the name under which answers refer to them."""
    return {"Problem": _PROBLEM, **_UNAVAILABLE_SCHEMAS, **{_schema_name(row): _schema(row) for row in problems.TABLE}}


def _answer(rows: list[Row], headers: Json) -> Json:
    schemas = [{"$ref": f"#/components/schemas/{_schema_name(row)}"} for row in rows]
    examples = {row.slug: _example(row) for row in rows}
    own = {name: {"schema": _TEXT, "example": value} for each in examples.values() for name, value in each.headers}
    return {
        "description": "; ".join(f"`{row.slug}`: {row.title}" for row in rows),
        "headers": {**headers, **own},
        "content": {
            problems.MEDIA_TYPE: {
                "schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas},
                "examples": {slug: {"value": msgspec.json.decode(value.body)} for slug, value in examples.items()},
            }
        },
    }


def _example(row: Row) -> problems.Problem:
    return problems.example(row, EXAMPLE_REQUEST_ID)


def _schema_name(row: Row) -> str:
    return "".join(word.capitalize() for word in row.slug.split("-")) + "Problem"


def _schema(row: Row) -> Json:
    own: Json = {
        "type": "object",
        "properties": {
            "type": {"const": row.path},
            "status": {"const": row.status},
            **{fact: _FACTS.get(fact, _TEXT) for fact in row.facts},
        },
        "required": ["type", "status", *row.facts],
    }
    return {"description": row.title, "allOf": [{"$ref": "#/components/schemas/Problem"}, own]}
