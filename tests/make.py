"""Builders with defaults, over HTTP as any client would: a test names only what it is about.

`put_…` must succeed and fail the test otherwise; `hold` and `act` give the response as it is.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import httpx

from tests.accounts import Account
from tests.polling import wait_until

__all__ = [
    "act",
    "hold",
    "new_idempotency_key",
    "problem",
    "put_event",
    "put_seats",
    "put_stock",
    "wait_until",
]

Json: TypeAlias = dict[str, Any]
SeatLike: TypeAlias = str | Mapping[str, Any]

CATEGORY: Json = {"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"}
# Section 101, rows A to C from the front, ten seats each.
SEATS = tuple(f"101-{row}-{number}" for row in "ABC" for number in range(1, 11))
SEATS_PER_CALL = 5_000
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "retryable", "retry_with"}


def put_event(
    account: Account,
    event: str = "final",
    seats: Iterable[SeatLike] | None = None,
    categories: Sequence[Json] | None = None,
    **fields: Any,
) -> Json:
    """An event on sale with seats of SEATS or those given, as labels or as the API's seats; `fields` overrule."""
    body: Json = {
        "name": "Final",
        "starts_at": "2097-06-05T19:00:00Z",
        "hold_seconds": 600,
        "hold_seconds_max": 3600,
        "sales": "open",
        "categories": [CATEGORY] if categories is None else list(categories),
    }
    answer = _done(account.http.put(f"/v1/events/{event}", json=body | fields))
    put_seats(account, event, SEATS if seats is None else seats)
    return answer


def put_seats(account: Account, event: str, seats: Iterable[SeatLike], category: str = "1") -> None:
    """Adds seats to the event, as labels (then of `category`) or as the API's seats, any number of them."""
    described = [_seat(seat, category) for seat in seats]
    for first in range(0, len(described), SEATS_PER_CALL):
        body = {"seats": described[first : first + SEATS_PER_CALL]}
        _done(account.http.put(f"/v1/events/{event}/seats", json=body))


def _seat(seat: SeatLike, category: str) -> Json:
    if not isinstance(seat, str):
        return dict(seat)
    section, row, number = seat.rsplit("-", 2)
    return {"section": section, "row": row, "number": number, "category": category}


def put_stock(
    account: Account, sku: str = "NW-001", on_hand: int = 10, location: str | None = None, **fields: Any
) -> Json:
    """A stock item with so many units; `fields` overrule the rest."""
    body: Json = {"description": "Chai", "on_hand": on_hand, "amount": 1800, "currency": "USD"}
    query = {} if location is None else {"location": location}
    return _done(account.http.put(f"/v1/stock/{sku}", params=query, json=body | fields))


def hold(account: Account, lines: Sequence[Json], key: str | None = None, **body: Any) -> httpx.Response:
    """POST /v1/reservations under `key` or a new one."""
    headers = {"Idempotency-Key": key or new_idempotency_key()}
    return account.http.post("/v1/reservations", json={"lines": list(lines), **body}, headers=headers)


def act(
    account: Account,
    reference: str,
    action: str,
    body: Json | None = None,
    key: str | None = None,
    if_match: str | None = None,
) -> httpx.Response:
    """An action on a reservation; without `body` an empty one. `if_match` is an ETag, quotes included."""
    headers: dict[str, str] = {}
    if key is not None:
        headers["Idempotency-Key"] = key
    if if_match is not None:
        headers["If-Match"] = if_match
    path = f"/v1/reservations/{reference}/{action}"
    if body is None:
        return account.http.post(path, headers=headers)
    return account.http.post(path, json=body, headers=headers)


def new_idempotency_key() -> str:
    """A key that nobody has used."""
    return str(uuid.uuid4())


def problem(response: httpx.Response) -> Json:
    """The problem that the response is; asserts what RFC 9457 and the contract promise of every one."""
    shown = f"{response.status_code} {response.headers.get('Content-Type')} {response.text[:500]}"
    assert response.headers.get("Content-Type", "").split(";")[0] == "application/problem+json", shown
    body: Json = response.json()
    assert body.keys() >= PROBLEM_MEMBERS, f"lacks {PROBLEM_MEMBERS - body.keys()}: {shown}"
    assert body["status"] == response.status_code, shown
    assert body["type"].startswith("/problems/"), shown
    assert body["retryable"] is (body["retry_with"] == "same_key"), shown
    return body


def _done(response: httpx.Response) -> Json:
    assert response.is_success, f"{response.request.method} {response.request.url}: {response.text}"
    answer: Json = response.json()
    return answer
