"""Duplicates of a running request join it, in the whole process and before any queue: one decision, all get its answer.

Across processes they meet at the records' unique key instead. Losing this table loses nothing but work.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count

import msgspec

from service.clock import now_ms
from service.idempotency.fingerprint import mismatch
from service.idempotency.records import KeyedRequest, StoredAnswer
from service.metrics import REPLAYS
from service.refusals import IdempotencyInProgress, StoreUnavailable


class Running(msgspec.Struct, frozen=True):
    """A keyed request that is being executed in this process."""

    request: KeyedRequest
    first_seen_at: int
    answer: asyncio.Future[StoredAnswer]


class Patience:
    """How long requests wait for their answers: one timer for all of them, the next to end their wait first.

    A timer a request, made and cancelled, would cost as much as its place in a batch.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waits: list[tuple[float, int, asyncio.Future[None]]] = []
        self._ordinals = count()
        self._timer: asyncio.TimerHandle | None = None

    def until(self) -> float:
        """The event loop time at which a wait that begins now is over."""
        return asyncio.get_running_loop().time() + self._seconds

    async def answer(self, answer: "asyncio.Future[StoredAnswer]", until: float) -> StoredAnswer:
        """The answer, not longer than `until` (event loop time). The work goes on if the waiter gives up.

        Raises StoreUnavailable past it: the request may still take effect, so its key must be kept.
        """
        if not await self.done_by(answer, until):
            raise StoreUnavailable(retry_after_s=1)
        return answer.result()

    async def done_by(self, answer: "asyncio.Future[StoredAnswer]", until: float) -> bool:
        """Whether the answer is there in time; the work that makes it goes on, whatever happens to the waiter."""
        if answer.done():
            return True
        woken = asyncio.get_running_loop().create_future()
        answer.add_done_callback(partial(_wake, woken))
        self._watch(woken, until)
        await woken
        return answer.done()

    def _watch(self, woken: "asyncio.Future[None]", until: float) -> None:
        waits = self._waits
        while waits and waits[0][2].done():
            heappop(waits)
        heappush(waits, (until, next(self._ordinals), woken))
        if self._timer is None or until < self._timer.when():
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._waits[0][0], self._end_waits) if self._waits else None

    def _end_waits(self) -> None:
        """End the waits whose time is over, and forget those that have ended by themselves."""
        now = asyncio.get_running_loop().time()
        while self._waits and (self._waits[0][2].done() or self._waits[0][0] <= now):
            _wake(heappop(self._waits)[2])
        self._set_timer()


def _wake(woken: "asyncio.Future[None]", _answer: object = None) -> None:
    if not woken.done():
        woken.set_result(None)


class InFlight:
    """The keyed requests that run in this process, by scope hash."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._running: dict[bytes, Running] = {}

    def first_seen_at(self, scope_hash: bytes) -> int | None:
        """When the request of this scope that runs now was first seen; None where none runs here."""
        running = self._running.get(scope_hash)
        return None if running is None else running.first_seen_at

    async def once(self, request: KeyedRequest, enqueue: Callable[[], "asyncio.Future[StoredAnswer]"]) -> StoredAnswer:
        """The answer of the running request with this key, else of the one that `enqueue` starts.

        A request with another body waits for the first one to end and is then judged by what that stored.
        Raises IdempotencyInProgress past the deadline, and whatever ended the first one without an answer.
        """
        until = self._patience.until()
        while (running := self._running.get(request.scope_hash)) is not None:
            if not await self._patience.done_by(running.answer, until):
                raise IdempotencyInProgress(first_seen_at_ms=running.first_seen_at)
            if not mismatch(running.request.fingerprint, request.fingerprint):
                REPLAYS.labels("joined").inc()
                first = running.answer.result()
                # None: what refuses a reused key is no record's answer, however many are refused together.
                return first if first.replayed is None else msgspec.structs.replace(first, replayed=True)
            # Who started it may not have run yet: without this the loop would find the same entry for ever.
            self._forget(running)
        running = self._running[request.scope_hash] = Running(request, now_ms(), enqueue())
        try:
            return await self._patience.answer(running.answer, until)
        finally:
            self._leave(running)

    def _leave(self, running: Running) -> None:
        """Whoever started it has gone, before its end or after."""
        if running.answer.done():
            self._forget(running)
        else:
            running.answer.add_done_callback(lambda _: self._forget(running))

    def _forget(self, running: Running) -> None:
        if self._running.get(running.request.scope_hash) is running:
            del self._running[running.request.scope_hash]
