"""The embedded store: settings of its connections, one writer at a time whatever its process, waits that end."""

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from service.database.errors import StoreError, StoreUnreachable
from service.database.file_lock import FileLock
from service.database.session import SessionError, verify_session
from service.database.store import Store, open_store
from service.ids import new_id
from service.settings import Settings
from tests.accounts import Account, new_account
from tests.api.contract import refused
from tests.api.foreign_locks import file_locked, sqlite_path, writers_locked
from tests.api.reading import stock_counts
from tests.make import hold, new_idempotency_key, put_stock, wait_until
from tests.process import ChildProcess
from tests.races.databases import sqlite_database
from tests.running import RunningService, run_cli, start_service

UNIT = [{"sku": "NW-001", "quantity": 1}]
DEADLINE_S = 1
STOCK = 1000

HOLD_THE_LOCK = """
import fcntl, signal, sys
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
signal.pause()
"""


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with sqlite_database() as url:
        yield url


@pytest.fixture(scope="module")
def embedded(database_url: str) -> Iterator[RunningService]:
    """A server whose requests wait a second."""
    with start_service(database_url, env={"HOLDFAST_DEADLINE_SECONDS": str(DEADLINE_S)}) as service:
        yield service


@pytest.fixture
def account(embedded: RunningService) -> Iterator[Account]:
    with closing(new_account(embedded.url, embedded.database_url)) as account:
        put_stock(account, on_hand=STOCK)
        yield account


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """The store in this process, opened as a command does it."""
    settings = msgspec.structs.replace(Settings(), database_url=database_url, deadline_seconds=DEADLINE_S)
    opened = await open_store(settings)
    yield opened
    await opened.close()


async def pragmas(store: Store, *, of_writer: bool) -> dict[str, object]:
    names = ("journal_mode", "synchronous", "busy_timeout", "query_only")
    async with store.begin(new_id()) if of_writer else store.read() as connection:
        return {name: (await connection.rows(f"PRAGMA {name}"))[0][0] for name in names}


async def test_writer_is_durable_and_readers_cannot_write(store: Store) -> None:
    full = 2
    assert await pragmas(store, of_writer=True) == {
        "journal_mode": "wal",
        "synchronous": full,
        "busy_timeout": 5000,
        "query_only": 0,
    }
    reader = await pragmas(store, of_writer=False)
    assert (reader["journal_mode"], reader["query_only"]) == ("wal", 1)
    with pytest.raises(StoreError):
        async with store.read() as connection:
            await connection.change("DELETE FROM batches")


async def test_file_whose_journal_is_no_write_ahead_log_is_refused(tmp_path: Path) -> None:
    """As on a drive that cannot share memory, where SQLite keeps the mode that it had."""
    settings = msgspec.structs.replace(Settings(), database_url=f"sqlite+aiosqlite:///{tmp_path}/other.sqlite3")
    store = Store(settings)
    async with store.read() as reader:
        await verify_session(reader, settings)
        await reader.rows("PRAGMA journal_mode = MEMORY")
        with pytest.raises(SessionError, match="journal_mode is memory, must be wal"):
            await verify_session(reader, settings)
    await store.close()


async def test_transaction_that_has_begun_is_the_only_one_that_writes(store: Store) -> None:
    """`BEGIN IMMEDIATE`: the right to write comes first, so that no later statement can be refused."""
    async with store.begin(new_id()):
        with closing(sqlite3.connect(sqlite_path(store.settings.database_url), timeout=0)) as other:
            with pytest.raises(sqlite3.OperationalError) as busy:
                other.execute("BEGIN IMMEDIATE")
            assert busy.value.sqlite_errorname == "SQLITE_BUSY"
            assert other.execute("SELECT COUNT(*) FROM accounts").fetchone() is not None, "readers go on"


async def test_two_transactions_of_one_process_take_turns(store: Store) -> None:
    inside = 0

    async def write() -> None:
        nonlocal inside
        async with store.begin(new_id()) as transaction:
            inside += 1
            assert inside == 1
            await transaction.rows("SELECT COUNT(*) FROM batches")
            inside -= 1

    await asyncio.gather(*(write() for _ in range(50)))


async def test_wait_for_the_lock_of_another_process_ends_and_names_the_file(store: Store) -> None:
    began = time.monotonic()
    with writers_locked(store.settings.database_url):
        with pytest.raises(StoreUnreachable, match=r"another process .* writing to holdfast\.sqlite3\.lock"):
            async with store.begin(new_id()):
                raise AssertionError("two writers")
        assert DEADLINE_S - 0.1 <= time.monotonic() - began < DEADLINE_S + 5
    async with store.begin(new_id()) as transaction:
        assert await transaction.rows("SELECT 1")


async def test_store_that_is_closed_while_another_process_writes_keeps_what_it_committed(database_url: str) -> None:
    settings = Settings(database_url=database_url, deadline_seconds=DEADLINE_S)
    opened = await open_store(settings)
    batch_id = new_id()
    async with opened.begin(batch_id) as transaction:
        await transaction.change("DELETE FROM accounts WHERE name = ?", (b"nobody",))
    with writers_locked(database_url):
        await opened.close()
    with closing(sqlite3.connect(sqlite_path(database_url))) as database:
        assert database.execute("SELECT COUNT(*) FROM batches WHERE id = ?", (batch_id,)).fetchall() == [(1,)]


async def test_who_stops_waiting_leaves_the_lock_to_the_next(tmp_path: Path) -> None:
    holder, waiter = FileLock(tmp_path / "lock", 10), FileLock(tmp_path / "lock", 10)
    await holder.acquire()
    given_up = asyncio.create_task(waiter.acquire())
    await asyncio.wait([given_up], timeout=0.05)
    given_up.cancel()
    await asyncio.wait([given_up])
    assert given_up.cancelled()
    next_one = asyncio.create_task(waiter.acquire())
    await asyncio.wait([next_one], timeout=0.05)
    assert not next_one.done()
    holder.release()
    await next_one
    waiter.release()
    holder.close()
    waiter.close()


async def test_lock_that_cannot_be_opened_is_a_store_that_cannot_be_reached(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "none" / "lock", DEADLINE_S)
    for _ in range(2):  # it is not left half taken
        with pytest.raises(StoreUnreachable, match="cannot lock lock: No such file"):
            await lock.acquire()


def test_lock_of_a_process_that_was_killed_is_free_at_once(account: Account, tmp_path: Path) -> None:
    lock = f"{sqlite_path(account.database_url)}.lock"
    holder = ChildProcess([sys.executable, "-c", HOLD_THE_LOCK, lock], log_path=tmp_path / "log")
    holder.start()
    try:
        wait_until(lambda: hold(account, UNIT).status_code == 503, 30, "the lock is held")
    finally:
        holder.kill()
    response = hold(account, UNIT)
    assert response.status_code == 201, response.text


def test_request_that_meets_another_writer_is_refused_in_time_and_done_later(account: Account) -> None:
    key = new_idempotency_key()
    with writers_locked(account.database_url):
        response = hold(account, UNIT, key=key)
        refused(response, "store-unavailable")
        assert int(response.headers["Retry-After"]) >= 1
        assert DEADLINE_S - 0.1 <= response.elapsed.total_seconds() < DEADLINE_S + 5
        assert stock_counts(account) == (0, 0, STOCK)
    for replayed in ("false", "true"):
        again = hold(account, UNIT, key=key)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, replayed), again.text
    assert stock_counts(account) == (1, 0, STOCK - 1)


def test_program_that_knows_nothing_of_the_lock_file_is_waited_for(account: Account) -> None:
    """Such as a backup, or the shell of SQLite with an open transaction."""
    key = new_idempotency_key()
    with file_locked(account.database_url):
        refused(hold(account, UNIT, key=key), "store-unavailable")
    assert hold(account, UNIT, key=key).status_code == 201
    assert stock_counts(account) == (1, 0, STOCK - 1)


def test_server_and_commands_write_at_once_and_none_fails(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "stock.csv"
    rows = "".join(f"IM-{number:03},Imported,{number},100,USD\n" for number in range(200))
    file.write_text(f"sku,description,on_hand,price_minor,currency\n{rows}")
    with (
        start_service(database_url) as service,
        closing(new_account(service.url, database_url)) as account,
        ThreadPoolExecutor(8) as threads,
    ):
        put_stock(account, on_hand=STOCK)
        commands = [
            threads.submit(run_cli, *arguments, database_url=database_url)
            for arguments in (
                ("import", "stock", str(file), "--account", account.name),
                ("accounts", "create", f"beside-{account.name}"),
            )
        ]
        made = 0
        while not all(command.done() for command in commands):
            answers = list(threads.map(lambda _: hold(account, UNIT, hold_seconds=1), range(5)))
            assert {answer.status_code for answer in answers} <= {201, 409}, [answer.text for answer in answers]
            made += sum(answer.status_code == 201 for answer in answers)
        for command in commands:
            done = command.result()
            assert done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"
        assert made > 0
        wait_until(lambda: stock_counts(account) == (0, 0, STOCK), 30, "all of these short holds are swept")
        assert account.http.get("/v1/stock/IM-199").status_code == 200
