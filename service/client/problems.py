"""What the service refuses, as exceptions with the facts of the case as attributes.

    HoldfastError
        Unreached                   no whole answer came in time: send again with the same key, or ask `status(key)`
        Problem                     the service answered, and said no
            InvalidRequest              errors: path and message of each
            IdempotencyKeyMissing
            IdempotencyKeyInvalid
            Unauthenticated
            Forbidden                   scope
            NotFound                    kind, name
            MethodNotAllowed
            InventoryUnavailable        unavailable: what of which line
            ExternalReferenceExists     reference
            StateConflict               state, action, version
            SalesClosed                 event
            IdempotencyKeyReused        mismatch
            IdempotencyInProgress       first_seen_at
            HoldExpired                 expired_at
            VersionConflict             version
            PayloadTooLarge             limit_bytes
            UnsupportedMediaType
            RateLimited                 retry_after_s
            Overloaded                  retry_after_s
            StoreUnavailable            retry_after_s
            Internal
            UnknownProblem              not the service's own words, as of a proxy before it, or of a later version
        OutboxError                 the outbox or its file cannot do what it was asked; outbox.py has its kinds

The classes and their facts are those of api.md's table of problems; a test compares them with `service/problems.py`.
"""

from typing import Any, ClassVar, Final, get_type_hints

import msgspec

from service.client.replies import Reply
from service.refusals import UnavailableBest, UnavailableSeats, UnavailableStock


class HoldfastError(Exception):
    """Whatever a call may raise. `key` is the call's idempotency key: the same operation is sent again with it."""

    key: str | None


class Unreached(HoldfastError):
    """No whole answer came. Whether the operation was carried out, only the service knows."""

    def __init__(self, key: str | None, attempts: int, cause: Exception | None) -> None:
        times = "once" if attempts == 1 else f"{attempts} times"
        # asyncio's TimeoutError has no words of its own.
        super().__init__(f"no answer, tried {times}: {str(cause or '') or 'it did not come in time'}")
        self.key = key
        self.attempts = attempts


class PathError(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request, and where."""

    path: str
    message: str


Unavailable = UnavailableSeats | UnavailableStock | UnavailableBest


class Problem(HoldfastError):
    """The service's answer was a problem (RFC 9457). `retry_with`: `same_key`, `new_key` or `none`."""

    slug: ClassVar[str] = ""

    status: int
    title: str
    detail: str
    instance: str
    retryable: bool
    retry_with: str
    reply: Reply

    def __str__(self) -> str:
        return f"{self.title}. {self.detail}" if self.detail else self.title


class InvalidRequest(Problem):
    """The body, the query or a path says what cannot be: `errors` has all of it."""

    slug = "invalid-request"
    errors: list[PathError]


class IdempotencyKeyMissing(Problem):
    """The operation needs a key. The client always sends one."""

    slug = "idempotency-key-missing"


class IdempotencyKeyInvalid(Problem):
    """The key was chosen by the caller and is no key."""

    slug = "idempotency-key-invalid"


class Unauthenticated(Problem):
    """The API key is none, or revoked."""

    slug = "unauthenticated"


class Forbidden(Problem):
    """The API key lacks `scope`."""

    slug = "forbidden"
    scope: str


class NotFound(Problem):
    """There is no such thing in this account."""

    slug = "not-found"
    kind: str
    name: str


class MethodNotAllowed(Problem):
    """The path lacks the method: client and service are of different versions."""

    slug = "method-not-allowed"


class InventoryUnavailable(Problem):
    """Some lines cannot be had, and nothing was held. Another attempt is another operation, with a new key."""

    slug = "inventory-unavailable"
    unavailable: list[Unavailable]


class ExternalReferenceExists(Problem):
    """The caller's own reference belongs to the reservation `reference` already."""

    slug = "external-reference-exists"
    reference: str


class StateConflict(Problem):
    """The reservation is in `state`, which does not allow `action`."""

    slug = "state-conflict"
    state: str
    action: str
    version: int


class SalesClosed(Problem):
    """The event is not on sale."""

    slug = "sales-closed"
    event: str


class IdempotencyKeyReused(Problem):
    """The key belongs to another request, which differs in `mismatch`."""

    slug = "idempotency-key-reused"
    mismatch: list[str]


class IdempotencyInProgress(Problem):
    """The first request with the key still ran when the deadline was over."""

    slug = "idempotency-in-progress"
    first_seen_at: str


class HoldExpired(Problem):
    """The hold was over at `expired_at`."""

    slug = "hold-expired"
    expired_at: str


class VersionConflict(Problem):
    """It is at `version` by now, not at the one of `if_match`."""

    slug = "version-conflict"
    version: int


class PayloadTooLarge(Problem):
    """A body may have `limit_bytes` bytes."""

    slug = "payload-too-large"
    limit_bytes: int


class UnsupportedMediaType(Problem):
    """Something on the way has changed the Content-Type."""

    slug = "unsupported-media-type"


class RateLimited(Problem):
    """Too many requests with this API key, for longer than the deadline."""

    slug = "rate-limited"
    retry_after_s: int


class Overloaded(Problem):
    """More requests were waiting than could be served, for longer than the deadline."""

    slug = "overloaded"
    retry_after_s: int


class StoreUnavailable(Problem):
    """The service could not reach its database, for longer than the deadline."""

    slug = "store-unavailable"
    retry_after_s: int


class Internal(Problem):
    """A fault of the service, for longer than the deadline. `instance` finds it in its log."""

    slug = "internal"


class UnknownProblem(Problem):
    """An answer that is an error, but none that this version knows: `reply` has all of it."""


BY_SLUG: Final[dict[str, type[Problem]]] = {each.slug: each for each in Problem.__subclasses__() if each.slug}
_COMMON: Final = frozenset(Problem.__annotations__)
_FACTS: Final = {
    each: {name: hint for name, hint in get_type_hints(each).items() if name not in {*_COMMON, "key"}}
    for each in BY_SLUG.values()
}


def problem_of(reply: Reply, key: str | None) -> Problem:
    """The exception for an answer that is an error; never fails, whatever the answer says."""
    document = reply.problem() or {}
    kind = BY_SLUG.get(str(document.get("type", "")).removeprefix("/problems/"), UnknownProblem)
    try:
        facts = {name: _fact(document[name], hint) for name, hint in _FACTS.get(kind, {}).items()}
    except (KeyError, msgspec.ValidationError):
        kind, facts = UnknownProblem, {}
    problem = kind()
    problem.key = key
    problem.status = reply.status
    problem.title = str(document.get("title") or f"The answer had status {reply.status}")
    problem.detail = str(document.get("detail", ""))
    problem.instance = str(document.get("instance") or reply.headers.get("x-request-id", ""))
    problem.retry_with = str(document.get("retry_with", "none"))
    problem.retryable = document.get("retryable") is True
    problem.reply = reply
    for name, value in facts.items():
        setattr(problem, name, value)
    return problem


def unreadable(reply: Reply, key: str | None, asked: str) -> UnknownProblem:
    """The exception for an answer that says it is none of an error, and is nothing that this version knows."""
    problem = UnknownProblem()
    problem.key, problem.reply, problem.status = key, reply, reply.status
    problem.title, problem.detail = "The answer is not what this version knows", asked
    problem.instance, problem.retryable, problem.retry_with = reply.headers.get("x-request-id", ""), False, "none"
    return problem


def _fact(value: Any, hint: Any) -> Any:  # noqa: ANN401 - any JSON, any type
    if hint == list[Unavailable]:
        return [msgspec.convert(item, _unavailable(item)) for item in msgspec.convert(value, list[dict[str, Any]])]
    return msgspec.convert(value, hint)


def _unavailable(item: dict[str, Any]) -> type[Unavailable]:
    """Which of the three: the contract tells them apart by their members."""
    if "seats" in item:
        return UnavailableSeats
    return UnavailableStock if "sku" in item else UnavailableBest
