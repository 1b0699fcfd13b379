"""Row 19, and the embedded store under several writers: the disk fills up, commands write beside the server and die.

One file, many processes: it is never corrupt, and what did not fit is refused and done later.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.accounts import Account, new_account
from tests.api.contract import refused
from tests.api.foreign_locks import sqlite_path
from tests.api.reading import at_once, references, stock_counts
from tests.faults.conftest import ENVIRONMENT
from tests.faults.fused import LAUNCHER as FUSE
from tests.faults.fused import fuse
from tests.faults.patient import Customers, is_retryable
from tests.make import hold, new_idempotency_key, put_stock, wait_until
from tests.process import ChildProcess
from tests.races.databases import audit_now, sqlite_database
from tests.races.launched import launch_service
from tests.running import ROOT, RunningService, run_cli, service_environment

UNIT = [{"sku": "NW-001", "quantity": 1}]
HOLDS_MAX = 500
OTHER_STOCK = {"description": "Chang", "on_hand": 1, "amount": 100, "currency": "USD"}


@pytest.fixture(scope="module")
def embedded() -> Iterator[RunningService]:
    """A server on SQLite whose disk can be made full."""
    with sqlite_database() as url, launch_service("tests.faults.full_disk", url, ENVIRONMENT) as service:
        yield service


@pytest.fixture
def account(embedded: RunningService) -> Iterator[Account]:
    """A new account; afterwards the file is whole and clean."""
    with closing(new_account(embedded.url, embedded.database_url)) as account:
        yield account
    assert_file_is_whole(embedded.database_url)
    audit_now(embedded.database_url)


def assert_file_is_whole(database_url: str) -> None:
    with closing(sqlite3.connect(sqlite_path(database_url))) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def hold_until_full(account: Account) -> str:
    """The key of the first hold that was refused because there was no room for it."""
    for _ in range(HOLDS_MAX):
        key = new_idempotency_key()
        answer = hold(account, UNIT, key=key)
        if answer.status_code == 503:
            refused(answer, "store-unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
            return key
        assert answer.status_code == 201, answer.text
    raise AssertionError(f"{HOLDS_MAX} holds, and the disk is not full")


def test_row_19_full_disk_is_503_and_what_was_refused_is_done_once_there_is_room(
    embedded: RunningService, account: Account
) -> None:
    put_stock(account, on_hand=10_000)
    for _ in range(5):
        assert hold(account, UNIT).status_code == 201
    os.kill(embedded.process.pid, signal.SIGUSR1)
    key = hold_until_full(account)
    held = stock_counts(account)[0]
    refused(hold(account, UNIT, key=key), "store-unavailable")
    refused(account.http.put("/v1/stock/other", json=OTHER_STOCK), "store-unavailable")
    # Who only reads is served.
    assert len(references(account, limit=500)) == held >= 5
    assert account.http.get("/readyz").status_code == 200
    os.kill(embedded.process.pid, signal.SIGUSR2)
    answers: list[httpx.Response] = [hold(account, UNIT, key=key)]
    wait_until(lambda: not is_retryable(answers[-1]) or answers.append(hold(account, UNIT, key=key)), 30)
    assert answers[-1].status_code == 201, answers[-1].text
    assert answers[-1].headers["Idempotent-Replayed"] == "false", "nothing was stored while there was no room"
    assert stock_counts(account) == (held + 1, 0, 10_000 - held - 1)


def test_row_19_killed_on_a_full_disk_it_starts_again_and_loses_nothing(
    embedded: RunningService, account: Account
) -> None:
    put_stock(account, on_hand=10_000)
    for _ in range(5):
        assert hold(account, UNIT).status_code == 201
    os.kill(embedded.process.pid, signal.SIGUSR1)
    key = hold_until_full(account)
    held = stock_counts(account)[0]
    embedded.kill()
    assert_file_is_whole(embedded.database_url)
    embedded.start()
    answer = hold(account, UNIT, key=key)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "false")
    assert stock_counts(account)[0] == held + 1


def test_row_19_disk_that_is_full_now_and_then_under_load_loses_and_doubles_nothing(
    embedded: RunningService, account: Account
) -> None:
    with Customers([account]) as customers:
        for _ in range(2):
            refused_before = customers.tries_refused
            os.kill(embedded.process.pid, signal.SIGUSR1)
            wait_until(lambda before=refused_before: customers.tries_refused > before, 60)
            os.kill(embedded.process.pid, signal.SIGUSR2)
            customers.wait_for(10)
    customers.settle()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files to import: 100 seats, 40 stock items."""
    seats = [f"201,{row},{number},1,12500,EUR,1.5,2.5" for row in "ABCDE" for number in range(1, 21)]
    items = [f"I-{number},Item {number},{number},100,USD" for number in range(40)]
    found = {"seats": tmp_path / "seats.csv", "stock": tmp_path / "stock.csv"}
    found["seats"].write_text("\n".join(["section,row,seat,category,price_minor,currency,x,y", *seats, ""]))
    found["stock"].write_text("\n".join(["sku,description,on_hand,price_minor,currency", *items, ""]))
    return found


def test_commands_that_write_while_the_server_is_under_load_all_succeed(
    embedded: RunningService, account: Account, files: dict[str, Path]
) -> None:
    owner = ["--account", account.name]
    name = ["--name", "Final", "--starts-at", "2097-06-05T19:00:00Z"]
    commands = [
        ["accounts", "create", f"{account.name}-b"],
        ["keys", "create", account.name, "--name", "second", "--scope", "ops"],
        ["import", "seats", "final", str(files["seats"]), *owner, *name],
        ["import", "stock", str(files["stock"]), *owner],
    ]
    with Customers([account], threads=3) as customers:
        customers.wait_for(5)
        done = at_once(
            [lambda command=command: run_cli(*command, database_url=embedded.database_url) for command in commands]
        )
        customers.wait_for(5)
    for command, ended in zip(commands, done, strict=True):
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    customers.settle()
    assert len(account.http.get("/v1/events/final/seats", params={"limit": 500}).json()["seats"]) == 100
    assert stock_counts(account, "I-39") == (0, 0, 39)


@pytest.mark.parametrize("place", ["written", "committed"])
def test_import_killed_while_the_server_is_under_load_is_finished_by_the_next(
    embedded: RunningService, account: Account, files: dict[str, Path], place: str
) -> None:
    command = ["import", "stock", str(files["stock"]), "--account", account.name]
    with fuse() as its_fuse, Customers([account], threads=3) as customers:
        its_fuse.lay(place, signal.SIGKILL, "PutStock")
        killed = ChildProcess(
            [sys.executable, "-m", FUSE, *command],
            log_path=files["stock"].with_suffix(".log"),
            environment=service_environment(embedded.database_url, its_fuse.environment),
            directory=ROOT,
        )
        killed.start()
        wait_until(lambda: not killed.is_running, 60, "the import was killed")
        assert killed.exit_code == -signal.SIGKILL, killed.log_tail()
        customers.wait_for(5)
        again = run_cli(*command, database_url=embedded.database_url)
        assert again.returncode == 0, again.stderr
    customers.settle()
    assert stock_counts(account, "I-39") == (0, 0, 39)
