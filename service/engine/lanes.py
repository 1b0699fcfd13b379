"""Lanes: commands for the same rows wait in the same one, and a lane runs one batch at a time.

A batch is everything that waits when the lane becomes free, within bounds; no timer: a command alone leaves at once.
Which of it: `queues.py`.
Queues are bounded: a full one refuses at once, and no account may fill it alone.
The transaction runs in the lane's own task: a client that goes away stops waiting, and cancels nothing.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Hashable
from functools import lru_cache
from typing import Generic, TypeVar
from zlib import crc32

import structlog

from service.engine.batch import BatchRunner
from service.engine.queues import Batch, Queues
from service.engine.waiting import Waiting
from service.metrics import QUEUE_DEPTH
from service.refusals import Overloaded, StoreUnavailable
from service.settings import Settings

C = TypeVar("C")
A = TypeVar("A")
log = structlog.get_logger(__name__)


class Lanes(Generic[C, A]):
    """The queues of one process in front of one batch runner."""

    def __init__(self, runner: BatchRunner[C, A], settings: Settings) -> None:
        self._runner = runner
        self._settings = settings
        # One writer is all that SQLite has.
        count = 1 if settings.is_sqlite else settings.lanes
        self._queues: Queues[C, A] = Queues(count, settings)
        self._wake = [asyncio.Event() for _ in range(count)]
        self._by_account: Counter[bytes] = Counter()
        self._inside = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._open = True
        self._ended = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._run(number), name=f"lane-{number}") for number in range(len(self._wake))
        ]

    def enqueue(
        self, command: C, *, account_id: bytes, lane_key: Hashable, weight: int, size: int
    ) -> asyncio.Future[A]:
        """The future answer of `command`. Raises Overloaded (the queue is full), StoreUnavailable (shutting down)."""
        if not self._open:
            raise StoreUnavailable(retry_after_s=1)
        limit = self._settings.queue_commands_max
        if self._inside >= limit or self._by_account[account_id] >= limit // 2:
            raise Overloaded(retry_after_s=1)
        deadline = asyncio.get_running_loop().time() + self._settings.deadline_seconds
        waiting: Waiting[C, A] = Waiting(
            command, account_id=account_id, lane_key=lane_key, weight=weight, size=size, deadline=deadline
        )
        self._enter(account_id)
        lane = _lane_number(lane_key, len(self._wake))
        if self._queues.put(lane, waiting):
            self._wake_all()
        self._wake[lane].set()
        return waiting.answer

    def _wake_all(self) -> None:
        for wake in self._wake:
            wake.set()

    def _enter(self, account_id: bytes) -> None:
        self._inside += 1
        self._by_account[account_id] += 1
        self._idle.clear()
        QUEUE_DEPTH.inc()

    def _leave(self, answered: Collection[Waiting[C, A]]) -> None:
        """Those who have their answers make room, a batch at a time."""
        for waiting in answered:
            self._by_account[waiting.account_id] -= 1
            if not self._by_account[waiting.account_id]:
                del self._by_account[waiting.account_id]
        self._inside -= len(answered)
        QUEUE_DEPTH.dec(len(answered))
        if not self._inside:
            self._idle.set()

    async def _run(self, number: int) -> None:
        wake = self._wake[number]
        while not self._ended:
            await wake.wait()
            wake.clear()
            while batch := self._next(number):
                try:
                    await self._runner.run(batch.waiting)
                finally:
                    self._queues.end(batch)
                    self._leave(batch.waiting)
                    self._wake_all()

    def _next(self, number: int) -> Batch[C, A] | None:
        return None if self._ended else self._queues.take(number)

    async def drain(self) -> None:
        """Take no more commands, let those inside finish, end the lanes."""
        self._open = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._idle.wait()
        # Cancelling may come in the middle of a COMMIT, which finds out what became of it and goes on.
        self._ended = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        left = self._queues.empty()
        for waiting in left:
            waiting.fail(StoreUnavailable(retry_after_s=1))
        self._leave(left)


@lru_cache(maxsize=4096)
def _lane_number(lane_key: Hashable, lanes: int) -> int:
    return crc32(repr(lane_key).encode()) % lanes
