"""A store that stands still: what may wait is bounded, one account cannot take it all, and nothing is half done.

The store is held up for real, by a lock of somebody else. What is refused is refused at once, while the others wait.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.accounts import Account, new_account
from tests.api.contract import refused
from tests.api.foreign_locks import events_locked, stock_locked
from tests.api.reading import history, references, stock_counts
from tests.make import hold, new_idempotency_key, put_event, put_stock, wait_until
from tests.races.databases import StoreName, database
from tests.running import RunningService, start_service

UNIT = [{"sku": "NW-001", "quantity": 1}]
QUEUE = 16
OF_ONE_ACCOUNT = QUEUE // 2
TOO_MANY = 4
STOCK = 100

# Whoever waits here waits for the lock, and not for a time-out of the service.
ENV = {
    "HOLDFAST_QUEUE_COMMANDS_MAX": str(QUEUE),
    "HOLDFAST_DEADLINE_SECONDS": "60",
    "HOLDFAST_LOCK_WAIT_SECONDS": "50",
}


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def small(request: pytest.FixtureRequest) -> Iterator[RunningService]:
    """A server with the smallest queue, on a database of its own: on SQLite the sweep of others would fill it too."""
    store: StoreName = request.param
    with (
        database(store, request.getfixturevalue("mysql_server")) as url,
        start_service(url, env=ENV) as service,
    ):
        yield service


@pytest.fixture
def accounts(small: RunningService) -> Iterator[list[Account]]:
    """Three accounts with stock."""
    with (
        closing(new_account(small.url, small.database_url)) as first,
        closing(new_account(small.url, small.database_url)) as second,
        closing(new_account(small.url, small.database_url)) as third,
    ):
        for account in (first, second, third):
            put_stock(account, on_hand=STOCK)
        yield [first, second, third]


def hold_unit(account: Account, key: str) -> httpx.Response:
    return hold(account, UNIT, key)


def upload(account: Account, key: str) -> httpx.Response:
    body = {"seats": [{"section": "101", "row": "A", "number": "1", "category": "1"}]}
    return account.http.put("/v1/events/final/seats", json=body, headers={"Idempotency-Key": key})


class Callers:
    """Requests that are under way, each in a thread of its own, under a key of its own."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.threads = threads
        self.waiting: list[tuple[Account, str, Future[httpx.Response]]] = []
        self.refused: list[tuple[Account, str]] = []

    def call(self, account: Account, count: int, request: Callable[[Account, str], httpx.Response] = hold_unit) -> None:
        for _ in range(count):
            key = new_idempotency_key()
            self.waiting.append((account, key, self.threads.submit(request, account, key)))

    def take_refused(self, count: int) -> None:
        """Returns when so many more were refused, and nobody was answered otherwise: all others still wait."""

        def answered() -> list[tuple[Account, str, Future[httpx.Response]]]:
            return [call for call in self.waiting if call[2].done()]

        wait_until(lambda: len(answered()) >= count, 30, f"{count} refusals while {len(self.waiting)} wait")
        found = answered()
        assert len(found) == count
        for call in found:
            account, key, future = call
            response = future.result()
            facts = refused(response, "overloaded")
            assert response.headers["Retry-After"] == str(facts["retry_after_s"])
            assert 1 <= facts["retry_after_s"] <= 10
            self.waiting.remove(call)
            self.refused.append((account, key))


@pytest.fixture
def callers() -> Iterator[Callers]:
    with ThreadPoolExecutor(2 * QUEUE) as threads:
        yield Callers(threads)


def state_of(account: Account, key: str) -> Any:
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    answer = account.http.get("/v1/idempotency-keys", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["state"]


def test_full_queue_refuses_at_once_and_everybody_gets_one_effect_in_the_end(
    accounts: list[Account], callers: Callers
) -> None:
    first, second, third = accounts
    with stock_locked(*accounts):
        callers.call(first, OF_ONE_ACCOUNT + TOO_MANY)
        callers.take_refused(TOO_MANY)
        # One account has all that it may; others have room.
        callers.call(second, OF_ONE_ACCOUNT + TOO_MANY)
        callers.take_refused(TOO_MANY)
        # Now there is room for nobody.
        callers.call(third, TOO_MANY)
        callers.take_refused(TOO_MANY)
        assert len(callers.waiting) == QUEUE
        assert {state_of(account, key) for account, key in callers.refused} == {"unseen"}
        assert {state_of(account, key) for account, key, _ in callers.waiting} == {"in_progress"}
        assert [references(account) for account in accounts] == [[], [], []], "what only reads is served all the time"
    for _, _, future in callers.waiting:
        response = future.result()
        assert (response.status_code, response.headers["Idempotent-Replayed"]) == (201, "false"), response.text
    for account, key in callers.refused:
        response = hold(account, UNIT, key=key)
        assert (response.status_code, response.headers["Idempotent-Replayed"]) == (201, "false"), response.text
    held_by = [OF_ONE_ACCOUNT + TOO_MANY, OF_ONE_ACCOUNT + TOO_MANY, TOO_MANY]
    assert [stock_counts(account) for account in accounts] == [(held, 0, STOCK - held) for held in held_by]
    assert [len(references(account)) for account in accounts] == held_by


def test_duplicate_of_one_that_waits_needs_no_room(accounts: list[Account], callers: Callers) -> None:
    account, *_ = accounts
    with stock_locked(*accounts):
        callers.call(account, OF_ONE_ACCOUNT + 1)
        callers.take_refused(1)
        _, key, waits = callers.waiting[0]
        duplicates = [callers.threads.submit(hold, account, UNIT, key) for _ in range(TOO_MANY)]
        callers.call(account, 1)
        callers.take_refused(1)
    for _, _, future in callers.waiting:
        assert future.result().status_code == 201, future.result().text
    first = waits.result()
    for duplicate in duplicates:
        response = duplicate.result()
        assert (response.status_code, response.headers["Idempotent-Replayed"]) == (201, "true"), response.text
        assert response.content == first.content
    assert len(history(account, first.json()["reference"])) == 1
    assert stock_counts(account) == (OF_ONE_ACCOUNT, 0, STOCK - OF_ONE_ACCOUNT)


def test_queue_depth_tells_how_many_wait(accounts: list[Account], callers: Callers, small: RunningService) -> None:
    account, *_ = accounts

    def depth() -> float:
        lines = account.http.get(f"{small.url}/metrics").text.splitlines()
        return float(next(line for line in lines if line.startswith("holdfast_queue_depth ")).split()[1])

    with stock_locked(*accounts):
        callers.call(account, OF_ONE_ACCOUNT + 1)
        callers.take_refused(1)
        deep = depth()
    assert deep == OF_ONE_ACCOUNT
    for _, _, future in callers.waiting:
        assert future.result().status_code == 201
    wait_until(lambda: depth() == 0, what="nobody waits any more")


def test_uploads_are_bounded_and_hold_up_nobody_elses_holds(
    accounts: list[Account], callers: Callers, small: RunningService
) -> None:
    first, second, third = accounts
    for account in (first, second):
        put_event(account, seats=[])
    # Beside the lanes there is room for so many, and for two behind them, of two accounts.
    at_once = 1 if small.store == "sqlite" else 8
    with events_locked(first, second):
        callers.call(first, at_once + 1 + TOO_MANY, upload)
        callers.take_refused(TOO_MANY)
        callers.call(second, 1 + TOO_MANY, upload)
        callers.take_refused(TOO_MANY)
        assert len(callers.waiting) == at_once + 2
        if small.store == "mysql":
            assert hold(third, UNIT).status_code == 201, "while all uploads still wait"
    for _, _, future in callers.waiting:
        assert future.result().status_code == 200, future.result().text
    for account, key in callers.refused:
        response = upload(account, key)
        assert (response.status_code, response.headers["Idempotent-Replayed"]) == (200, "false"), response.text
    assert hold(third, UNIT).status_code == 201
