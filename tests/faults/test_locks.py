"""Row 9: deadlocks and lock waits. Retried inside as whole transactions; after that 503, never stored.

The other session is anybody's: a backup, an operator at the console, a second version of the service.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncmy
from sqlalchemy import make_url

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.foreign_locks import stock_locked
from tests.api.reading import references, stock_counts
from tests.faults.conftest import CutOff
from tests.faults.patient import Customers
from tests.make import hold, new_idempotency_key, put_stock, wait_until
from tests.races.metrics import counted
from tests.servers.mysql import execute

T = TypeVar("T")

UNIT = [{"sku": "NW-001", "quantity": 1}]


class Session:
    """A connection with an open transaction. `start` does not wait for a statement that may be waiting for a lock."""

    def __init__(self, url: str, thread: ThreadPoolExecutor, runner: asyncio.Runner) -> None:
        self._thread = thread
        self._runner = runner
        self._connection = self._run(_connect(url)).result()

    def _run(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return self._thread.submit(self._runner.run, work)

    def start(self, sql: str) -> "Future[Any]":
        return self._run(_execute(self._connection, sql))

    def run(self, sql: str) -> Any:
        return self.start(sql).result(timeout=30)

    def close(self) -> None:
        self._run(self._connection.ensure_closed()).result()


async def _connect(url: str) -> Any:
    parts = make_url(url)
    return await asyncmy.connect(
        host=parts.host, port=parts.port or 3306, user=parts.username, password=parts.password or "", db=parts.database
    )


async def _execute(connection: Any, sql: str) -> Any:
    async with connection.cursor() as cursor:
        await cursor.execute(sql)
        return await cursor.fetchall()


@contextmanager
def other_session(url: str) -> Iterator[Session]:
    """A session of somebody else, READ COMMITTED, rolled back at the end."""
    with ThreadPoolExecutor(max_workers=1) as thread, asyncio.Runner() as runner:
        session = Session(url, thread, runner)
        session.run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        session.run("BEGIN")
        try:
            yield session
        finally:
            session.close()


def retries(cut_off: CutOff) -> float:
    return counted(cut_off.service, "holdfast_batch_retries_total")


def test_row_09_row_locked_for_longer_than_a_lock_wait_is_waited_for_inside(cut_off: CutOff, customer: Account) -> None:
    put_stock(customer, on_hand=10)
    before = retries(cut_off)
    with ThreadPoolExecutor(max_workers=1) as thread:
        with stock_locked(customer):
            answer = thread.submit(hold, customer, UNIT)
            # A lock wait is over after a second (1205), and the batch is decided anew.
            wait_until(lambda: retries(cut_off) > before, 10)
            assert not answer.done()
        assert answer.result().status_code == 201, answer.result().text
    assert stock_counts(customer) == (1, 0, 9)


def test_row_09_row_locked_past_the_deadline_is_503_and_nothing_is_stored(customer: Account) -> None:
    put_stock(customer, on_hand=10)
    key = new_idempotency_key()
    with stock_locked(customer):
        refused(hold(customer, UNIT, key=key), "store-unavailable")
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    wait_until(lambda: customer.http.get("/v1/idempotency-keys", params=query).json()["state"] != "in_progress", 30)
    told = customer.http.get("/v1/idempotency-keys", params=query).json()
    answer = hold(customer, UNIT, key=key)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Idempotent-Replayed"] == ("false" if told["state"] == "unseen" else "true")
    assert references(customer) == [answer.json()["reference"]]
    assert stock_counts(customer) == (1, 0, 9)


def test_row_09_deadlock_with_another_session_is_retried_inside(cut_off: CutOff, customer: Account) -> None:
    first, second = (put_stock(customer, sku=sku, on_hand=10) for sku in ("a", "b"))
    assert first["version"] == second["version"] == 1
    named = f"account_id = x'{customer.id.hex()}' AND sku = x'{{}}'"
    locked_by_us, locked_by_it = (f"FROM stock_items WHERE {named.format(sku.encode().hex())}" for sku in ("b", "a"))
    before = retries(cut_off)
    with other_session(cut_off.database_url) as session, ThreadPoolExecutor(max_workers=1) as thread:
        # A transaction that has changed more is not the one that a deadlock ends.
        session.run("CREATE TEMPORARY TABLE ballast (number INT PRIMARY KEY) ENGINE=InnoDB")
        session.run("INSERT INTO ballast VALUES " + ", ".join(f"({number})" for number in range(500)))
        session.run(f"SELECT id {locked_by_us} FOR UPDATE")
        lines = [{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}]
        answer = thread.submit(hold, customer, lines)
        wait_until(lambda: is_locked(cut_off, locked_by_it), 10, "the batch has its first row and waits for ours")
        # We ask for them the other way round.
        session.run(f"SELECT id {locked_by_it} FOR UPDATE")
        wait_until(lambda: retries(cut_off) > before, 10, "the batch was ended by the deadlock and retried")
        session.run("ROLLBACK")
        assert answer.result().status_code == 201, answer.result().text
    assert stock_counts(customer, "a") == (1, 0, 9)
    assert stock_counts(customer, "b") == (2, 0, 8)


def is_locked(cut_off: CutOff, rows: str) -> bool:
    """Whether anybody has locked these rows; it is not waited for."""
    try:
        execute(cut_off.database_url, f"SELECT id {rows} FOR UPDATE NOWAIT")
    except asyncmy.errors.OperationalError:
        return True
    return False


def test_row_09_locks_taken_over_and_over_under_load_lose_and_double_nothing(
    cut_off: CutOff, customer: Account
) -> None:
    with Customers([customer]) as customers:
        customers.wait_for(5)
        before = retries(cut_off)
        for _ in range(3):
            with stock_locked(customer):
                wait_until(lambda before=before: retries(cut_off) > before, 15)
            before = retries(cut_off)
            customers.wait_for(5)
    customers.settle()
