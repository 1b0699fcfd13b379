"""A short Redis lock on a hot row, taken before the transaction that will touch it (R9).

It only saves wasted work: it may be lost, expire early or never be granted, and the versions still decide.
While a process waits for it, its lane fills, so that its next batch is larger. Cold rows never come here.
Lanes of one process that meet on a hot row wait for each other first, without asking anybody outside.
"""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import msgspec
import structlog

from service.engine.hot_rows import Row
from service.metrics import HOT_ROW_LOCKS

if TYPE_CHECKING:
    from service.engine.redis_locks import RedisLocks

log = structlog.get_logger(__name__)

BREAK_SECONDS = 2.0
"""After a failure Redis is left alone this long: an outage must not cost every batch a time-out."""

LOCK_NAME = "holdfast:hot:{table}:{row}"

COUNTED_MOST = 1000


class RedisLost(Exception):
    """Redis did not answer, not in time, or with an error. The message is what kind of error."""


class LockCounts(msgspec.Struct):
    """Locks of one row: taken, by Redis or in the database; not granted in time; and how long Redis was waited for."""

    taken: int = 0
    timed_out: int = 0
    wait_ms: float = 0


def _redis_locks(url: str) -> "RedisLocks":
    from service.engine.redis_locks import RedisLocks  # noqa: PLC0415 - costs every start more than its use

    return RedisLocks(url)


class RowLocks:
    """Locks of one process. Without Redis, or while it fails, rows are handed back to be locked in the database."""

    def __init__(self, redis_url: str, lock_ms: int) -> None:
        self._lock_ms = lock_ms
        self._closed_until = 0.0
        self._counts: dict[Row, LockCounts] = {}  # the longest not asked for first
        # Gone as soon as no lane holds or awaits it.
        self._lane_locks: WeakValueDictionary[Row, asyncio.Lock] = WeakValueDictionary()
        self._redis = _redis_locks(redis_url) if redis_url else None

    @asynccontextmanager
    async def hold(self, rows: frozenset[Row]) -> AsyncIterator[frozenset[Row]]:
        """Hold the rows' locks for the block, in sorted order; yields the rows to lock in the database instead."""
        if not rows:
            yield rows
            return
        token = secrets.token_hex(16)
        held: list[str] = []
        async with AsyncExitStack() as lanes:
            for row in sorted(rows):
                await lanes.enter_async_context(self._lane_lock(row))
            fall_back = await self._acquire(sorted(rows), token, held)
            try:
                yield fall_back
            finally:
                for name in held:
                    await self._release(name, token)

    def _lane_lock(self, row: Row) -> asyncio.Lock:
        lock = self._lane_locks.get(row)
        if lock is None:
            lock = self._lane_locks[row] = asyncio.Lock()
        return lock

    def counts(self, row: Row) -> LockCounts:
        """What has become of the row's locks since the process was started, or since it was last forgotten."""
        return self._counts.get(row, LockCounts())

    def _count(self, row: Row, seconds: float, *, taken: bool) -> None:
        counts = self._counts[row] = self._counts.pop(row, LockCounts())
        counts.taken += taken
        counts.timed_out += not taken
        counts.wait_ms += 1000 * seconds
        if len(self._counts) > COUNTED_MOST:
            del self._counts[next(iter(self._counts))]

    async def _acquire(self, rows: list[Row], token: str, held: list[str]) -> frozenset[Row]:
        time = asyncio.get_running_loop().time
        if self._redis is None or time() < self._closed_until:
            HOT_ROW_LOCKS.labels("for_update", "asked").inc(len(rows))
            for row in rows:
                self._count(row, 0, taken=True)
            return frozenset(rows)
        until = time() + self._lock_ms / 1000
        try:
            for table, row_id in rows:
                name, asked_at = LOCK_NAME.format(table=table, row=row_id.hex()), time()
                granted = await self._wait_for(self._redis, name, token, until)
                self._count((table, row_id), time() - asked_at, taken=granted)
                if granted:
                    held.append(name)
        except RedisLost as error:
            self._break(error)
            return frozenset(rows)
        return frozenset()

    async def _wait_for(self, redis: "RedisLocks", name: str, token: str, until: float) -> bool:
        """Whether the lock was granted in time; without it the batch goes on, and its versions decide."""
        while True:
            if await redis.take(name, token, self._lock_ms):
                HOT_ROW_LOCKS.labels("redis", "granted").inc()
                return True
            if asyncio.get_running_loop().time() >= until:
                HOT_ROW_LOCKS.labels("redis", "timed_out").inc()
                return False
            await asyncio.sleep(random.uniform(0.002, 0.010))  # noqa: S311 - jitter

    async def _release(self, name: str, token: str) -> None:
        if self._redis is None:
            return
        try:
            await self._redis.release(name, token)
        except RedisLost as error:  # it expires by itself
            self._break(error)

    def _break(self, error: RedisLost) -> None:
        HOT_ROW_LOCKS.labels("redis", "failed").inc()
        self._closed_until = asyncio.get_running_loop().time() + BREAK_SECONDS
        log.warning("redis_left_alone", error=str(error), seconds=BREAK_SECONDS)

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.close()
