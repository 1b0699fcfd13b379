"""The two drivers behind one small face: statements go to them directly, the pool alone is SQLAlchemy's.

Measured on MariaDB: a statement through SQLAlchemy's Connection costs about 140 µs of processor time in this process,
one through the driver 40; a batch has a dozen. Values are tuples, texts are UTF-8 bytes, rows are tuples.
"""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import aiosqlite
from asyncmy.connection import Connection as MysqlConnection
from asyncmy.errors import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Sequence[Any]
Values = tuple[Any, ...]

SERVER_LOST = 2013


class Driver(Protocol):
    """What a transaction needs of its connection. Errors are the driver's own; `errors.translate` knows them."""

    session_id: int | None

    async def rows(self, sql: str, values: Values) -> Sequence[Row]:
        """All rows of a SELECT."""

    async def change(self, sql: str, values: Values) -> int:
        """The number of rows that a statement matched."""

    async def many(self, sql: str, rows: Sequence[Values]) -> None:
        """One statement for many rows, in one trip where the server can."""

    async def commit(self) -> None:
        """COMMIT."""

    async def rollback(self) -> None:
        """ROLLBACK."""


class MysqlDriver:
    """asyncmy. A transaction begins with its first statement; statements are prepared and kept by the connection."""

    def __init__(self, connection: MysqlConnection) -> None:
        self._connection = connection
        self.session_id: int | None = connection.thread_id()

    async def rows(self, sql: str, values: Values) -> Sequence[Row]:
        cursor = self._connection.cursor()
        await self._execute(cursor.execute, sql, values)
        return cast("Sequence[Row]", await cursor.fetchall())

    async def change(self, sql: str, values: Values) -> int:
        cursor = self._connection.cursor()
        await self._execute(cursor.execute, sql, values)
        return cast("int", cursor.rowcount)

    async def many(self, sql: str, rows: Sequence[Values]) -> None:
        await self._execute(self._connection.cursor().executemany, sql, rows)

    async def _execute(self, execute: Any, sql: str, values: Any) -> None:  # noqa: ANN401 - a method of the driver
        try:
            await execute(sql, values)
        except AttributeError as error:  # what asyncmy raises when its socket was closed under it
            if self._connection.connected:
                raise
            raise OperationalError(SERVER_LOST, "the connection was closed") from error

    async def commit(self) -> None:
        await self._connection.commit()

    async def rollback(self) -> None:
        await self._connection.rollback()


class SqliteDriver:
    """aiosqlite: one thread a connection, and one hop to it and back for each call here."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self.session_id: int | None = None

    async def rows(self, sql: str, values: Values) -> Sequence[Row]:
        return cast("Sequence[Row]", await self._connection.execute_fetchall(sql, values))

    async def change(self, sql: str, values: Values) -> int:
        cursor = await self._connection.execute(sql, values)
        return cursor.rowcount

    async def many(self, sql: str, rows: Sequence[Values]) -> None:
        await self._connection.executemany(sql, rows)

    async def commit(self) -> None:
        await self._connection.commit()

    async def rollback(self) -> None:
        await self._connection.rollback()


def driver_of(connection: AsyncConnection) -> Driver:
    """The driver's side of a connection that the pool has given out."""
    pooled = connection.sync_connection
    raw = None if pooled is None else pooled.connection.driver_connection
    if isinstance(raw, aiosqlite.Connection):
        return SqliteDriver(raw)
    if raw is None:
        raise TypeError(type(connection).__name__)
    return MysqlDriver(cast("MysqlConnection", raw))
