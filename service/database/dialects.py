"""What differs between SQLite and the MySQL family, in one place: placeholders, clock, locks, session setup."""

import time
from typing import Any

import msgspec
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from service.settings import Settings

STATEMENTS_CACHED = 512


class Dialect(msgspec.Struct, frozen=True):
    """One store's way of saying things. `clock` is None where only the host has a clock (SQLite)."""

    name: str
    placeholder: str
    clock: str | None  # an expression: milliseconds since the epoch
    for_update: str
    by_index: str  # behind a table's name: read it by this index and no other
    rows_max: int  # placeholders of one statement, minus a reserve


SQLITE = Dialect(
    name="sqlite",
    placeholder="?",
    clock=None,
    for_update="",
    by_index=" INDEXED BY {}",
    rows_max=32_000,
)
MYSQL = Dialect(
    name="mysql",
    placeholder="%s",
    clock="CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
    for_update=" FOR UPDATE",
    by_index=" FORCE INDEX ({})",
    rows_max=65_000,
)

SQL_MODE = (
    "STRICT_TRANS_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
IDLE_SECONDS = 30
"""Server-side life of a silent session: a stopped process must not keep row locks for eight hours."""


def mysql_session_statement(settings: Settings) -> str:
    """One SET for every new connection, writers and readers alike."""
    return (
        f"SET SESSION innodb_lock_wait_timeout = {settings.lock_wait_seconds}, wait_timeout = {IDLE_SECONDS}, "
        f"sql_mode = '{SQL_MODE}', time_zone = '+00:00'"
    )


BELIEVED_SECONDS = IDLE_SECONDS - 5
"""A connection that was silent for longer may have been ended by its server."""


class Trust:
    """Which pooled connections are believed to live: those that were made after one last died, and not long silent.

    By their silence and not by their age: what is used lives on, with all the statements that it has prepared.
    """

    def __init__(self) -> None:
        self._since = 0.0

    def withdraw(self) -> None:
        """All that were made until now are not believed in any more."""
        self._since = time.monotonic()

    def watch(self, engine: AsyncEngine) -> None:
        """From now on the engine's pool gives out trusted connections only."""

        def made(_connection: object, record: Any) -> None:  # noqa: ANN401 - the pool's own type
            record.info["made_at"] = record.info["used_at"] = time.monotonic()

        def used(_connection: object, record: Any) -> None:  # noqa: ANN401
            record.info["used_at"] = time.monotonic()

        def look(_connection: object, record: Any, _proxy: object) -> None:  # noqa: ANN401
            if record.info["made_at"] < self._since:
                raise InvalidatePoolError
            if time.monotonic() - record.info["used_at"] > BELIEVED_SECONDS:
                raise DisconnectionError

        event.listen(engine.sync_engine, "connect", made)
        event.listen(engine.sync_engine, "checkin", used)
        event.listen(engine.sync_engine, "checkout", look)


def create_mysql_engine(settings: Settings, *, autocommit: bool) -> AsyncEngine:
    """A pool of connections: for transactions (READ COMMITTED), or for single reads (autocommit)."""
    return create_async_engine(
        settings.database_url,
        isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
        skip_autocommit_rollback=autocommit,
        pool_size=settings.pool_connections,
        max_overflow=0,
        pool_timeout=settings.deadline_seconds,
        # Every transaction here ends by its own COMMIT or ROLLBACK; a second one would be one more round trip.
        pool_reset_on_return=None,
        connect_args={
            "connect_timeout": 5,
            "charset": "utf8mb4",
            "init_command": mysql_session_statement(settings),
            # Prepared statements: half the processor time of escaping values into text.
            "stmt_cache_size": STATEMENTS_CACHED,
        },
    )


def create_sqlite_engine(settings: Settings, *, readonly: bool) -> AsyncEngine:
    """The one writer (BEGIN IMMEDIATE), or a few readers that cannot write."""
    engine = create_async_engine(
        settings.database_url,
        pool_size=4 if readonly else 1,
        max_overflow=0,
        pool_timeout=settings.deadline_seconds,
        pool_reset_on_return="rollback" if readonly else None,
        connect_args={"timeout": 5},
    )

    def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 5000")
        if readonly:
            cursor.execute("PRAGMA query_only = ON")
        else:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    event.listen(engine.sync_engine, "connect", prepare)
    return engine
