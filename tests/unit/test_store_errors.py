"""What errors of the databases mean, by their codes: with the exceptions that the drivers really raise.

MySQL's come from error packets as a server sends them, through asyncmy's own reader; SQLite's from SQLite.
"""

import asyncio
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import asyncmy.errors
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.database.errors import (
    CommitUnknown,
    Conflict,
    Disconnected,
    DuplicateKey,
    StoreError,
    StoreUnreachable,
    error_code,
    translate,
)

# As the manuals name them; `None`: no failure of the store but a bug, which must show itself as it is.
MEANINGS: dict[type[StoreError] | None, dict[str, int]] = {
    DuplicateKey: {"ER_DUP_ENTRY": 1062, "ER_DUP_ENTRY_WITH_KEY_NAME": 1586},
    Conflict: {
        "ER_CHECKREAD": 1020,
        "ER_ERROR_DURING_COMMIT": 1180,
        "ER_LOCK_WAIT_TIMEOUT": 1205,
        "ER_LOCK_DEADLOCK": 1213,
        "ER_TRANSACTION_ROLLBACK_DURING_COMMIT": 3101,
        "ER_LOCK_NOWAIT": 3572,
    },
    Disconnected: {
        "ER_SERVER_SHUTDOWN": 1053,
        "ER_QUERY_INTERRUPTED": 1317,
        "ER_CONNECTION_KILLED": 1927,
        "CR_SERVER_GONE_ERROR": 2006,
        "CR_SERVER_LOST": 2013,
        "CR_COMMANDS_OUT_OF_SYNC": 2014,
        "CR_MALFORMED_PACKET": 2027,
        "CR_SERVER_LOST_EXTENDED": 2055,
        "ER_SESSION_WAS_KILLED": 3169,
        "ER_CLIENT_INTERACTION_TIMEOUT": 4031,
    },
    StoreUnreachable: {
        "EE_WRITE": 3,
        "ER_DISK_FULL": 1021,
        "ER_ERROR_ON_WRITE": 1026,
        "ER_GET_ERRNO": 1030,
        "ER_CON_COUNT_ERROR": 1040,
        "ER_OUT_OF_RESOURCES": 1041,
        "ER_ACCESS_DENIED_ERROR": 1045,
        "ER_UNKNOWN_COM_ERROR (Galera: not ready)": 1047,
        "ER_RECORD_FILE_FULL": 1114,
        "ER_LOCK_TABLE_FULL": 1206,
        "ER_OPTION_PREVENTS_STATEMENT (read-only)": 1290,
        "ER_TOO_MANY_CONCURRENT_TRXS": 1637,
        "ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION": 1792,
        "ER_READ_ONLY_MODE": 1836,
        "ER_STATEMENT_TIMEOUT": 1969,
        "CR_CONN_HOST_ERROR": 2003,
        "ER_QUERY_TIMEOUT": 3024,
        "ER_SERVER_OFFLINE_MODE": 3032,
        "ER_RUN_HOOK_ERROR": 3100,
    },
    None: {
        "ER_BAD_NULL_ERROR": 1048,
        "ER_BAD_FIELD_ERROR": 1054,
        "ER_PARSE_ERROR": 1064,
        "ER_NO_SUCH_TABLE": 1146,
        "ER_NET_PACKET_TOO_LARGE": 1153,
        "ER_WARN_DATA_OUT_OF_RANGE": 1264,
        "ER_DATA_TOO_LONG": 1406,
        "ER_CHECK_CONSTRAINT_VIOLATED": 3819,
        "ER_CONSTRAINT_FAILED (MariaDB)": 4025,
    },
}
CASES = [
    pytest.param(code, meaning, id=f"{name} {code}")
    for meaning, codes in MEANINGS.items()
    for name, code in codes.items()
]


def packet_error(code: int) -> Exception:
    """What asyncmy raises for a server's error packet with this code."""
    packet = b"\xff" + struct.pack("<H", code) + b"#HY000" + b"said by the server"
    with pytest.raises(asyncmy.errors.MySQLError) as raised:
        asyncmy.errors.raise_mysql_exception(packet)
    return raised.value


@pytest.mark.parametrize(("code", "meaning"), CASES)
def test_error_of_the_server_means(code: int, meaning: type[StoreError] | None) -> None:
    error = packet_error(code)
    assert error_code(error) == code
    found = translate(error)
    assert found is error if meaning is None else type(found) is meaning


@pytest.mark.parametrize(("code", "meaning"), CASES)
def test_error_means_the_same_through_the_pool(code: int, meaning: type[StoreError] | None) -> None:
    """SQLAlchemy wraps it in a class of its own choice, which must not matter."""
    error = OperationalError("INSERT INTO batches …", {}, packet_error(code))
    found = translate(error)
    assert found is error if meaning is None else type(found) is meaning


def test_class_of_the_driver_does_not_matter() -> None:
    """The driver gives CHECKs and deadlocks one class, and duplicates and NULLs another one."""
    assert type(packet_error(1213)) is type(packet_error(3819)) is asyncmy.errors.OperationalError
    assert type(packet_error(1062)) is type(packet_error(1048)) is asyncmy.errors.IntegrityError


DRIVERS_OWN = {
    "not connected": asyncmy.errors.InterfaceError(0, "Not connected"),
    "packets out of order": asyncmy.errors.InternalError("Packet sequence number wrong - got 3 expected 1"),
    "gone": asyncmy.errors.OperationalError(2006, "MySQL server has gone away"),
    "reset": ConnectionResetError(104, "Connection reset by peer"),
    "refused": ConnectionRefusedError(111, "Connection refused"),
    "half a packet": asyncio.IncompleteReadError(b"", 4),
}


@pytest.mark.parametrize("error", DRIVERS_OWN.values(), ids=DRIVERS_OWN)
def test_broken_connection_is_disconnected(error: Exception) -> None:
    assert type(translate(error)) is Disconnected


def test_connection_that_the_pool_has_given_up_is_disconnected() -> None:
    error = OperationalError("SELECT 1", {}, packet_error(1064), connection_invalidated=True)
    assert type(translate(error)) is Disconnected


@pytest.mark.parametrize("error", [PoolTimeoutError("QueuePool limit"), TimeoutError()], ids=["pool", "deadline"])
def test_no_connection_in_time_is_unreachable(error: Exception) -> None:
    assert type(translate(error)) is StoreUnreachable


@pytest.mark.parametrize(
    "error", [Conflict("a"), DuplicateKey("a"), Disconnected("a"), StoreUnreachable("a"), CommitUnknown("a")]
)
def test_meaning_is_translated_to_itself(error: StoreError) -> None:
    assert translate(error) is error


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), AttributeError("x"), asyncio.CancelledError()])
def test_what_is_no_error_of_a_database_stays_what_it_is(error: BaseException) -> None:
    assert translate(error) is error


def test_duplicate_is_a_conflict_to_who_decides_anew() -> None:
    assert issubclass(DuplicateKey, Conflict)
    assert not issubclass(Disconnected, Conflict)
    assert not issubclass(StoreUnreachable, Disconnected)


def test_meaning_does_not_repeat_the_statement_or_its_values() -> None:
    error = OperationalError("INSERT … VALUES (?)", ("hf_prefix_secret",), packet_error(1213))
    assert str(translate(error)) == "error 1213"


TABLE = """
CREATE TABLE kept (
  id INTEGER PRIMARY KEY, code BLOB NOT NULL UNIQUE, number INTEGER NOT NULL CHECK (number >= 0)
) STRICT
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one row."""
    path = tmp_path / "errors.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(TABLE)
        connection.execute("INSERT INTO kept VALUES (1, x'01', 0)")
        connection.commit()
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        yield connection


def opened_read_only(path: Path) -> None:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.execute("DELETE FROM kept")


def told_to_query_only(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("DELETE FROM kept")


def full(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.execute("INSERT INTO kept VALUES (2, zeroblob(1000000), 0)")


def no_database(path: Path) -> None:
    path.write_bytes(b"a text that is long enough to be looked at as the head of a database\n" * 100)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM kept")


def damaged(path: Path) -> None:
    head = bytearray(path.read_bytes())
    head[4096:] = b"\xff" * (len(head) - 4096)
    path.write_bytes(head)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM kept").fetchall()


def nowhere(path: Path) -> None:
    with closing(sqlite3.connect(path / "none" / "errors.sqlite3")) as connection:
        connection.execute("SELECT 1")


def locked(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as first:
        first.execute("BEGIN IMMEDIATE")
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as second:
            second.execute("BEGIN IMMEDIATE")


def overtaken(path: Path) -> None:
    """A transaction that has read and then wants to write what another one has written since (no wait cures it)."""
    with (
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as first,
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as second,
    ):
        first.execute("PRAGMA journal_mode = WAL")
        first.execute("BEGIN")
        first.execute("SELECT * FROM kept").fetchall()
        second.execute("UPDATE kept SET number = 1")
        first.execute("UPDATE kept SET number = 2")


FILES: dict[str, tuple[Callable[[Path], None], str, type[StoreError]]] = {
    "another writes": (locked, "SQLITE_BUSY", Conflict),
    "another has written": (overtaken, "SQLITE_BUSY_SNAPSHOT", Conflict),
    "opened to be read": (opened_read_only, "SQLITE_READONLY", StoreUnreachable),
    "told to query only": (told_to_query_only, "SQLITE_READONLY", StoreUnreachable),
    "full": (full, "SQLITE_FULL", StoreUnreachable),
    "no database": (no_database, "SQLITE_NOTADB", StoreUnreachable),
    "damaged": (damaged, "SQLITE_CORRUPT", StoreUnreachable),
    "nowhere": (nowhere, "SQLITE_CANTOPEN", StoreUnreachable),
}


@pytest.mark.parametrize(("fail", "name", "meaning"), FILES.values(), ids=FILES)
def test_sqlite_file_that_is(path: Path, fail: Callable[[Path], None], name: str, meaning: type[StoreError]) -> None:
    with pytest.raises(sqlite3.Error) as raised:
        fail(path)
    assert raised.value.sqlite_errorname == name
    assert type(translate(raised.value)) is meaning


STATEMENTS: dict[str, tuple[str, type[StoreError] | None]] = {
    "a unique value twice": ("INSERT INTO kept VALUES (2, x'01', 0)", DuplicateKey),
    "a primary key twice": ("INSERT INTO kept VALUES (1, x'02', 0)", DuplicateKey),
    "a broken CHECK": ("INSERT INTO kept VALUES (2, x'02', -1)", None),
    "a missing value": ("INSERT INTO kept VALUES (2, NULL, 0)", None),
    "another type": ("INSERT INTO kept VALUES (2, x'02', 'many')", None),
    "a wrong statement": ("INSERT INTO kept", None),
    "no such table": ("SELECT * FROM lost", None),
}


@pytest.mark.parametrize(("statement", "meaning"), STATEMENTS.values(), ids=STATEMENTS)
def test_sqlite_statement_with(
    connection: sqlite3.Connection, statement: str, meaning: type[StoreError] | None
) -> None:
    with pytest.raises(sqlite3.Error) as raised:
        connection.execute(statement)
    found = translate(raised.value)
    assert found is raised.value if meaning is None else type(found) is meaning


def test_sqlite_error_means_the_same_through_the_pool(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        with pytest.raises(DBAPIError) as duplicate:
            connection.exec_driver_sql("INSERT INTO kept VALUES (2, x'01', 0)")
        with pytest.raises(DBAPIError) as check:
            connection.exec_driver_sql("INSERT INTO kept VALUES (2, x'02', -1)")
    engine.dispose()
    assert type(translate(duplicate.value)) is DuplicateKey
    assert translate(check.value) is check.value
