"""Refusals: why a request does not get what it asks for. One class for each row of api.md's table of problems.

A refusal is a fact of the domain and carries the facts of its case as attributes; what it becomes in HTTP, `problems`
knows and nothing else. Decisions return refusals as outcomes, other code raises them, so making one is cheap. An
attribute that ends in `_at_ms` is an instant in milliseconds. It must never hold a secret: every fact is shown to the
client.

    Refusal
        InvalidRequest              the body, the query or a path says what cannot be
        IdempotencyKeyMissing       the operation needs a key
        IdempotencyKeyInvalid       the key's syntax
        Unauthenticated             no key of ours
        Forbidden                   a scope is missing
        NotFound                    no such thing in this account
        MethodNotAllowed            the path lacks the method
        InventoryUnavailable        some lines cannot be had
        ExternalReferenceExists     the caller's own reference is taken
        StateConflict               the state machine has no such transition, or counts forbid it
        SalesClosed                 the event is not on sale
        IdempotencyKeyReused        one key, two different requests
        IdempotencyInProgress       the first request with the key still runs
        HoldExpired                 time ran out
        VersionConflict             If-Match names another version
        PayloadTooLarge             more bytes than a body may have
        UnsupportedMediaType        not JSON by its header
        RateLimited                 too many requests with this API key
        Overloaded                  the queue is full
        StoreUnavailable            the database cannot be reached, or not in time
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec


class UnavailableSeats(msgspec.Struct, frozen=True):
    """A request line that named seats: those of them that are taken or blocked. `line` counts from 1."""

    line: int
    event: str
    seats: list[str]


class UnavailableStock(msgspec.Struct, frozen=True):
    """A request line that wanted more of a stock item than there is."""

    line: int
    sku: str
    location: str
    requested: int
    available: int


class UnavailableBest(msgspec.Struct, frozen=True):
    """A request line for the best available seats that has no such place; `available` counts single free seats."""

    line: int
    event: str
    requested: int
    available: int


Unavailable = UnavailableSeats | UnavailableStock | UnavailableBest


class Refusal(Exception):
    """Any of them. Its attributes are its facts."""

    def facts(self) -> Mapping[str, Any]:
        return vars(self)

    def __str__(self) -> str:
        """For logs: the class and its facts."""
        told = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({told})"


class InvalidRequest(Refusal):
    """Errors are (path, message): `$.lines[0].seats[1]` in the body, `?limit` in the query, `/event` in the path."""

    def __init__(self, *, errors: Iterable[tuple[str, str]]) -> None:
        self.errors = list(errors)


class IdempotencyKeyMissing(Refusal):
    """The operation has an effect that a retry must not repeat."""


class IdempotencyKeyInvalid(Refusal):
    """`reason` completes "the key ..."."""

    def __init__(self, *, reason: str) -> None:
        self.reason = reason


class Unauthenticated(Refusal):
    """No API key, or none that is ours and in force: which of them is not told."""


class Forbidden(Refusal):
    """The API key lacks this scope."""

    def __init__(self, *, scope: str) -> None:
        self.scope = scope


class NotFound(Refusal):
    """None of that name in this account, nor on this service. `kind` is what was looked for.

    One of `event`, `category`, `section`, `seat`, `sku`, `location`, `reservation`; `path`, `page` or `problem` where
    the path itself leads nowhere.
    """

    def __init__(self, *, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name


class MethodNotAllowed(Refusal):
    """`allow` are the methods that the path has."""

    def __init__(self, *, allow: Iterable[str]) -> None:
        self.allow = sorted(allow)


class InventoryUnavailable(Refusal):
    """All lines that failed, in the order of the request. Nothing was claimed."""

    def __init__(self, *, unavailable: Sequence[Unavailable]) -> None:
        self.unavailable = unavailable


class ExternalReferenceExists(Refusal):
    """`reference` has it (a reservation's as shown, an adjustment's own); `location` is the path to look at."""

    def __init__(self, *, reference: str, location: str) -> None:
        self.reference = reference
        self.location = location


class StateConflict(Refusal):
    """`state` and `version` as they are, `action` as it was asked for."""

    def __init__(self, *, state: str, action: str, version: int) -> None:
        self.state = state
        self.action = action
        self.version = version


class SalesClosed(Refusal):
    """The first event of the request that is not on sale."""

    def __init__(self, *, event: str) -> None:
        self.event = event


class IdempotencyKeyReused(Refusal):
    """`mismatch` names the parts that differ from the first request: `path`, `query`, `body`.

    The first one's record is kept until `kept_until`, in ms.
    """

    def __init__(self, *, mismatch: Sequence[str], kept_until: int | None = None) -> None:
        self.mismatch = mismatch
        self.kept_until = kept_until


class IdempotencyInProgress(Refusal):
    """The first request with this key had not ended when this one's time was over."""

    def __init__(self, *, first_seen_at_ms: int) -> None:
        self.first_seen_at_ms = first_seen_at_ms


class HoldExpired(Refusal):
    """The end of the hold, by the database's clock."""

    def __init__(self, *, expired_at_ms: int) -> None:
        self.expired_at_ms = expired_at_ms


class VersionConflict(Refusal):
    """`version` as it is now."""

    def __init__(self, *, version: int) -> None:
        self.version = version


class PayloadTooLarge(Refusal):
    """`limit_bytes` is the most that a body may have."""

    def __init__(self, *, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes


class UnsupportedMediaType(Refusal):
    """The body is not declared as JSON in UTF-8."""


class RateLimited(Refusal):
    """`quota` requests are allowed in `window_s`; the next one is after `retry_after_s`."""

    def __init__(self, *, retry_after_s: int, quota: int, window_s: int) -> None:
        self.retry_after_s = retry_after_s
        self.quota = quota
        self.window_s = window_s


class Overloaded(Refusal):
    """More waits than could be served in time."""

    def __init__(self, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s


class StoreUnavailable(Refusal):
    """Nothing was done, or it is not known yet: the same key finds out."""

    def __init__(self, *, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
