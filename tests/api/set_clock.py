"""Launcher: the service whose database's clock stands where a test has set it, and whose worker comes when called.

`python -m tests.api.set_clock serve …` or `… worker`. Time and calls are in the file HOLDFAST_TEST_CLOCK, of which the
test holds a `SetClock`. Only what decides by the database's clock gets the set time; deadlines pass as always.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from service import cli
from service.database.drivers import Row, Values
from service.database.transaction import Transaction
from service.outbox.sequencer import sequence
from service.reservations.promotion import Promoter
from service.reservations.sweep import sweep_lapsed
from service.worker import Worker
from tests.polling import wait_until

WIDTH = 20
LOOK_S = 0.002


class SetClock:
    """The file: the time in milliseconds, how often the worker was called, how often it has been."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT)

    def read(self, place: int) -> int:
        return int(os.pread(self._file, WIDTH, place * WIDTH) or 0)

    def write(self, place: int, value: int) -> None:
        # One system call of a few bytes in one page: a reader sees the old number or the new one.
        os.pwrite(self._file, str(value).zfill(WIDTH).encode(), place * WIDTH)

    @property
    def now(self) -> int:
        return self.read(0)

    def set(self, now: int) -> None:
        self.write(0, now)
        self.write(1, self.read(1))
        self.write(2, self.read(2))

    def call_the_worker(self) -> None:
        """Returns when it has done all that there was to do."""
        called = self.read(1) + 1
        self.write(1, called)
        wait_until(lambda: self.read(2) >= called, what="the worker's round")

    def close(self) -> None:
        os.close(self._file)


async def come_when_called(self: Worker, clock: SetClock) -> None:
    """In place of the worker's loops."""
    promoter = Promoter(self._store, self._engine)
    while not self._stopping.is_set():
        called = clock.read(1)
        if called > clock.read(2):
            while await sweep_lapsed(self._store, self._engine, self._settings.sweep_batch):
                continue
            while await promoter.round():
                continue
            await sequence(self._store)
            clock.write(2, called)
        await asyncio.sleep(LOOK_S)


if __name__ == "__main__":
    clock = SetClock(Path(os.environ["HOLDFAST_TEST_CLOCK"]))

    async def set_time(_: Transaction) -> int:
        return clock.now

    read_rows_at = Transaction.rows_at

    async def at_set_time(self: Transaction, sql: str, values: Values = ()) -> tuple[int, Sequence[Row]]:
        return clock.now, (await read_rows_at(self, sql, values))[1]

    async def run(self: Any) -> None:
        await come_when_called(self, clock)

    Transaction.now_ms = set_time
    Transaction.rows_at = at_set_time
    Worker.run = run
    cli.main()
