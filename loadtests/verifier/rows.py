"""SQL against a database at rest: one connection, one snapshot, pages of rows. Synchronous, whoever calls."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, Protocol

import asyncmy
from sqlalchemy import URL, make_url

Row = tuple[Any, ...]

PAGE = 500


class Rows(Protocol):
    """Reads the snapshot. `?` stands for a value in every store's SQL."""

    def select(self, sql: str, values: Sequence[object] = ()) -> Sequence[Row]:
        """The rows of one statement."""
        ...


class _SqliteRows:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        self._connection.execute("BEGIN")

    def select(self, sql: str, values: Sequence[object] = ()) -> Sequence[Row]:
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        self._connection.close()


class _MysqlRows:
    """The driver wants an event loop: it has one of its own, in a thread of its own."""

    def __init__(self, url: URL) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="verifier")
        self._loop = asyncio.new_event_loop()
        self._connection = self._run(self._connect(url))

    def select(self, sql: str, values: Sequence[object] = ()) -> Sequence[Row]:
        found: list[Row] = self._run(self._select(sql.replace("?", "%s"), values))
        return found

    def close(self) -> None:
        self._run(self._connection.ensure_closed())
        self._thread.submit(self._loop.close).result()
        self._thread.shutdown()

    def _run(self, work: Any) -> Any:  # noqa: ANN401 - whatever the coroutine gives
        return self._thread.submit(self._loop.run_until_complete, work).result()

    async def _connect(self, url: URL) -> Any:  # noqa: ANN401 - the driver's own type
        connection = await asyncmy.connect(
            host=url.host, port=url.port or 3306, user=url.username, password=url.password or "", db=url.database
        )
        async with connection.cursor() as cursor:
            await cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            await cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        return connection

    async def _select(self, sql: str, values: Sequence[object]) -> list[Row]:
        async with self._connection.cursor() as cursor:
            await cursor.execute(sql, tuple(values))
            return list(await cursor.fetchall())


@contextmanager
def open_rows(database_url: str) -> Iterator[Rows]:
    """One snapshot of the database at this URL."""
    url = make_url(database_url)
    rows = _SqliteRows(url.database or "") if url.drivername.startswith("sqlite") else _MysqlRows(url)
    with closing(rows):
        yield rows


def pages(rows: Rows, sql: str, account_id: bytes) -> Iterator[Sequence[Row]]:
    """The account's rows in pages; `sql` takes the account and an id, and orders by the id, its first column."""
    last = b""
    while page := rows.select(f"{sql} LIMIT {PAGE}", (account_id, last)):
        yield page
        last = bytes(page[-1][0])


def text(value: bytes | None) -> str | None:
    """A column of text."""
    return None if value is None else bytes(value).decode()
