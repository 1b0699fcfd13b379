"""Row 14: a process is stopped in the middle of a transaction, for longer than all time-outs, and then goes on.

Meanwhile others take what it had read. Its stale writes match no row, and it finds out before it answers.
"""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from typing import NamedTuple

import asyncmy
import pytest

from tests.accounts import Account, new_account
from tests.api.contract import refused
from tests.api.reading import held, history, read, stock_counts
from tests.conftest import MysqlServer
from tests.faults.conftest import ENVIRONMENT
from tests.faults.fused import Fuse, fused_service, fused_worker, wait_until_stopped
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until
from tests.races.databases import audit_now, mysql_database, sqlite_database
from tests.races.metrics import counted
from tests.running import RunningService, start_service
from tests.servers.mysql import execute

UNIT = [{"sku": "NW-001", "quantity": 1}]


class Pair(NamedTuple):
    """A server that can be made to stop itself in a transaction, and another one."""

    sleeper: RunningService
    fuse: Fuse
    other: RunningService


@pytest.fixture(scope="module")
def pair(mysql_server: MysqlServer) -> Iterator[Pair]:
    with ExitStack() as stack:
        url = stack.enter_context(mysql_database(mysql_server))
        sleeper = stack.enter_context(fused_service(url, ENVIRONMENT))
        yield Pair(*sleeper, stack.enter_context(start_service(url, env=ENVIRONMENT)))


@pytest.fixture
def asleep(pair: Pair) -> Iterator[Account]:
    """A new account, at the server that will be stopped; both have got over what was done to their sessions before."""
    with closing(new_account(pair.sleeper.url, pair.sleeper.database_url)) as account:
        for caller in (account, account.at(pair.other.url)):
            wait_until(lambda caller=caller: caller.http.get("/v1/me").status_code == 200, 30, "it answers")
        yield account
    pair.sleeper.resume()  # where a test failed before it did
    audit_now(pair.sleeper.database_url)


def end_silent_sessions(database_url: str) -> None:
    """End the sessions that have said nothing for a while, as the server does by itself after `wait_timeout`."""
    # The list has the sessions' statements, whose bytes need not be UTF-8; in ASCII the server makes them readable.
    sessions = execute(database_url, "SET NAMES ascii", "SHOW PROCESSLIST")
    silent = [row for row in sessions if row[4] == "Sleep" and int(str(row[5])) >= 1]
    for session, *_ in silent:
        # It may have ended by itself since.
        with suppress(asyncmy.errors.Error):
            execute(database_url, f"KILL {session}")


def test_row_14_stopped_after_reading_it_finds_the_last_unit_gone(pair: Pair, asleep: Account) -> None:
    put_stock(asleep, on_hand=1)
    conflicts = counted(pair.sleeper, "holdfast_conflicts_total", table="stock_items")
    pair.fuse.lay("read", signal.SIGSTOP)
    with ThreadPoolExecutor(max_workers=1) as thread:
        late = thread.submit(hold, asleep, UNIT)
        wait_until_stopped(pair.sleeper)
        early = hold(asleep.at(pair.other.url), UNIT)
        pair.sleeper.resume()
        assert early.status_code == 201, early.text
        refused(late.result(), "inventory-unavailable")
    assert counted(pair.sleeper, "holdfast_conflicts_total", table="stock_items") == conflicts + 1
    assert stock_counts(asleep) == (1, 0, 0)


def test_row_14_stopped_before_commit_until_its_session_was_ended_it_starts_anew(pair: Pair, asleep: Account) -> None:
    put_stock(asleep, on_hand=1)
    pair.fuse.lay("written", signal.SIGSTOP)
    with ThreadPoolExecutor(max_workers=2) as thread:
        late = thread.submit(hold, asleep, UNIT)
        wait_until_stopped(pair.sleeper)
        # It holds the row's lock. The database ends a session that says nothing; until then others wait for the row.
        early = thread.submit(hold, asleep.at(pair.other.url), UNIT)

        def is_served() -> bool:
            end_silent_sessions(asleep.database_url)
            return early.done()

        wait_until(is_served, 30, "the session that held the row was ended")
        answer = early.result()
        pair.sleeper.resume()
        assert answer.status_code == 201, answer.text
        # Should its deadline have passed, it says so; else it has seen that the unit is gone.
        assert late.result().status_code in {409, 503}, late.result().text
    assert stock_counts(asleep) == (1, 0, 0)


def test_row_14_stopped_after_commit_its_effect_is_replayed_by_another(pair: Pair, asleep: Account) -> None:
    put_stock(asleep, on_hand=5)
    key = new_idempotency_key()
    pair.fuse.lay("committed", signal.SIGSTOP)
    with ThreadPoolExecutor(max_workers=1) as thread:
        late = thread.submit(hold, asleep, UNIT, key)
        wait_until_stopped(pair.sleeper)
        answer = hold(asleep.at(pair.other.url), UNIT, key=key)
        pair.sleeper.resume()
        assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")
        # Should its deadline have passed, it says 503 `same_key`; else it gives the answer that it has.
        assert late.result().status_code == 503 or late.result().content == answer.content
    assert stock_counts(asleep) == (1, 0, 4)


def test_row_14_worker_stopped_in_a_sweep_cannot_end_what_was_confirmed_meanwhile(pair: Pair, asleep: Account) -> None:
    put_stock(asleep, on_hand=5)
    other = asleep.at(pair.other.url)
    with fused_worker(asleep.database_url, ENVIRONMENT) as (worker, fuse):
        fuse.lay("read", signal.SIGSTOP, "ExpireReservation")
        reference = held(other, UNIT, hold_seconds=1)["reference"]
        wait_until_stopped(worker)
        # Over, but nobody has its unit: a late confirm is in time.
        answer = act(other, reference, "confirm", {"late": "if_available"})
        worker.resume()
        assert answer.status_code == 200, answer.text
        swept = held(other, UNIT, hold_seconds=1)["reference"]
        wait_until(lambda: read(other, swept)["state"] == "expired", 30, "the worker goes on")
    assert [change["action"] for change in history(other, reference)] in (
        ["create", "confirm"],
        ["create", "expire", "confirm"],
    )
    assert read(other, reference)["state"] == "confirmed"
    assert stock_counts(other) == (0, 1, 4)


def test_row_14_process_stopped_while_it_writes_to_sqlite_holds_up_the_server_and_no_longer() -> None:
    # The server's own sweep comes by once a minute: it is the worker that ends the hold.
    seldom = ENVIRONMENT | {"HOLDFAST_SWEEP_INTERVAL_MS": "60000", "HOLDFAST_DEADLINE_SECONDS": "2"}
    with (
        sqlite_database() as url,
        start_service(url, env=seldom) as service,
        closing(new_account(service.url, url)) as account,
        fused_worker(url, ENVIRONMENT) as (worker, fuse),
    ):
        put_stock(account, on_hand=5)
        fuse.lay("written", signal.SIGSTOP, "ExpireReservation")
        lapsing = held(account, UNIT, hold_seconds=1)["reference"]
        wait_until_stopped(worker)
        key = new_idempotency_key()
        refused(hold(account, UNIT, key=key), "store-unavailable")
        assert read(account, lapsing)["state"] == "held", "readers do not wait for a writer"
        worker.resume()
        answers = [hold(account, UNIT, key=key)]
        wait_until(lambda: answers[-1].status_code == 201 or answers.append(hold(account, UNIT, key=key)), 30)
        wait_until(lambda: stock_counts(account) == (1, 0, 4), 30)
        assert [change["action"] for change in history(account, lapsing)] == ["create", "expire"]
