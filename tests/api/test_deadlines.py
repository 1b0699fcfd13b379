"""Requests that cannot be done in time: the client is told to come again, and whatever happens the effect is one.

The store is held up for real, by a lock of somebody else, for longer than the deadline of a request.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

import httpx
import pytest

from tests.accounts import Account, new_account
from tests.api.contract import EVENT, RFC3339_MILLISECONDS, refused
from tests.api.foreign_locks import is_sqlite, rows_locked, stock_locked
from tests.api.reading import history, message_types, references, stock_counts
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until
from tests.running import RunningService, start_service

Json = dict[str, Any]

UNIT = [{"sku": "NW-001", "quantity": 1}]
TWO = [{"sku": "NW-001", "quantity": 2}]
DEADLINE_S = 3
STOCK = 10

# The wait for a row outlasts every test here, so that it is the deadline that ends a request.
ENV = {"HOLDFAST_DEADLINE_SECONDS": str(DEADLINE_S), "HOLDFAST_LOCK_WAIT_SECONDS": "50"}


@pytest.fixture(scope="module")
def impatient(store_url: str) -> Iterator[RunningService]:
    """A server with a short deadline."""
    with start_service(store_url, env=ENV) as service:
        yield service


@pytest.fixture
def account(impatient: RunningService) -> Iterator[Account]:
    """A new account with stock."""
    with closing(new_account(impatient.url, impatient.database_url)) as account:
        put_stock(account, on_hand=STOCK)
        yield account


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def look_up(account: Account, key: str) -> Json:
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    answer = account.http.get("/v1/idempotency-keys", params=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def refused_in_time(call: Future[httpx.Response], slug: str) -> Json:
    """The problem, which must come at the deadline and say when to come again."""
    wait_until(call.done, 4 * DEADLINE_S, f"an answer at the deadline of {DEADLINE_S} s")
    response = call.result()
    facts = refused(response, slug)
    assert 1 <= int(response.headers["Retry-After"]) <= 10
    assert DEADLINE_S - 0.1 <= response.elapsed.total_seconds() < 2 * DEADLINE_S
    return facts


def test_duplicates_are_in_progress_past_their_deadline_and_the_effect_is_one(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    ahead, key = new_idempotency_key(), new_idempotency_key()
    with stock_locked(account):
        # One ahead has the lane for itself, so that the first with the key begins when half of its time is over:
        # its transaction still runs when it and its duplicates have no more time.
        began = time.monotonic()
        call_ahead = threads.submit(hold, account, UNIT, ahead)
        wait_until(lambda: time.monotonic() >= began + DEADLINE_S / 2)
        first = threads.submit(hold, account, UNIT, key)
        wait_until(lambda: look_up(account, key)["state"] == "in_progress", what="the first request runs")
        seen = look_up(account, key)["first_seen_at"]
        assert RFC3339_MILLISECONDS.fullmatch(seen)
        duplicates = [threads.submit(hold, account, lines, key) for lines in (UNIT, TWO, UNIT)]
        for duplicate in duplicates:
            facts = refused_in_time(duplicate, "idempotency-in-progress")
            assert facts["first_seen_at"] == seen
            assert "Idempotency-Expires" not in duplicate.result().headers
        facts = refused_in_time(first, "store-unavailable")
        assert facts["retry_after_s"] == int(first.result().headers["Retry-After"])
        found = look_up(account, key)
        assert (found["state"], found["first_seen_at"]) == ("in_progress", seen)
        assert (found["status"], found["location"], found["expires_at"]) == (None, None, None)
        refused_in_time(call_ahead, "store-unavailable")
    done = [hold(account, UNIT, key=one) for one in (ahead, key)]
    again = [hold(account, UNIT, key=one) for one in (ahead, key)]
    assert [answer.status_code for answer in done] == [201, 201], [answer.text for answer in done]
    assert [answer.headers["Idempotent-Replayed"] for answer in again] == ["true", "true"]
    assert [answer.content for answer in again] == [answer.content for answer in done]
    reference = done[1].json()["reference"]
    assert sorted(references(account)) == sorted([done[0].json()["reference"], reference])
    assert len(history(account, reference)) == 1
    assert message_types(account, reference, 1) == ["reservation.held"]
    assert stock_counts(account) == (2, 0, STOCK - 2)
    assert look_up(account, key)["state"] == "completed"
    assert refused(hold(account, TWO, key=key), "idempotency-key-reused")["mismatch"] == ["body"]


def put_event(account: Account, name: str) -> httpx.Response:
    """A definition: a transaction of its own, which goes through no lane."""
    return account.http.put("/v1/events/final", json=EVENT | {"name": name})


def events_locked(account: Account) -> AbstractContextManager[None]:
    """Beside `stock_locked`, which on SQLite holds up everything."""
    if is_sqlite(account.database_url):
        return nullcontext()
    return rows_locked(account.database_url, f"SELECT id FROM events WHERE account_id = x'{account.id.hex()}'")


def test_what_was_refused_at_its_deadline_is_done_once_when_it_comes_again(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    reference = hold(account, UNIT).json()["reference"]
    adjustment = {"reference": "delivery-77", "delta": 5, "reason": "delivered"}
    keys = [new_idempotency_key() for _ in range(6)]
    assert put_event(account, "Before").status_code == 201
    requests: list[Callable[[], httpx.Response]] = [
        *(lambda key=key: hold(account, UNIT, key=key) for key in keys),
        lambda: act(account, reference, "confirm"),
        lambda: account.http.post(
            "/v1/stock/NW-001/adjustments", json=adjustment, headers={"Idempotency-Key": "delivery-77"}
        ),
        lambda: put_event(account, "After"),
    ]
    with stock_locked(account), events_locked(account):
        for call in [threads.submit(request) for request in requests]:
            refused_in_time(call, "store-unavailable")
        assert stock_counts(account) == (1, 0, STOCK - 1)
        assert account.http.get("/v1/events/final").json()["name"] == "Before"
    for _ in range(2):
        answers = [request() for request in requests]
        assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
    assert stock_counts(account) == (len(keys), 1, STOCK + 5 - len(keys) - 1)
    assert len(references(account)) == len(keys) + 1
    assert len(history(account, reference)) == 2
    assert account.http.get("/v1/events/final").json()["name"] == "After"
