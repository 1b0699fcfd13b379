"""Refusals as HTTP: the one table of problems, and their rendering as RFC 9457 `application/problem+json`.

The only file that knows the status codes of errors. Each row is one line of api.md's table, with what a client may do
next (fine print 9) and whether an idempotency record keeps it (engine.md, "Idempotency"). Rendering never fails and
shows the facts that the row names, nothing else of the inside.

What a client may do next is `retry_with`:

    same_key   the same request with the same key, later: nothing was decided
    new_key    a decision was made and stays; another attempt is another operation, with another key
    none       it will not succeed as it is
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from service import refusals
from service.clock import to_rfc3339
from service.refusals import Refusal

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_IN_PROGRESS_S: Final = 1
"""A request that still runs at its twin's deadline has about this long to live."""

_SHOWN_MAX: Final = 5
"""Items of a list that `detail` spells out; the member itself has all of them."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of problem. `facts` are the members that it adds; `detail` is a sentence with facts in braces."""

    example: Refusal | None  # its class is what the row is for; `internal` has none
    slug: str
    status: int
    title: str
    detail: str
    facts: tuple[str, ...] = ()
    retry_with: Literal["same_key", "new_key", "none"] = "none"
    stored: bool = False  # a decision: the same key gets it again for ever

    @property
    def retryable(self) -> bool:
        return self.retry_with == "same_key"

    @property
    def path(self) -> str:
        return f"/problems/{self.slug}"


class Problem(msgspec.Struct, frozen=True):
    """An answer without its Content-Type, which is MEDIA_TYPE."""

    status: int
    body: bytes
    headers: list[tuple[str, str]]


TABLE: Final = (
    Row(
        example=refusals.InvalidRequest(errors=[("$.lines[0].seats[1]", "must be a string, not an integer")]),
        slug="invalid-request",
        status=400,
        title="The request is not valid",
        detail="Not valid: {errors}.",
        facts=("errors",),
    ),
    Row(
        example=refusals.IdempotencyKeyMissing(),
        slug="idempotency-key-missing",
        status=400,
        title="The Idempotency-Key header is missing",
        detail="This operation needs an Idempotency-Key header, so that a retry cannot repeat its effect.",
    ),
    Row(
        example=refusals.IdempotencyKeyInvalid(reason="contains a space"),
        slug="idempotency-key-invalid",
        status=400,
        title="The Idempotency-Key header is not a valid key",
        detail="The key {reason}.",
    ),
    Row(
        example=refusals.Unauthenticated(),
        slug="unauthenticated",
        status=401,
        title="No valid API key was given",
        detail="Send a valid API key as Authorization: Bearer hf_...",
    ),
    Row(
        example=refusals.Forbidden(scope="reservations:write"),
        slug="forbidden",
        status=403,
        title="The API key lacks a scope",
        detail="The API key lacks the scope {scope}.",
        facts=("scope",),
    ),
    Row(
        example=refusals.NotFound(kind="event", name="final"),
        slug="not-found",
        status=404,
        title="There is no such thing",
        detail="There is no {kind} {name}.",
        facts=("kind", "name"),
    ),
    Row(
        example=refusals.MethodNotAllowed(allow=["GET", "PUT"]),
        slug="method-not-allowed",
        status=405,
        title="The path lacks this method",
        detail="This path has only {allow}.",
    ),
    Row(
        example=refusals.InventoryUnavailable(
            unavailable=[
                refusals.UnavailableSeats(line=1, event="final", seats=["101-A-13"]),
                refusals.UnavailableStock(line=2, sku="NW-001", location="default", requested=2, available=1),
                refusals.UnavailableBest(line=3, event="final", requested=4, available=9),
            ]
        ),
        slug="inventory-unavailable",
        status=409,
        title="Some of what was asked for cannot be had",
        detail="Nothing was held, because some of it cannot be had: {unavailable}.",
        facts=("unavailable",),
        retry_with="new_key",
        stored=True,
    ),
    Row(
        example=refusals.ExternalReferenceExists(reference="K7QX2-9PMD8", location="/v1/reservations/K7QX2-9PMD8"),
        slug="external-reference-exists",
        status=409,
        title="The reference of your own is taken",
        detail="Your own reference already belongs to {reference}.",
        facts=("reference",),
        stored=True,
    ),
    Row(
        example=refusals.StateConflict(state="released", action="confirm", version=2),
        slug="state-conflict",
        status=409,
        title="Its state does not allow this",
        detail="Its state is {state}, which does not allow {action}.",
        facts=("state", "action", "version"),
        stored=True,
    ),
    Row(
        example=refusals.SalesClosed(event="final"),
        slug="sales-closed",
        status=409,
        title="The event is not on sale",
        detail="The sales of event {event} are closed.",
        facts=("event",),
        retry_with="new_key",
        stored=True,
    ),
    Row(
        example=refusals.IdempotencyKeyReused(mismatch=["body"]),
        slug="idempotency-key-reused",
        status=409,
        title="The key belongs to another request",
        detail="This key was first used with another request; what differs: {mismatch}.",
        facts=("mismatch",),
    ),
    Row(
        example=refusals.IdempotencyInProgress(first_seen_at_ms=1_811_844_000_000),
        slug="idempotency-in-progress",
        status=409,
        title="The first request with this key is still running",
        detail="The first request with this key, seen at {first_seen_at}, is still running.",
        facts=("first_seen_at",),
        retry_with="same_key",
    ),
    Row(
        example=refusals.HoldExpired(expired_at_ms=1_811_844_600_000),
        slug="hold-expired",
        status=410,
        title="The hold is over",
        detail="The hold ended at {expired_at}.",
        facts=("expired_at",),
        stored=True,
    ),
    Row(
        example=refusals.VersionConflict(version=3),
        slug="version-conflict",
        status=412,
        title="It has another version by now",
        detail="If-Match names another version; it is now {version}.",
        facts=("version",),
        retry_with="new_key",
        stored=True,
    ),
    Row(
        example=refusals.PayloadTooLarge(limit_bytes=10_000_000),
        slug="payload-too-large",
        status=413,
        title="The body is too large",
        detail="A body may have {limit_bytes} bytes.",
        facts=("limit_bytes",),
    ),
    Row(
        example=refusals.UnsupportedMediaType(),
        slug="unsupported-media-type",
        status=415,
        title="The body is not declared as JSON",
        detail="Send the body as application/json in UTF-8, without a Content-Encoding.",
    ),
    Row(
        example=refusals.RateLimited(retry_after_s=3, quota=600, window_s=60),
        slug="rate-limited",
        status=429,
        title="Too many requests",
        detail="This API key has used up its requests; try again in {retry_after_s} s.",
        facts=("retry_after_s",),
        retry_with="same_key",
    ),
    Row(
        example=refusals.Overloaded(retry_after_s=1),
        slug="overloaded",
        status=503,
        title="More requests are waiting than can be served",
        detail="More requests are waiting than can be served in time; try again in {retry_after_s} s.",
        facts=("retry_after_s",),
        retry_with="same_key",
    ),
    Row(
        example=refusals.StoreUnavailable(retry_after_s=1),
        slug="store-unavailable",
        status=503,
        title="The database cannot be reached",
        detail="The database did not answer in time; try again in {retry_after_s} s.",
        facts=("retry_after_s",),
        retry_with="same_key",
    ),
    Row(
        example=None,
        slug="internal",
        status=500,
        title="An error of the service",
        detail="The service has a fault. It is in its log under this request id.",
        retry_with="same_key",
    ),
)

_INTERNAL: Final = TABLE[-1]
_ROW_OF: Final = {type(row.example): row for row in TABLE if row.example is not None}
_encode: Final = msgspec.json.Encoder().encode


def row_of(refusal: Refusal) -> Row:
    return _ROW_OF[type(refusal)]


def render(refusal: Refusal, request_id: str) -> Problem:
    return _problem(row_of(refusal), _members(refusal), _headers(refusal), request_id)


def internal(request_id: str) -> Problem:
    """For everything that is no refusal: a bug. Says nothing of it."""
    return _problem(_INTERNAL, {}, [], request_id)


def example(row: Row, request_id: str) -> Problem:
    """The problem that the row's example makes."""
    return internal(request_id) if row.example is None else render(row.example, request_id)


def _problem(row: Row, members: Mapping[str, Any], headers: list[tuple[str, str]], request_id: str) -> Problem:
    document = {
        "type": row.path,
        "title": row.title,
        "status": row.status,
        "detail": row.detail.format_map({name: _words(value) for name, value in members.items()}),
        "instance": request_id,
        "retryable": row.retryable,
        "retry_with": row.retry_with,
    }
    for name in row.facts:
        document[name] = members[name]
    return Problem(row.status, _encoded(document), headers)


def _members(refusal: Refusal) -> dict[str, Any]:
    """The facts under their names and in the forms of the wire."""
    members: dict[str, Any] = {}
    for name, value in refusal.facts().items():
        if name.endswith("_at_ms"):
            members[name.removesuffix("_ms")] = to_rfc3339(value)
        elif name == "errors":
            members[name] = [{"path": path, "message": message} for path, message in value]
        else:
            members[name] = value
    return members


def _words(value: object) -> str:
    """A fact inside a sentence."""
    match value:
        case {"path": path, "message": message}:
            return f"{path} {message}"
        case refusals.UnavailableSeats() | refusals.UnavailableStock() | refusals.UnavailableBest():
            return f"line {value.line}"
        case list() | tuple():
            shown = ", ".join(_words(item) for item in value[:_SHOWN_MAX])
            return shown if len(value) <= _SHOWN_MAX else f"{shown} and {len(value) - _SHOWN_MAX} more"
        case _:
            return str(value)


def _encoded(document: Mapping[str, Any]) -> bytes:
    try:
        return _encode(document)
    except UnicodeEncodeError:
        # A fact quotes a lone surrogate of the request, which UTF-8 cannot hold. The answer must go out anyway.
        return _encode(_without_surrogates(document))


def _without_surrogates(value: Any) -> Any:  # noqa: ANN401 - any JSON
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {name: _without_surrogates(member) for name, member in value.items()}
        case list() | tuple():
            return [_without_surrogates(item) for item in value]
        case msgspec.Struct():
            return _without_surrogates(msgspec.to_builtins(value))
        case _:
            return value


def _headers(refusal: Refusal) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    match refusal:
        case refusals.Unauthenticated():
            headers = [("WWW-Authenticate", 'Bearer realm="holdfast"')]
        case refusals.Forbidden():
            # RFC 6750, section 3.1.
            challenge = f'Bearer realm="holdfast", error="insufficient_scope", scope="{refusal.scope}"'
            headers = [("WWW-Authenticate", challenge)]
        case refusals.MethodNotAllowed():
            headers = [("Allow", ", ".join(refusal.allow))]
        case refusals.ExternalReferenceExists():
            headers = [("Location", refusal.location)]
        case refusals.VersionConflict():
            headers = [("ETag", f'"{refusal.version}"')]
        case refusals.IdempotencyInProgress():
            headers = [("Retry-After", str(RETRY_AFTER_IN_PROGRESS_S))]
        case refusals.Overloaded() | refusals.StoreUnavailable():
            headers = [("Retry-After", str(refusal.retry_after_s))]
        case refusals.RateLimited():
            headers = [
                ("Retry-After", str(refusal.retry_after_s)),
                ("RateLimit", f'"key";r=0;t={refusal.retry_after_s}'),
                ("RateLimit-Policy", f'"key";q={refusal.quota};w={refusal.window_s}'),
            ]
    return headers
