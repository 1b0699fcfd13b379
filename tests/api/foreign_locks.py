"""Other people's locks, for tests of a store that does not answer: real ones, of a session that is not the service's.

Nothing is changed under them, and they end with the block. What is locked is said by each.
"""

import asyncio
import fcntl
import sqlite3
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncmy
from sqlalchemy import make_url

from tests.accounts import Account

T = TypeVar("T")

SQLITE_WAIT_S = 30.0


def is_sqlite(database_url: str) -> bool:
    return database_url.startswith("sqlite")


def sqlite_path(database_url: str) -> Path:
    """The database's file."""
    return Path(make_url(database_url).database or "")


@contextmanager
def stock_locked(*accounts: Account) -> Iterator[None]:
    """Nobody can change these accounts' stock items, of one database, before the block ends; on SQLite nothing at all.

    MySQL: a session that has locked the rows. SQLite: another process that has the writers' lock.
    """
    with _locked("stock_items", accounts):
        yield


@contextmanager
def events_locked(*accounts: Account) -> Iterator[None]:
    """Nobody can change the definitions of these accounts' events before the block ends; the same way."""
    with _locked("events", accounts):
        yield


@contextmanager
def _locked(table: str, accounts: Sequence[Account]) -> Iterator[None]:
    url = accounts[0].database_url
    if is_sqlite(url):
        with writers_locked(url):
            yield
        return
    ids = ", ".join(f"x'{account.id.hex()}'" for account in accounts)
    with rows_locked(url, f"SELECT id FROM {table} WHERE account_id IN ({ids})"):
        yield


@contextmanager
def writers_locked(database_url: str) -> Iterator[None]:
    """Holds the lock file of a SQLite database, as every process does that writes to it."""
    with Path(f"{sqlite_path(database_url)}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def file_locked(database_url: str) -> Iterator[None]:
    """Holds SQLite's own lock of a database, as a program does that knows nothing of the service's lock file."""
    connection = sqlite3.connect(sqlite_path(database_url), timeout=SQLITE_WAIT_S, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@contextmanager
def rows_locked(database_url: str, select: str) -> Iterator[None]:
    """Holds the locks of the rows that a SELECT finds, in a MySQL session of its own."""
    with ThreadPoolExecutor(max_workers=1) as thread, asyncio.Runner() as runner:

        def run(work: Coroutine[Any, Any, T]) -> T:
            return thread.submit(runner.run, work).result()

        connection = run(_lock_rows(database_url, f"{select} FOR UPDATE"))
        try:
            yield
        finally:
            run(connection.ensure_closed())


async def _lock_rows(database_url: str, statement: str) -> Any:
    url = make_url(database_url)
    connection = await asyncmy.connect(
        host=url.host, port=url.port or 3306, user=url.username, password=url.password or "", db=url.database
    )
    async with connection.cursor() as cursor:
        # Without locks of gaps, so that other tests' rows stay free.
        await cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        await cursor.execute("BEGIN")
        await cursor.execute(statement)
        assert await cursor.fetchall(), f"nothing to lock: {statement}"
    return connection
