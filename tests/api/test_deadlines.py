"""Requests that cannot be done in time: the client is told to come again, and whatever happens the effect is one.

The store is held up for real, by a lock of somebody else, for longer than the deadline of a request.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from typing import Any

import httpx
import pytest

from tests.accounts import Account, new_account
from tests.api.contract import EVENT, RFC3339_MILLISECONDS, refused
from tests.api.foreign_locks import file_locked, is_sqlite, rows_locked, stock_locked, writers_locked
from tests.api.reading import history, references, stock_counts
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until
from tests.running import RunningService, start_service

UNIT = [{"sku": "NW-001", "quantity": 1}]
DEADLINE_S = 2
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
    with ThreadPoolExecutor(8) as threads:
        yield threads


def held_up(account: Account) -> AbstractContextManager[None]:
    """The transaction that changes the account's stock has begun and cannot go on.

    On SQLite by a program that goes round the lock of the writers: the wait for that one ends with the deadline.
    """
    return file_locked(account.database_url) if is_sqlite(account.database_url) else stock_locked(account)


def look_up(account: Account, key: str) -> dict[str, Any]:
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    answer = account.http.get("/v1/idempotency-keys", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused_in_time(response: httpx.Response, slug: str) -> dict[str, Any]:
    """The problem, which must have come at the deadline and say when to come again."""
    facts = refused(response, slug)
    assert 1 <= int(response.headers["Retry-After"]) <= 10
    assert DEADLINE_S - 0.1 <= response.elapsed.total_seconds() < DEADLINE_S + 5
    return facts


def test_duplicates_are_in_progress_past_their_deadline_and_the_effect_is_one(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    key = new_idempotency_key()
    two = [{"sku": "NW-001", "quantity": 2}]
    with held_up(account):
        first = threads.submit(hold, account, UNIT, key)
        wait_until(lambda: look_up(account, key)["state"] == "in_progress", what="the first request runs")
        began = look_up(account, key)["first_seen_at"]
        again, other_body = (threads.submit(hold, account, lines, key) for lines in (UNIT, two))
        for duplicate in (again, other_body):
            facts = refused_in_time(duplicate.result(), "idempotency-in-progress")
            assert facts["first_seen_at"] == began
            assert RFC3339_MILLISECONDS.fullmatch(began)
        facts = refused_in_time(first.result(), "store-unavailable")
        assert facts["retry_after_s"] == int(first.result().headers["Retry-After"])
        found = look_up(account, key)
        assert (found["state"], found["first_seen_at"], found["status"]) == ("in_progress", began, None)
    done = hold(account, UNIT, key=key)
    assert done.status_code == 201, done.text
    replay = hold(account, UNIT, key=key)
    assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (201, "true")
    assert replay.content == done.content
    assert look_up(account, key)["state"] == "completed"
    assert references(account) == [done.json()["reference"]]
    assert len(history(account, done.json()["reference"])) == 1
    assert stock_counts(account) == (1, 0, STOCK - 1)
    assert refused(hold(account, two, key=key), "idempotency-key-reused")["mismatch"] == ["body"]


def test_requests_that_never_began_execute_once_when_they_come_again(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    keys = [new_idempotency_key() for _ in range(6)]
    with stock_locked(account):
        calls = [threads.submit(hold, account, UNIT, key) for key in keys]
        for call in calls:
            refused_in_time(call.result(), "store-unavailable")
        assert stock_counts(account) == (0, 0, STOCK)
    for _ in range(2):
        answers = [hold(account, UNIT, key=key) for key in keys]
        assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert len(references(account)) == len(keys)
    assert stock_counts(account) == (len(keys), 0, STOCK - len(keys))


def test_action_without_a_key_past_its_deadline_is_done_once_too(account: Account, threads: ThreadPoolExecutor) -> None:
    reference = hold(account, UNIT).json()["reference"]
    with stock_locked(account):
        call = threads.submit(act, account, reference, "confirm")
        refused_in_time(call.result(), "store-unavailable")
    confirmed = act(account, reference, "confirm")
    assert (confirmed.status_code, confirmed.json()["version"]) == (200, 2), confirmed.text
    assert stock_counts(account) == (0, 1, STOCK - 1)


def test_definition_past_its_deadline_is_refused_and_put_once_it_comes_again(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    def put(name: str) -> httpx.Response:
        return account.http.put("/v1/events/final", json=EVENT | {"name": name})

    assert put("Before").status_code == 201
    url = account.database_url
    select = f"SELECT id FROM events WHERE account_id = x'{account.id.hex()}'"
    with writers_locked(url) if is_sqlite(url) else rows_locked(url, select):
        call = threads.submit(put, "After")
        wait_until(call.done, 4 * DEADLINE_S, f"an answer at the deadline of {DEADLINE_S} s")
    refused_in_time(call.result(), "store-unavailable")
    answer = put("After")
    assert (answer.status_code, answer.json()["name"]) == (200, "After"), answer.text
