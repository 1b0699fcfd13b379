"""The OpenAPI 3.1 document, assembled from the endpoints' own declarations, so that it cannot say anything else.

Every operation has its parameters, bodies, headers, an example of request and answer, and each problem that it may be
answered with.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from service.accounts.keys import SCOPES
from service.http.endpoint import Endpoint
from service.http.openapi_problems import Json, ProblemAnswers, problem_schemas
from service.idempotency.key import KEY_PATTERN
from service.names import Name
from service.refusals import (
    Forbidden,
    IdempotencyInProgress,
    IdempotencyKeyInvalid,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    InvalidRequest,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    Refusal,
    StoreUnavailable,
    Unauthenticated,
    UnsupportedMediaType,
)

_DESCRIPTION: Final = """\
Books seats and stock exactly once, however often a client retries.

- Send `Authorization: Bearer hf_…`. Scopes: {scopes}.
- Give every operation that has an effect an `Idempotency-Key` of its own and retry with the same one: you get the first
  answer again, byte by byte, with `Idempotent-Replayed: true`.
- Every error is a problem (RFC 9457) that says whether to retry, and with which key. [All of them](/problems).
- Money is an integer of minor units with its currency. Instants are RFC 3339 in UTC, with milliseconds.
"""

_TAGS: Final = {
    "events": "Dated things with seats",
    "stock": "Countable pools: one SKU at one location",
    "reservations": "Holds of seats and stock, and what becomes of them",
    "reservation-counts": "How many reservations there are",
    "hot-rows": "What processes fight for",
    "messages": "Every change of state, for readers that catch up",
    "idempotency-keys": "What became of a request whose answer was lost",
    "idempotency-records": "All that is known of an idempotency key",
    "me": "Who is calling",
    "operations": "For operators; without an API key",
}

_SUCCESS: Final = {200: "Done", 201: "Created", 202: "Accepted, and waiting"}
_REFERENCE: Final[Json] = {
    "type": "string",
    "pattern": "^[0-9A-Za-z-]{10,}$",
    "description": "Reference of a reservation; case and hyphens do not matter",
}
_EXAMPLES: Final = {"event": "final", "sku": "NW-001", "location": "default", "reference": "K7QX2-9PMD8"}


def document(endpoints: Sequence[Endpoint]) -> bytes:
    """The document as JSON."""
    types = list({kind: None for each in endpoints for kind in _types(each)})
    references, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(types, references, strict=True))
    answers = ProblemAnswers({"X-Request-Id": _header("X-Request-Id")})
    paths: dict[str, Json] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas, answers)
    paths |= {path: {"get": _plain_operation(*facts, answers)} for path, facts in _OPERATIONS.items()}
    tags = {_tag(each): None for each in endpoints}
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Holdfast",
                "version": "1",
                "description": _DESCRIPTION.format(scopes=", ".join(f"`{scope}`" for scope in SCOPES)),
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
            "security": [{"apiKey": []}],
            "tags": [{"name": tag, "description": _TAGS.get(tag, "")} for tag in [*tags, "operations"]],
            "paths": paths,
            "components": {
                "securitySchemes": {
                    "apiKey": {"type": "http", "scheme": "bearer", "bearerFormat": "hf_<prefix>_<secret>"}
                },
                "schemas": {**components, **problem_schemas()},
                "responses": answers.components,
                "headers": _HEADERS,
            },
        }
    )


def _types(asked: Endpoint) -> Iterable[Any]:
    return (kind for kind in (asked.body, *asked.answers.values()) if kind is not None)


def _tag(asked: Endpoint) -> str:
    return asked.path.split("/")[2]


def _operation(asked: Endpoint, schemas: dict[Any, Json], answers: ProblemAnswers) -> Json:
    operation: Json = {
        "operationId": asked.name,
        "tags": [_tag(asked)],
        "summary": asked.summary,
        "description": _with_scope(asked),
        "security": [{"apiKey": [] if asked.scope is None else [asked.scope]}],
        "parameters": [*_path_parameters(asked), *_query_parameters(asked), *_header_parameters(asked)],
        "responses": {
            **{str(status): _success(asked, status, schemas) for status in asked.answers},
            **answers.of(_refusals(asked)),
        },
    }
    if asked.body is not None:
        media: Json = {"schema": schemas[asked.body]}
        if asked.request_example is not None:
            media["example"] = asked.request_example
        operation["requestBody"] = {"required": _is_required(asked.body), "content": {"application/json": media}}
    return operation


def _with_scope(asked: Endpoint) -> str:
    needs = "Any API key that is in force." if asked.scope is None else f"Scope: `{asked.scope}`."
    return f"{asked.description}\n\n{needs}" if asked.description else needs


def _is_required(body: Any) -> bool:  # noqa: ANN401 - a type
    """An empty body is read as `{}`, so it is optional where every member is."""
    return any(field.required for field in msgspec.structs.fields(body))


def _path_parameters(asked: Endpoint) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _REFERENCE if name == "reference" else msgspec.json.schema(Name),
            "example": _EXAMPLES.get(name, name),
        }
        for name, _ in asked.parsers
    ]


def _query_parameters(asked: Endpoint) -> list[Json]:
    if asked.query is None:
        return []
    _, components = msgspec.json.schema_components([asked.query])
    declared = components[asked.query.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in declared["required"],
            "description": schema.get("description", ""),
            "schema": _without_null(schema),
        }
        for name, schema in declared["properties"].items()
    ]


def _without_null(schema: Json) -> Json:
    """A parameter is left out, never null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds:
        return {name: value for name, value in schema.items() if name != "description"}
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def _header_parameters(asked: Endpoint) -> list[Json]:
    found: list[Json] = []
    if asked.key is not None:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": asked.key == "required",
                "description": "Name of this one operation, the same in every retry; bare or as a quoted string",
                "schema": {"type": "string", "pattern": KEY_PATTERN},
                "example": "0f8fad5b-d9cb-469f-a165-70867728950e",
            }
        )
    if asked.honours_if_match:
        found.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "Act only on this version: the ETag that was read last",
                "schema": {"type": "string", "pattern": '^("[0-9]+"|\\*)$'},
            }
        )
    return found


_HEADERS: Final[dict[str, Json]] = {
    "X-Request-Id": {"description": "The request's id: yours, if you sent a sane one", "schema": {"type": "string"}},
    "RateLimit": {
        "description": "Requests that are left, and seconds until the whole quota is back",
        "schema": {"type": "string"},
        "example": '"key";r=19999;t=1',
    },
    "RateLimit-Policy": {
        "description": "Quota and its window in seconds",
        "schema": {"type": "string"},
        "example": '"key";q=20000;w=10',
    },
    "ETag": {"description": "Version, for If-Match", "schema": {"type": "string"}, "example": '"1"'},
    "Location": {
        "description": "Path of what was made",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/v1/reservations/K7QX2-9PMD8",
    },
    "Idempotent-Replayed": {
        "description": "Of a request with a key: whether this answer was made before",
        "schema": {"type": "boolean"},
        "example": False,
    },
    "Idempotency-Expires": {
        "description": "Of a request with a key: until when this answer is kept",
        "schema": {"type": "string", "format": "date-time"},
        "example": "2027-06-04T10:00:00.000Z",
    },
}


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _success(asked: Endpoint, status: int, schemas: dict[Any, Json]) -> Json:
    names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"]
    if asked.key is not None:
        names += ["Idempotent-Replayed", "Idempotency-Expires"]
    if "version" in (asked.answer_example or {}):
        names.append("ETag")
        if asked.method == "POST" and status != 200:  # noqa: PLR2004 - what was there already has no new place
            names.append("Location")
    answer: Json = {"description": _SUCCESS.get(status, "Done"), "headers": {name: _header(name) for name in names}}
    if asked.answers[status] is not None:
        media: Json = {"schema": schemas[asked.answers[status]]}
        if asked.answer_example is not None:
            media["example"] = asked.answer_example
        answer["content"] = {"application/json": media}
    return answer


def _refusals(asked: Endpoint) -> Iterable[type[Refusal]]:
    """Those of the pipeline, and its own."""
    yield from (InvalidRequest, Unauthenticated, RateLimited, StoreUnavailable, *asked.refusals)
    if asked.scope is not None:
        yield Forbidden
    if asked.body is not None:
        yield from (PayloadTooLarge, UnsupportedMediaType, Overloaded)
    if asked.key is not None:
        yield from (IdempotencyKeyInvalid, IdempotencyKeyReused, IdempotencyInProgress)
    if asked.key == "required":
        yield IdempotencyKeyMissing


_OPERATIONS: Final[dict[str, tuple[str, str, str, Any, tuple[type[Refusal], ...]]]] = {
    "/healthz": ("read_health", "The process lives", "application/json", {"status": "alive"}, ()),
    "/readyz": (
        "read_readiness",
        "The database is reachable and its schema current",
        "application/json",
        {"status": "ready"},
        (StoreUnavailable,),
    ),
    "/metrics": (
        "read_metrics",
        "What the service counts, for Prometheus",
        "text/plain",
        'holdfast_requests_total{method="POST",route="/v1/reservations",status="201"} 7.0\n',
        (),
    ),
}
"""Path: name, summary, media type, example and refusals of what operators ask."""


def _plain_operation(
    name: str,
    summary: str,
    media_type: str,
    example: Any,  # noqa: ANN401 - JSON
    refusals: tuple[type[Refusal], ...],
    answers: ProblemAnswers,
) -> Json:
    kind = "object" if isinstance(example, dict) else "string"
    return {
        "operationId": name,
        "tags": ["operations"],
        "summary": summary,
        "security": [],
        "responses": {
            "200": {
                "description": "Done",
                "headers": {"X-Request-Id": _header("X-Request-Id")},
                "content": {media_type: {"schema": {"type": kind}, "example": example}},
            },
            **answers.of(refusals),
        },
    }
