"""Tells the database which rows this process fights for, so that operators see those of all processes in one place.

Nothing decides by it, and it must never delay or fail a batch: a report is a small transaction of its own, at most one
every two seconds, and one that fails is left out. Of a process that dies, what it told last stops being shown soon
(SHOWN_MS), and is purged.
"""

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Final

import structlog

from service.database.errors import StoreError
from service.database.store import Store
from service.database.transaction import Transaction
from service.database.transactional import transactional
from service.engine.hot_rows import HotRow, HotRows
from service.engine.row_locks import RowLocks
from service.refusals import Refusal

log = structlog.get_logger(__name__)

REPORT_SECONDS: Final = 2.0
LEAVE_SECONDS: Final = 2.0
"""Taking back what was told must not keep an ending process; what stays is purged."""

ROWS_MOST: Final = 100
SHOWN_MS: Final = 10_000
"""Five reports. What is older was told by a process that lives no more, or that cannot reach the database."""

KEPT_MS: Final = 60_000

COLUMNS: Final = (
    *("process", "table_name", "row_id", "score", "conflicts"),
    *("locks", "lock_timeouts", "lock_wait_ms", "seen_at"),
)


class HotRowReport:
    """What one process tells. `start` before the first batch, `stop` after the last."""

    def __init__(self, store: Store, hot_rows: HotRows, row_locks: RowLocks) -> None:
        self._store = store
        self._hot_rows = hot_rows
        self._row_locks = row_locks
        self._process = b""
        self._told = False
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._process = f"{socket.gethostname()[:200]}:{os.getpid()}".encode()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Tell no more, and take back what was told."""
        self._stopping.set()
        if self._task is None:
            return
        done, _ = await asyncio.wait([self._task], timeout=LEAVE_SECONDS)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._told:
            try:
                async with asyncio.timeout(LEAVE_SECONDS):
                    await replace_hot_rows(self._store, self._process, [])
            except (Refusal, StoreError, TimeoutError) as error:
                log.info("hot_rows_left_behind", error=type(error).__name__)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.tell()
            except (Refusal, StoreError) as error:
                log.info("hot_rows_untold", error=type(error).__name__)
            except Exception:
                log.exception("hot_rows_untold")
            try:
                async with asyncio.timeout(REPORT_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def tell(self) -> None:
        """Write what is hot or has just cooled in the place of what was told before, if there is either."""
        hot = self._hot_rows.report(ROWS_MOST)
        if not hot and not self._told:
            return
        self._told = True  # also if it fails: nobody knows how far it came
        await replace_hot_rows(self._store, self._process, [self._row(each) for each in hot])
        self._told = bool(hot)

    def _row(self, hot: HotRow) -> tuple[object, ...]:
        table, row_id = hot.row
        counts = self._row_locks.counts(hot.row)
        lock_facts = (counts.taken, counts.timed_out, round(counts.wait_ms))
        return (self._process, table.encode(), row_id, hot.score, hot.conflicts, *lock_facts)


@transactional
async def replace_hot_rows(transaction: Transaction, process: bytes, rows: Sequence[tuple[object, ...]]) -> None:
    """What a process tells, in the order of COLUMNS but for `seen_at`: now, by the database's clock."""
    now = await transaction.now_ms()
    await transaction.change("DELETE FROM hot_rows WHERE process = ?", (process,))
    await transaction.insert("hot_rows", COLUMNS, [(*row, now) for row in rows])


@transactional
async def purge_hot_rows(transaction: Transaction) -> int:
    """Delete what processes told that live no more; how many rows."""
    before = await transaction.now_ms() - KEPT_MS
    gone = await transaction.rows("SELECT DISTINCT process FROM hot_rows WHERE seen_at < ?", (before,))
    # One by one and by the key: a scan would wait for the rows that others write.
    sql = "DELETE FROM hot_rows WHERE process = ? AND seen_at < ?"
    return sum([await transaction.change(sql, (bytes(row[0]), before)) for row in gone])
