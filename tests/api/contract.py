"""The contract as tables: every endpoint with its scope, every problem with its status and advice.

A test names a row of these tables instead of repeating it, so that each sentence of the contract is written down once.
Nothing here knows the service: it is what a client's author would copy from the document.
"""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx

from tests.accounts import Account
from tests.make import new_idempotency_key, problem, put_event, put_stock, wait_until

Json = dict[str, Any]

SCOPES = (
    "inventory:read",
    "inventory:write",
    "reservations:read",
    "reservations:write",
    "payments:write",
    "customers:write",
    "webhooks:write",
    "ops",
)

RFC3339_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

EVENT: Json = {
    "name": "Final",
    "starts_at": "2097-06-05T19:00:00Z",
    "hold_seconds": 600,
    "hold_seconds_max": 3600,
    "sales": "open",
    "categories": [{"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"}],
}
STOCK: Json = {"description": "Chai", "on_hand": 10, "amount": 1800, "currency": "USD"}


class Advice(NamedTuple):
    """What a client may rely on when it meets a problem of this kind."""

    status: int
    retryable: bool
    retry_with: str


PROBLEMS = {
    "invalid-request": Advice(400, False, "none"),
    "idempotency-key-missing": Advice(400, False, "none"),
    "idempotency-key-invalid": Advice(400, False, "none"),
    "unauthenticated": Advice(401, False, "none"),
    "forbidden": Advice(403, False, "none"),
    "not-found": Advice(404, False, "none"),
    "method-not-allowed": Advice(405, False, "none"),
    "inventory-unavailable": Advice(409, False, "new_key"),
    "external-reference-exists": Advice(409, False, "none"),
    "state-conflict": Advice(409, False, "none"),
    "sales-closed": Advice(409, False, "new_key"),
    "idempotency-key-reused": Advice(409, False, "none"),
    "idempotency-in-progress": Advice(409, True, "same_key"),
    "hold-expired": Advice(410, False, "none"),
    "version-conflict": Advice(412, False, "new_key"),
    "payload-too-large": Advice(413, False, "none"),
    "unsupported-media-type": Advice(415, False, "none"),
    "rate-limited": Advice(429, True, "same_key"),
    "overloaded": Advice(503, True, "same_key"),
    "store-unavailable": Advice(503, True, "same_key"),
    "internal": Advice(500, True, "same_key"),
}


class Endpoint(NamedTuple):
    """One method of one path, with a request that is valid for the inventory of `stocked`."""

    method: str
    path: str
    scope: str | None
    body: Json | None = None
    query: Json | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


_A_SEAT = {"section": "101", "row": "A", "number": "1", "category": "1", "x": 1.5, "y": 2.5}
_A_LINE = {"event": "final", "seats": ["101-B-1"]}
_KEY_QUERY = {"key": "k-1", "method": "POST", "route": "/v1/reservations"}

ENDPOINTS = (
    Endpoint("PUT", "/v1/events/{event}", "inventory:write", EVENT),
    Endpoint("GET", "/v1/events", "inventory:read"),
    Endpoint("GET", "/v1/events/{event}", "inventory:read"),
    Endpoint("PUT", "/v1/events/{event}/seats", "inventory:write", {"seats": [_A_SEAT]}),
    Endpoint("GET", "/v1/events/{event}/seats", "inventory:read"),
    Endpoint("GET", "/v1/events/{event}/availability", "inventory:read"),
    Endpoint("POST", "/v1/events/{event}/blocks", "inventory:write", {"seats": ["101-C-1"], "reason": "camera"}),
    Endpoint("POST", "/v1/events/{event}/unblocks", "inventory:write", {"seats": ["101-C-1"]}),
    Endpoint("PUT", "/v1/stock/{sku}", "inventory:write", STOCK),
    Endpoint(
        "POST",
        "/v1/stock/{sku}/adjustments",
        "inventory:write",
        {"reference": "delivery-77", "delta": 3, "reason": "delivered"},
    ),
    Endpoint("GET", "/v1/stock", "inventory:read"),
    Endpoint("GET", "/v1/stock/{sku}", "inventory:read"),
    Endpoint("POST", "/v1/reservations", "reservations:write", {"lines": [_A_LINE]}),
    Endpoint("GET", "/v1/reservations", "reservations:read"),
    Endpoint("GET", "/v1/reservations/{reference}", "reservations:read"),
    Endpoint("POST", "/v1/reservations/{reference}/confirm", "reservations:write", {"late": "never"}),
    Endpoint("POST", "/v1/reservations/{reference}/extend", "reservations:write", {"hold_seconds": 600}),
    Endpoint("POST", "/v1/reservations/{reference}/release", "reservations:write", {"lines": [1]}),
    Endpoint("POST", "/v1/reservations/{reference}/cancel", "reservations:write", {"refund": "none"}),
    Endpoint("GET", "/v1/reservations/{reference}/history", "reservations:read"),
    Endpoint("GET", "/v1/reservations/{reference}/timeline", "ops"),
    Endpoint("GET", "/v1/reservation-counts", "reservations:read"),
    Endpoint("GET", "/v1/messages", "reservations:read"),
    Endpoint("GET", "/v1/idempotency-keys", None, query=_KEY_QUERY),
    Endpoint("GET", "/v1/hot-rows", "ops"),
    Endpoint("GET", "/v1/idempotency-records", "ops", query={"key": "k-1"}),
    Endpoint("GET", "/v1/me", None),
)
WITH_BODY = tuple(endpoint for endpoint in ENDPOINTS if endpoint.body is not None)
COLLECTIONS = ("/v1/events", "/v1/events/{event}/seats", "/v1/stock", "/v1/reservations", "/v1/messages")


def stocked(account: Account) -> str:
    """Give the account everything that ENDPOINTS name; the reference of its one reservation, held."""
    put_event(account)
    put_stock(account)
    response = account.http.post(
        "/v1/reservations",
        json={"lines": [{"event": "final", "seats": ["101-A-1", "101-A-2"]}]},
        headers={"Idempotency-Key": new_idempotency_key()},
    )
    assert response.status_code == 201, response.text
    return str(response.json()["reference"])


def send(
    client: httpx.Client, endpoint: Endpoint, reference: str = "K7QX2-9PMDA", **changes: Json | None
) -> httpx.Response:
    """The endpoint's valid request, with another `body` or more members of the `query` where given."""
    headers = {"Idempotency-Key": new_idempotency_key()} if endpoint.method == "POST" else {}
    return client.request(
        endpoint.method,
        endpoint.path.format(event="final", sku="NW-001", reference=reference),
        json=changes.get("body", endpoint.body),
        params={**(endpoint.query or {}), **(changes.get("query") or {})},
        headers=headers,
    )


def refused(response: httpx.Response, slug: str) -> Json:
    """The problem, which must be this one with the status and the advice of its row."""
    assert response.status_code >= 400, f"expected {slug}, got {response.status_code}: {response.text[:500]}"
    body: Json = problem(response)
    advice = PROBLEMS[slug]
    assert body["type"] == f"/problems/{slug}", body
    assert (response.status_code, body["status"]) == (advice.status, advice.status), body
    assert (body["retryable"], body["retry_with"]) == (advice.retryable, advice.retry_with), body
    return body


def refused_as_invalid(response: httpx.Response, *names: str) -> Json:
    """The problem of a bad request, whose errors name paths; each of `names` must stand in one of them."""
    body = refused(response, "invalid-request")
    errors = body["errors"]
    assert errors, body
    assert all(isinstance(error["path"], str) and error["message"] for error in errors), errors
    for name in names:
        assert any(name in error["path"] for error in errors), f"no error names {name}: {errors}"
    return body


def pages(client: httpx.Client, path: str, plural: str, **query: str | int) -> Iterator[list[Json]]:
    """Each page of a collection, first to last, asked for when it is wanted."""
    seen: set[str] = set()
    while True:
        response = client.get(path, params=query)
        assert response.status_code == 200, response.text
        page = response.json()
        assert set(page) >= {plural, "next_cursor"}, page.keys()
        yield page[plural]
        cursor = page["next_cursor"]
        if cursor is None:
            return
        assert isinstance(cursor, str), cursor
        assert cursor not in seen, f"the cursor of {path} leads in a circle"
        seen.add(cursor)
        query["cursor"] = cursor


def rows(client: httpx.Client, path: str, plural: str, **query: str | int) -> list[Json]:
    """Every row of a collection, in its order."""
    return [row for page in pages(client, path, plural, **query) for row in page]


def labelled(label: str, **members: str | float) -> Json:
    """The seat of a label such as `101-A-12` as a member of `PUT …/seats`."""
    section, row, number = label.rsplit("-", 2)
    return {"section": section, "row": row, "number": number, "category": "1", "x": 0.5, "y": 0.5, **members}


def items(response: httpx.Response) -> Json:
    """The JSON of an answer that must be a success."""
    assert response.is_success, f"{response.request.method} {response.request.url}: {response.text[:500]}"
    body: Json = response.json()
    return body


def prefix_of(key: str) -> str:
    """The part of a key that may be shown."""
    return key.split("_", 2)[1]


def last_success_after(ask: Callable[[], int], refusal: int) -> float:
    """Seconds from now until the sending of the last request that did not yet get the status `refusal`."""
    start = time.monotonic()
    answered = [0.0]

    def is_refused() -> bool:
        sent = time.monotonic() - start
        status = ask()
        assert status == refusal or 200 <= status < 300, status
        if status != refusal:
            answered.append(sent)
        return status == refusal

    wait_until(is_refused)
    return answered[-1]
