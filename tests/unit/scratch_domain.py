"""A small business of its own for tests of the engine: counters that never fall below zero, in a real SQLite file.

`Counters` is a whole Domain: it reads, decides and writes under versions. What others do is up to the test: a rival
who is first on a row so many times, a gate that keeps a batch inside, a file that has no more room.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from structlog.testing import capture_logs

from service.database.migrations import upgrade
from service.database.store import Store
from service.database.transaction import Transaction
from service.engine.batch import Attempt, BatchRunner, RowsChanged
from service.engine.hot_rows import HotRows, Row
from service.engine.lanes import Lanes
from service.engine.row_locks import RowLocks
from service.engine.waiting import Waiting
from service.ids import new_id
from service.settings import Settings
from tests.unit.builders import ACCOUNT, identifier

_migrated: list[bytes] = []


class Add(msgspec.Struct, frozen=True):
    """Change a counter; one that would fall below zero breaks its CHECK, which no rule of the business foresees.

    `again` inserts the counter once more: a unique key refuses it, and does not say in whose way it is.
    """

    counter: str
    amount: int = 1
    again: bool = False


class Counters:
    """The Domain. `attempts` are the batches that it was given, each try anew."""

    def __init__(self) -> None:
        self.attempts: list[list[Add]] = []
        self.rivals: Counter[str] = Counter()
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.committed_answers = 0
        self.room_ends = False
        self.ends_anyway = False
        self.counts_wrong = False

    async def attempt(
        self, transaction: Transaction, commands: Sequence[Add], _batch_id: bytes, _lock_rows: frozenset[Row]
    ) -> Attempt[int]:
        self.attempts.append(list(commands))
        self.begun.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            if not self.ends_anyway:
                raise
        if self.room_ends:
            await transaction.rows("PRAGMA max_page_count = 1")
            await transaction.change("INSERT INTO counters VALUES (?, ?, 0, 1)", (new_id(), b"x" * 100_000))
        rows = {row[1].decode(): list(row) for row in await transaction.rows("SELECT * FROM counters")}
        answers = []
        for command in commands:
            rows[command.counter][2] += command.amount
            answers.append(rows[command.counter][2])
        for command in commands:
            if command.again:
                row = (identifier(command.counter), b"", 0, 1)
                await transaction.insert("counters", ("id", "name", "value", "version"), [row])
        for counter in sorted({command.counter for command in commands}):
            await self._write(transaction, rows[counter], commands)
        return Attempt(answers)

    async def _write(self, transaction: Transaction, row: list[Any], commands: Sequence[Add]) -> None:
        row_id, name, value, version = row
        counter = name.decode()
        if self.rivals[counter]:
            self.rivals[counter] -= 1
            await transaction.change("UPDATE counters SET version = version + 1 WHERE id = ?", (row_id,))
        sql = "UPDATE counters SET value = ?, version = version + 1 WHERE id = ? AND version = ?"
        if await transaction.change(sql, (value, row_id, version)) != 1:
            positions = frozenset(place for place, command in enumerate(commands) if command.counter == counter)
            raise RowsChanged("another was first", frozenset({("counters", bytes(row_id))}), positions)

    def committed(self, attempt: Attempt[int]) -> None:
        if self.counts_wrong:
            raise ArithmeticError
        self.committed_answers += len(attempt.answers)


class Engine:
    """Lanes and a runner over `Counters` in a file of its own."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.logged: list[Any] = []
        self.domain = Counters()
        self.hot_rows = HotRows(settings.hot_row_conflicts)
        locks = RowLocks("", settings.hot_row_lock_ms)
        runner: BatchRunner[Add, int] = BatchRunner(
            store, self.domain, self.hot_rows, locks, settings.conflict_retries_max
        )
        self.runner = runner
        self.lanes: Lanes[Add, int] = Lanes(runner, settings)

    def submit(self, counter: str, amount: int = 1, **facts: Any) -> "asyncio.Future[int]":
        usual: dict[str, Any] = {"account_id": ACCOUNT, "lane_key": counter, "weight": 1, "size": 100}
        return self.lanes.enqueue(Add(counter, amount), **usual | facts)

    async def values(self) -> dict[str, int]:
        """What is committed."""
        async with self.store.read() as reader:
            return {
                row[0].decode(): row[1] for row in await reader.rows("SELECT name, value FROM counters ORDER BY id")
            }


@asynccontextmanager
async def engine(directory: Path, counters: str = "abcd", **given: Any) -> AsyncIterator[Engine]:
    """An engine whose counters stand at 0, its lanes started; drained at the end."""
    settings = Settings(database_url=f"sqlite+aiosqlite:///{directory / 'counters.sqlite3'}", **given)
    if not _migrated:
        await upgrade(settings)
    _fill(directory / "counters.sqlite3")
    store = Store(settings)
    try:
        async with store.begin(new_id()) as transaction:
            await transaction.change(
                "CREATE TABLE counters "
                "(id BLOB PRIMARY KEY, name BLOB, value INTEGER CHECK (value >= 0), version INTEGER)"
            )
            rows = [(identifier(name), name.encode(), 0, 1) for name in counters]
            await transaction.insert("counters", ("id", "name", "value", "version"), rows)
        made = Engine(store, settings)
        made.lanes.start()
        try:
            with capture_logs() as made.logged:
                yield made
        finally:
            made.domain.gate.set()
            await made.lanes.drain()
    finally:
        await store.close()


def _fill(path: Path) -> None:
    """The schema by its migrations, once; then copies of that file."""
    if not _migrated:
        _migrated.append(path.read_bytes())
    path.write_bytes(_migrated[0])


def waiting(
    counter: str, amount: int = 1, *, again: bool = False, seconds: float = 10, lane_key: Hashable = None
) -> Waiting[Add, int]:
    """A command with so many seconds to its deadline, for a runner without lanes."""
    deadline = asyncio.get_running_loop().time() + seconds
    return Waiting(
        Add(counter, amount, again),
        account_id=ACCOUNT,
        lane_key=lane_key or counter,
        weight=1,
        size=100,
        deadline=deadline,
    )
