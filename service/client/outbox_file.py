"""The outbox's file: which requests there are and what became of them, whatever dies. `outbox.py` says what is done.

SQLite, and what a method has written is on the disk when it returns: `synchronous = EXTRA` is FULL and, after a commit,
the directory as well, without which a power failure could bring a finished journal back. A file that a process died in
is rolled back by whoever opens it next. Every method opens the file for itself, so threads and processes may share it;
who sends holds an operating system's lock beside it, which goes with its process.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from service.client.calls import AnyCall, Call
from service.client.problems import HoldfastError
from service.client.replies import Reply

APPLICATION_ID: Final = 0x48464F42  # "HFOB", in the file's header
VERSION: Final = 1
BUSY_S: Final = 30.0

State = Literal["waiting", "in_doubt", "answered"]

_SCHEMA: Final = (
    """CREATE TABLE entries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        method TEXT NOT NULL,
        route TEXT NOT NULL,
        target TEXT NOT NULL,
        body BLOB,
        if_match INTEGER,
        natural_key TEXT,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'in_doubt', 'answered')),
        added_at REAL NOT NULL,
        first_sent_at REAL,
        status INTEGER,
        headers BLOB,
        answer BLOB,
        answered_at REAL,
        looked_up INTEGER NOT NULL DEFAULT 0,
        CHECK ((state = 'answered') = (status IS NOT NULL))
    )""",
    "CREATE INDEX entries_by_state ON entries (state, number)",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
_COLUMNS: Final = (
    "number, key, method, route, target, body, if_match, natural_key,"
    " state, added_at, first_sent_at, status, headers, answer, answered_at, looked_up"
)
_WORDS: Final = {
    sqlite3.SQLITE_NOTADB: "is no outbox, and was left as it is: take another path",
    sqlite3.SQLITE_CORRUPT: "is damaged: keep a copy of it, and take another path",
    sqlite3.SQLITE_READONLY: "may not be written: give this user the rights to the file and its directory",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its directory must exist, and this user must have the rights to it",
    sqlite3.SQLITE_FULL: "finds no room on its disk: what it holds is safe, and this was not kept",
    sqlite3.SQLITE_IOERR: "cannot be read or written by its disk: what was kept before is safe, and this was not",
    sqlite3.SQLITE_BUSY: f"has been in somebody's use for {BUSY_S:g} s",
}
_PRIMARY_CODE: Final = 0xFF  # the rest of a code are its details


class OutboxError(HoldfastError):
    """The outbox cannot do what it was asked; nothing that it has kept is lost. `key` where it is about one request."""

    def __init__(self, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class OutboxBusy(OutboxError):
    """Another thread or process is sending from this file."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the outbox, and its answer once it has one. Times are seconds since 1970 by this device's clock."""

    number: int
    key: str
    call: AnyCall
    state: State
    added_at: float
    first_sent_at: float | None
    reply: Reply | None
    answered_at: float | None
    looked_up: bool  # the answer is the reservation as it was found by its natural key, not the first answer


class OutboxFile:
    """The file at `path`, made if there is none. Raises OutboxError, as every method does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._transaction("rwc") as database:
            self._require_own(database)
        # A new file lasts only with its name in the directory; one that another process has just made, too.
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def add(self, call: AnyCall, now: float) -> Entry:
        """The entry, new, or the one that has the call's key already."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO entries (key, method, route, target, body, if_match, natural_key, state, added_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?) ON CONFLICT (key) DO NOTHING",
                (call.key, call.method, call.route, call.target, call.body, call.if_match, call.natural_key, now),
            )
            return self._entries(database, "key = ?", call.key)[0]

    def find(self, key: str) -> Entry | None:
        with self._transaction() as database:
            return next(iter(self._entries(database, "key = ?", key)), None)

    def entries(self, *states: State) -> list[Entry]:
        """Those in these states, in the order in which they were added."""
        marks = ", ".join("?" * len(states))
        with self._transaction() as database:
            return self._entries(database, f"state IN ({marks})", *states)

    def first_waiting(self) -> Entry | None:
        with self._transaction() as database:
            first = "number = (SELECT min(number) FROM entries WHERE state = 'waiting')"
            return next(iter(self._entries(database, first)), None)

    def mark_sent(self, number: int, now: float) -> None:
        """From now on it may have been carried out. The first time stays."""
        self._change("UPDATE entries SET first_sent_at = coalesce(first_sent_at, ?) WHERE number = ?", now, number)

    def set_aside(self, number: int) -> None:
        self._change("UPDATE entries SET state = 'in_doubt' WHERE number = ? AND state = 'waiting'", number)

    def take_back(self, key: str) -> bool:
        """Whether one that was set aside waits again, as if it had never been sent."""
        return self._change(
            "UPDATE entries SET state = 'waiting', first_sent_at = NULL WHERE key = ? AND state = 'in_doubt'", key
        )

    def keep_answer(self, number: int, reply: Reply, now: float, *, looked_up: bool) -> None:
        """The entry is answered; nothing happens where it has been dropped meanwhile."""
        self._change(
            "UPDATE entries SET state = 'answered', status = ?, headers = ?, answer = ?, answered_at = ?, looked_up = ?"
            " WHERE number = ? AND state <> 'answered'",
            reply.status,
            msgspec.json.encode(dict(reply.headers)),
            reply.body,
            now,
            int(looked_up),
            number,
        )

    def delete(self, key: str, *states: State) -> bool:
        """Whether there was one with this key in one of these states."""
        marks = ", ".join("?" * len(states))
        return self._change(f"DELETE FROM entries WHERE key = ? AND state IN ({marks})", key, *states)  # noqa: S608 - marks only

    def delete_answered(self, before: float) -> int:
        """How many were answered before that."""
        with self._transaction() as database:
            gone = database.execute("DELETE FROM entries WHERE state = 'answered' AND answered_at < ?", (before,))
            return gone.rowcount

    def note_clock(self, now: float, tolerance_s: float) -> None:
        """Remember the clock; where it has gone back, how old the sent ones are is unknown, and they count as old."""
        with self._transaction() as database:
            seen = self._fact(database, "clock")
            if seen is not None and now < seen - tolerance_s:
                database.execute(
                    "UPDATE entries SET first_sent_at = 0 WHERE first_sent_at IS NOT NULL AND state <> 'answered'"
                )
            self._set_fact(database, "clock", now)

    def keep_least(self, name: str, value: float) -> None:
        """A fact that only gets smaller."""
        with self._transaction() as database:
            known = self._fact(database, name)
            if known is None or value < known:
                self._set_fact(database, name, value)

    def keep_first(self, name: str, value: str) -> str:
        """A fact that stays as it was first; what it is."""
        with self._transaction() as database:
            known: str | None = self._fact(database, name)
            if known is None:
                self._set_fact(database, name, value)
            return value if known is None else known

    def fact(self, name: str) -> Any:  # noqa: ANN401 - text or number, as it was kept
        with self._transaction() as database:
            return self._fact(database, name)

    @contextmanager
    def sending(self, *, wait: bool) -> Iterator[None]:
        """Nobody else sends from this file. Raises OutboxBusy where somebody does, unless it is to be waited for."""
        path = self._path.with_name(f"{self._path.name}.sending")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutboxError(f"{path}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise OutboxBusy(f"{self._path}: another thread or process is sending from it") from None
            yield
        finally:
            os.close(descriptor)

    def _change(self, statement: str, *values: object) -> bool:
        with self._transaction() as database:
            return database.execute(statement, values).rowcount > 0

    @staticmethod
    def _entries(database: sqlite3.Connection, condition: str, *values: object) -> list[Entry]:
        statement = f"SELECT {_COLUMNS} FROM entries WHERE {condition} ORDER BY number"  # noqa: S608 - our own words
        return [_entry(row) for row in database.execute(statement, values)]

    @staticmethod
    def _fact(database: sqlite3.Connection, name: str) -> Any:  # noqa: ANN401 - text or number, as it was kept
        row = database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    @staticmethod
    def _set_fact(database: sqlite3.Connection, name: str, value: str | float) -> None:
        database.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))

    def _require_own(self, database: sqlite3.Connection) -> None:
        """Makes the tables in an empty file. Raises OutboxError where it is of another kind or a later version."""
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if (application, version, tables) == (0, 0, 0):
            self._path.chmod(0o600)  # what customers have booked is nobody else's business
            for statement in _SCHEMA:
                database.execute(statement)
        elif application != APPLICATION_ID:
            raise OutboxError(f"{self._path} is another program's database, and was left as it is: take another path")
        elif version > VERSION:
            raise OutboxError(
                f"{self._path} was written by a later version of Holdfast (its format is {version}, this version knows"
                f" {VERSION}), and was left as it is: install that version again"
            )
        # To write is the only way to learn that it can be written, before something depends on it.
        database.execute("INSERT OR REPLACE INTO facts (name, value) VALUES ('opened', 1)")

    @contextmanager
    def _transaction(self, mode: Literal["rw", "rwc"] = "rw") -> Iterator[sqlite3.Connection]:
        """All of the block or nothing; it is on the disk when the block is over."""
        try:
            # Never `rwc` later: a file that vanished must not come back empty, as if nothing had waited.
            uri = f"file:{quote(str(self._path))}?mode={mode}"
            with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous = EXTRA")
                database.execute("PRAGMA fullfsync = ON")  # macOS and iOS, where fsync alone does not reach the disk
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
            raise OutboxError(f"{self._path} {_WORDS.get(code, 'cannot be used')} ({error})") from error


def _entry(row: Sequence[Any]) -> Entry:
    (number, key, method, route, target, body, if_match, natural_key, state, added_at, first_sent_at) = row[:11]
    status, headers, answer, answered_at, looked_up = row[11:]
    return Entry(
        number=number,
        key=key,
        call=Call(
            method=method,
            route=route,
            target=target,
            answer=Any,
            body=body,
            key=key,
            if_match=if_match,
            natural_key=natural_key,
        ),
        state=state,
        added_at=added_at,
        first_sent_at=first_sent_at,
        reply=None if status is None else Reply(status, msgspec.json.decode(headers, type=dict[str, str]), answer),
        answered_at=answered_at,
        looked_up=bool(looked_up),
    )
