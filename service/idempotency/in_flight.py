"""Duplicates of a running request join it, in the whole process and before any queue: one decision, all get its answer.

Across processes they meet at the records' unique key instead. Losing this table loses nothing but work.
"""

import asyncio
from collections.abc import Callable

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


class InFlight:
    """The keyed requests that run in this process, by scope hash."""

    def __init__(self, deadline_seconds: float) -> None:
        self._deadline_seconds = deadline_seconds
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
        until = asyncio.get_running_loop().time() + self._deadline_seconds
        while (running := self._running.get(request.scope_hash)) is not None:
            if not await _done_by(running.answer, until):
                raise IdempotencyInProgress(first_seen_at_ms=running.first_seen_at)
            if not mismatch(running.request.fingerprint, request.fingerprint):
                REPLAYS.labels("joined").inc()
                first = running.answer.result()
                # None: what refuses a reused key is no record's answer, however many are refused together.
                return first if first.replayed is None else msgspec.structs.replace(first, replayed=True)
            # Its own callback may not have run yet: without this the loop would find the same entry for ever.
            self._forget(running)
        return await wait_for(self._start(request, enqueue), until)

    def _start(
        self, request: KeyedRequest, enqueue: Callable[[], "asyncio.Future[StoredAnswer]"]
    ) -> "asyncio.Future[StoredAnswer]":
        running = Running(request, now_ms(), enqueue())
        self._running[request.scope_hash] = running
        running.answer.add_done_callback(lambda _: self._forget(running))
        return running.answer

    def _forget(self, running: Running) -> None:
        if self._running.get(running.request.scope_hash) is running:
            del self._running[running.request.scope_hash]


async def wait_for(answer: "asyncio.Future[StoredAnswer]", until: float) -> StoredAnswer:
    """The answer, not longer than `until` (event loop time). The work goes on if the waiter gives up.

    Raises StoreUnavailable past it: the request may still take effect, so its key must be kept.
    """
    if not await _done_by(answer, until):
        raise StoreUnavailable(retry_after_s=1)
    return answer.result()


async def _done_by(answer: "asyncio.Future[StoredAnswer]", until: float) -> bool:
    """Whether the answer is there in time; the work that makes it goes on, whatever happens to the waiter.

    What `asyncio.wait` does for any number of futures, for one: every request waits here.
    """
    if answer.done():
        return True
    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake(_answer: object = None) -> None:
        if not woken.done():
            woken.set_result(None)

    answer.add_done_callback(wake)
    timer = loop.call_at(until, wake)
    try:
        await woken
    finally:
        timer.cancel()
        answer.remove_done_callback(wake)
    return answer.done()
