"""How long idempotency records are kept, and what stands against a repetition when they are gone.

Records are made old by SQL, in a database of the test's own; the purge is the worker's, run when the test says so.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from service.database.store import Store
from service.database.transaction import Transaction
from service.database.transactional import transactional
from service.reservations.sweep import purge_records
from tests.accounts import Account, new_account, on_store
from tests.api.contract import refused
from tests.api.reading import at_once, held, history, moment, references, stock_counts
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until
from tests.races.databases import StoreName, database
from tests.running import RunningService, start_service, start_worker

Json = dict[str, Any]

UNIT = [{"sku": "NW-001", "quantity": 1}]
DELIVERY = {"reference": "delivery-77", "delta": 3, "reason": "delivered"}
STOCK = 100


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def keeper(request: pytest.FixtureRequest) -> Iterator[RunningService]:
    """A server that keeps records for an hour. The worker in it, on SQLite, purges at its start, then each minute."""
    store: StoreName = request.param
    with (
        database(store, request.getfixturevalue("mysql_server")) as url,
        start_service(url, env={"HOLDFAST_IDEMPOTENCY_HOURS": "1"}) as service,
    ):
        yield service


@pytest.fixture
def account(keeper: RunningService) -> Iterator[Account]:
    """A new account with stock."""
    with closing(new_account(keeper.url, keeper.database_url)) as account:
        put_stock(account, on_hand=STOCK)
        yield account


def adjust(account: Account, key: str, **changes: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return account.http.post("/v1/stock/NW-001/adjustments", json=DELIVERY | changes, headers=headers)


def look_up(account: Account, key: str) -> Json:
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    answer = account.http.get("/v1/idempotency-keys", params=query)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@transactional
async def _make_old(transaction: Transaction, account_id: bytes) -> int:
    return await transaction.change(
        "UPDATE idempotency_records SET expires_at = 1000, first_seen_at = 500 WHERE account_id = ?", (account_id,)
    )


def make_old(account: Account) -> None:
    """Every record of the account is past its time."""

    async def change(store: Store) -> int:
        return await _make_old(store, account.id)

    assert on_store(account.database_url, change) > 0


def purge(account: Account) -> int:
    """One round of the worker's purge; how many records went."""
    return on_store(account.database_url, purge_records)


ANSWERS: dict[str, Callable[[Account], httpx.Response]] = {
    "a success": lambda account: hold(account, UNIT),
    "a refusal": lambda account: hold(account, [{"sku": "NW-001", "quantity": STOCK + 1}]),
    "an action": lambda account: act(account, held(account, UNIT)["reference"], "confirm", key=new_idempotency_key()),
    "an adjustment": lambda account: adjust(account, new_idempotency_key()),
    "a definition": lambda account: account.http.put(
        "/v1/stock/NW-002",
        json={"description": "Chang", "on_hand": 1, "amount": 1, "currency": "USD"},
        headers={"Idempotency-Key": new_idempotency_key()},
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_answer_says_that_its_record_is_kept_for_the_hours_of_the_setting(account: Account, what: str) -> None:
    response = ANSWERS[what](account)
    assert response.headers["Idempotent-Replayed"] == "false", response.text
    kept = moment(response.headers["Idempotency-Expires"]) - datetime.now(UTC)
    assert timedelta(minutes=58) < kept < timedelta(minutes=61)


def test_lookup_shows_exactly_the_hours_of_the_setting(account: Account) -> None:
    key = new_idempotency_key()
    response = hold(account, UNIT, key=key)
    found = look_up(account, key)
    assert moment(found["expires_at"]) - moment(found["first_seen_at"]) == timedelta(hours=1)
    assert found["expires_at"] == response.headers["Idempotency-Expires"]


def test_record_past_its_time_is_honoured_until_it_is_purged(account: Account) -> None:
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key)
    make_old(account)
    again = hold(account, UNIT, key=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true"), again.text
    assert again.content == first.content
    assert again.headers["Idempotency-Expires"] == "1970-01-01T00:00:01.000Z"
    assert refused(hold(account, UNIT, key=key, customer="c-77"), "idempotency-key-reused")["mismatch"] == ["body"]
    assert look_up(account, key)["state"] == "completed"
    assert stock_counts(account) == (1, 0, STOCK - 1)


def test_purge_takes_what_is_past_its_time_and_nothing_else(account: Account) -> None:
    old, fresh = new_idempotency_key(), new_idempotency_key()
    hold(account, UNIT, key=old)
    make_old(account)
    kept = hold(account, UNIT, key=fresh)
    purge(account)
    assert (look_up(account, old)["state"], look_up(account, fresh)["state"]) == ("unseen", "completed")
    again = hold(account, UNIT, key=fresh)
    assert (again.content, again.headers["Idempotent-Replayed"]) == (kept.content, "true")


def test_key_without_a_natural_key_is_a_new_one_after_the_purge(account: Account) -> None:
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key).json()["reference"]
    make_old(account)
    purge(account)
    again = hold(account, UNIT, key=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "false"), again.text
    assert sorted(references(account)) == sorted([first, again.json()["reference"]])


def test_external_reference_refuses_a_repetition_after_the_purge(account: Account) -> None:
    key = new_idempotency_key()
    first = hold(account, UNIT, key=key, external_reference="order-9001").json()["reference"]
    make_old(account)
    purge(account)
    again = hold(account, UNIT, key=key, external_reference="order-9001")
    assert refused(again, "external-reference-exists")["reference"] == first
    assert again.headers["Location"] == f"/v1/reservations/{first}"
    assert references(account) == [first]
    assert stock_counts(account) == (1, 0, STOCK - 1)
    assert len(history(account, first)) == 1


def test_reference_of_an_adjustment_answers_a_repetition_after_the_purge(account: Account) -> None:
    key = new_idempotency_key()
    first = adjust(account, key)
    assert first.is_success, first.text
    make_old(account)
    purge(account)
    again = adjust(account, key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    refused(adjust(account, new_idempotency_key(), delta=4), "external-reference-exists")
    assert stock_counts(account) == (0, 0, STOCK + DELIVERY["delta"])


def test_retry_that_meets_the_purge_is_replayed_or_stopped_by_its_natural_key(account: Account) -> None:
    for number in range(6):
        key, name = new_idempotency_key(), f"order-{number}"
        first = hold(account, UNIT, key=key, external_reference=name)
        make_old(account)

        def again(key: str = key, name: str = name) -> httpx.Response:
            return hold(account, UNIT, key=key, external_reference=name)

        def purged() -> int:
            return purge(account)

        retry, _ = at_once([again, purged])
        assert isinstance(retry, httpx.Response)
        if retry.status_code == 201:
            assert (retry.content, retry.headers["Idempotent-Replayed"]) == (first.content, "true")
        else:
            assert refused(retry, "external-reference-exists")["reference"] == first.json()["reference"]
    assert stock_counts(account) == (6, 0, STOCK - 6)


def test_worker_purges_as_soon_as_it_runs(account: Account) -> None:
    key = new_idempotency_key()
    assert hold(account, UNIT, key=key).status_code == 201
    make_old(account)
    with start_worker(account.database_url):
        wait_until(lambda: look_up(account, key)["state"] == "unseen", 30, "the record is purged")
    assert len(references(account)) == 1
