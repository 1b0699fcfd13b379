"""What a database error means, by its code: never by its class, which drivers choose differently.

Above this module nobody sees a driver's exception: a transaction raises one of the StoreErrors here, or a bug's own
error.
"""

import asyncio
import sqlite3
from typing import Final

from asyncmy.errors import InternalError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class StoreError(Exception):
    """A failure of the store that is no bug of the caller; the transaction is rolled back."""


class Conflict(StoreError):
    """Another transaction was first: read again, decide again. `rows` names the rows that were in the way, if known."""

    def __init__(self, reason: str, rows: frozenset[tuple[str, bytes]] = frozenset()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rows = rows


class DuplicateKey(Conflict):
    """A unique key refused a row (1062). It does not say reliably which key."""


class Disconnected(StoreError):
    """The connection died; what it had not committed is rolled back by the server."""


class StoreUnreachable(StoreError):
    """No connection can be had, or the server refuses to write.

    Full, read-only, shutting down, too many connections.
    """


class CommitUnknown(StoreError):
    """The connection died during COMMIT and the marker could not be looked up in time.

    Never answer as if either were true.
    """


MYSQL_CONFLICTS: Final = frozenset(
    {
        1020,  # record changed since last read (MariaDB 11.6+, snapshot)
        1205,  # lock wait timeout
        1213,  # deadlock
        1180,  # error during COMMIT
        3101,  # plugin asked to roll back (Group Replication)
        3572,  # lock not available, NOWAIT
    }
)
MYSQL_DUPLICATES: Final = frozenset({1062, 1586})
MYSQL_DISCONNECTS: Final = frozenset(
    {
        0,  # asyncmy: not connected
        1053,  # server shutdown in progress
        1317,  # query interrupted
        1927,  # connection was killed (MariaDB)
        2006,
        2013,
        2014,
        2027,
        2045,
        2055,
        3169,  # session was killed
        4031,  # disconnected by the server because of inactivity
    }
)
MYSQL_UNREACHABLE: Final = frozenset(
    {
        3,  # error writing file
        28,  # no space left on device
        1021,  # disk full
        1026,  # error writing file
        1030,  # error of the storage engine, a full disk among them
        1040,  # too many connections
        1041,  # out of memory
        1044,
        1045,  # access denied
        1047,  # node not ready (Galera)
        1114,  # table is full
        1135,  # cannot create thread
        1158,
        1159,
        1160,
        1161,
        1203,
        1206,  # no room for more row locks
        1226,
        1290,  # read-only server
        1637,  # too many transactions at once
        1792,
        1836,
        1969,  # longer than the server allows (MariaDB)
        2002,
        2003,  # cannot connect
        2005,
        3024,  # longer than the server allows
        3032,  # server in offline mode
        3100,
    }
)


def translate(error: BaseException) -> BaseException:  # noqa: PLR0911 - one return a kind
    """The StoreError that `error` means, or `error` itself where it is a bug (a CHECK, a wrong statement)."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, (PoolTimeoutError, asyncio.TimeoutError)):
        return StoreUnreachable("no free connection in time")
    if isinstance(error, DBAPIError):
        cause = error.orig
        if isinstance(cause, sqlite3.Error):
            return _translate_sqlite(cause, error)
        return _translate_mysql(cause, error)
    if isinstance(error, sqlite3.Error):
        return _translate_sqlite(error, error)
    if isinstance(error, (OSError, EOFError)):
        return Disconnected(f"{type(error).__name__} while talking to the database")
    if type(error).__module__.startswith("asyncmy"):
        return _translate_mysql(error, error)
    return error


def error_code(error: BaseException | None) -> int | None:
    """The number that the server or the driver gave the error, if it has one."""
    arguments = getattr(error, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _translate_mysql(  # noqa: PLR0911 - one return a kind
    cause: BaseException | None, error: BaseException
) -> BaseException:
    code = error_code(cause)
    text = f"error {code}"
    if code in MYSQL_DUPLICATES:
        return DuplicateKey(text)
    if code in MYSQL_CONFLICTS:
        return Conflict(text)
    if code in MYSQL_DISCONNECTS:
        return Disconnected(text)
    if code in MYSQL_UNREACHABLE:
        return StoreUnreachable(text)
    if code is None and isinstance(cause, InternalError):  # the packets of the connection are out of order
        return Disconnected("broken protocol")
    if isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(cause, (OSError, EOFError))):
        return Disconnected(text)
    return error


def _translate_sqlite(cause: sqlite3.Error, error: BaseException) -> BaseException:
    name = getattr(cause, "sqlite_errorname", "") or ""
    if name in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}:
        return DuplicateKey(name)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Conflict(name)
    if name.startswith(
        ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_NOTADB")
    ):
        return StoreUnreachable(name)
    return error
