"""An endpoint as its routes declare it, and the one pipeline that every request of it passes.

A domain's `routes.py` declares each operation once:

    @endpoint("PUT", "/v1/events/{event}", scope="inventory:write", key="optional", body=PutEvent, answers={200: View})
    async def put_event(call: Call) -> Answer:
        \"\"\"Summary for the API reference.

        Description for it.
        \"\"\"

and ends with `ENDPOINTS = (put_event, …)`. The same declaration serves requests (`answer_request`, `routing`) and makes
the OpenAPI document (`openapi`). An endpoint that lists VersionConflict among its refusals honours If-Match.

The order of refusals is part of the contract (api.md, fine print 1): whoever is nobody learns nothing of the request,
and nothing is stored before the request is known to be whole.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import getdoc
from typing import Any, Final, Literal, NamedTuple

import msgspec
from litestar.types import Receive, Scope

from service.accounts.authenticate import Caller
from service.clock import to_rfc3339
from service.http.decode import Decoded, canonical_query, decode_json, decode_query
from service.http.if_match import parse_if_match
from service.http.message import Answer, Headers, header_lines, read_body
from service.http.parameters import NoQuery, Parser, parse_path, path_parser, query_pairs
from service.http.refuse import CONTENT_TYPE as PROBLEM
from service.http.refuse import EXPIRES, note_refusal, refused
from service.http.services import Services
from service.idempotency.fingerprint import fingerprint
from service.idempotency.key import parse_idempotency_key
from service.idempotency.records import KeyedRequest, StoredAnswer
from service.idempotency.scope import scope_hash
from service.refusals import Forbidden, IdempotencyKeyMissing, InvalidRequest, Refusal, VersionConflict

KeyRule = Literal["required", "optional"] | None

Lines = tuple[tuple[bytes, bytes], ...]

NO_LINES: Final[Lines] = ()
NO_BODY: Final = Decoded(None, b"{}")
LEAST_ERROR_STATUS: Final = 400

_PARAMETER: Final = re.compile(r"{(\w+)}")


class Call(msgspec.Struct, kw_only=True):
    """A request that has passed: who calls, and what for, checked and typed.

    `path` holds names as given and references as stored. `query` and `body` are of the types that the endpoint
    declares, None where it declares none. `key` is None where no key was sent.
    """

    services: Services
    caller: Caller
    request_id: str
    path: dict[str, str]
    query: Any = None
    body: Any = None
    key: KeyedRequest | None = None
    if_match: int | None = None


Handler = Callable[[Call], Awaitable[Answer]]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One method of one path."""

    method: str
    path: str
    scope: str | None  # None: any key that is in force
    key: KeyRule
    body: Any
    query: Any
    answers: Mapping[int, Any]  # the type of the body of each success
    refusals: tuple[type[Refusal], ...]  # beside those of the pipeline
    request_example: Any
    answer_example: Any
    handle: Handler
    name: str
    summary: str
    description: str
    parsers: tuple[tuple[str, Parser], ...]

    @property
    def honours_if_match(self) -> bool:
        return VersionConflict in self.refusals


def endpoint(  # noqa: PLR0913 - all that there is to say of an operation
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
    path: str,
    *,
    scope: str | None,
    key: KeyRule = None,
    body: Any = None,  # noqa: ANN401 - a type
    query: Any = None,  # noqa: ANN401 - a type
    answers: Mapping[int, Any],
    refusals: tuple[type[Refusal], ...] = (),
    request_example: Any = None,  # noqa: ANN401 - JSON
    answer_example: Any = None,  # noqa: ANN401 - JSON
) -> Callable[[Handler], Endpoint]:
    """Declare that the decorated function serves this operation."""

    def declare(handle: Handler) -> Endpoint:
        summary, _, description = (getdoc(handle) or "").partition("\n\n")
        return Endpoint(
            method=method,
            path=path,
            scope=scope,
            key=key,
            body=body,
            query=query,
            answers=answers,
            refusals=refusals,
            request_example=request_example,
            answer_example=answer_example,
            handle=handle,
            name=getattr(handle, "__name__", path),
            summary=" ".join(summary.split()).rstrip("."),
            description=description,
            parsers=tuple((name, path_parser(name)) for name in _PARAMETER.findall(path)),
        )

    return declare


async def answer_request(asked: Endpoint, services: Services, scope: Scope, receive: Receive) -> tuple[Answer, Lines]:
    """The answer to one request, and the header lines about its rate. Raises nothing but its own cancellation."""
    request_id: str = scope["state"]["request_id"]
    about: dict[str, Any] = {"route": asked.path}
    rate = NO_LINES
    try:
        headers: Headers = dict(scope["headers"])
        caller = await services.authenticator.authenticate(headers.get(b"authorization"))  # 401
        about["account"] = caller.account_name
        _require_scope(asked.scope, caller)  # 403
        rate = services.rate_limits.take(caller.prefix)  # 429
        content = await read_body(headers, receive) if asked.body is not None else b""  # 413, 415
        key = _key(asked, scope, headers)  # 400
        parts = _parts(asked, scope, headers, content)  # 400
        about["path"] = parts.path
        keyed = None if key is None else _keyed(asked, services, caller, key, parts)
        call = Call(
            services=services,
            caller=caller,
            request_id=request_id,
            path=parts.path,
            query=parts.query,
            body=parts.body.value,
            key=keyed,
            if_match=parts.if_match,
        )
        answer = await asked.handle(call)
    except Exception as error:  # noqa: BLE001 - refusals and bugs alike leave as problems
        return refused(error, request_id, **about), rate
    if answer.status >= LEAST_ERROR_STATUS:  # decided, or replayed, and so not raised
        note_refusal(_slug(answer.body), **about)
    return answer, rate


def _require_scope(scope: str | None, caller: Caller) -> None:
    if scope is not None and scope not in caller.scopes:
        raise Forbidden(scope=scope)


def _key(asked: Endpoint, scope: Scope, headers: Headers) -> str | None:
    """Raises IdempotencyKeyMissing, IdempotencyKeyInvalid."""
    if asked.key is None:
        return None
    lines = header_lines(scope, b"idempotency-key") if b"idempotency-key" in headers else []
    if not lines and asked.key == "required":
        raise IdempotencyKeyMissing
    return parse_idempotency_key(lines)


class _Parts(NamedTuple):
    """What a request says, part by part."""

    path: dict[str, str]
    pairs: list[tuple[str, str]]
    query: Any
    if_match: int | None
    body: Decoded[Any]


def _parts(asked: Endpoint, scope: Scope, headers: Headers, content: bytes) -> _Parts:
    """Raises InvalidRequest, with the errors of all parts."""
    errors: list[tuple[str, str]] = []
    path = _collect(errors, parse_path, scope["path_params"], asked.parsers)
    pairs = _collect(errors, query_pairs, scope["query_string"]) or []
    query = _collect(errors, decode_query, pairs, asked.query or NoQuery) if pairs or asked.query else None
    if_match = None
    if b"if-match" in headers and asked.honours_if_match:
        read = partial(parse_if_match, creates=asked.method == "PUT")
        if_match = _collect(errors, read, header_lines(scope, b"if-match"))
    body = NO_BODY if asked.body is None else _collect(errors, decode_json, content, asked.body)
    if errors:
        raise InvalidRequest(errors=errors)
    return _Parts(path, pairs, query, if_match, body)


def _collect(errors: list[tuple[str, str]], read: Callable[..., Any], *given: Any) -> Any:  # noqa: ANN401 - what it reads
    try:
        return read(*given)
    except InvalidRequest as refusal:
        errors.extend(refusal.errors)
        return None


def _keyed(asked: Endpoint, services: Services, caller: Caller, key: str, parts: _Parts) -> KeyedRequest:
    return KeyedRequest(
        account_id=caller.account_id,
        scope_hash=scope_hash(caller.account_id, caller.principal, asked.method, asked.path, key),
        fingerprint=fingerprint(parts.path, canonical_query(parts.pairs), parts.body.canonical),
        keep_ms=services.settings.idempotency_ms,
    )


def stored(answer: StoredAnswer) -> Answer:
    """The HTTP answer of a StoredAnswer, its first bytes unchanged (fine print 8)."""
    headers: list[tuple[str, str]] = []
    if answer.status >= LEAST_ERROR_STATUS:
        headers.append(PROBLEM)
    if answer.location is not None:
        headers.append(("Location", answer.location))
    if answer.etag is not None:
        headers.append(("ETag", answer.etag))
    if answer.expires_at is not None:
        if answer.replayed is not None:
            headers.append(("Idempotent-Replayed", "true" if answer.replayed else "false"))
        headers.append((EXPIRES, to_rfc3339(answer.expires_at)))
    return Answer(answer.status, answer.body, headers)


def _slug(problem: bytes) -> str:
    """A problem's document begins with its type."""
    return problem[:64].partition(b"/problems/")[2].partition(b'"')[0].decode("ascii", "replace")
