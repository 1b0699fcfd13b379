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
            answer = await self._join(running, until)
            if not mismatch(running.request.fingerprint, request.fingerprint):
                REPLAYS.labels("joined").inc()
                return msgspec.structs.replace(answer, replayed=True)
        return await wait_for(self._start(request, enqueue), until)

    def _start(
        self, request: KeyedRequest, enqueue: Callable[[], "asyncio.Future[StoredAnswer]"]
    ) -> "asyncio.Future[StoredAnswer]":
        answer = enqueue()
        self._running[request.scope_hash] = Running(request, now_ms(), answer)
        answer.add_done_callback(lambda _: self._running.pop(request.scope_hash, None))
        return answer

    async def _join(self, running: Running, until: float) -> StoredAnswer:
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.shield(running.answer)
        except TimeoutError:
            raise IdempotencyInProgress(first_seen_at_ms=running.first_seen_at) from None


async def wait_for(answer: "asyncio.Future[StoredAnswer]", until: float) -> StoredAnswer:
    """The answer, not longer than `until` (event loop time). The work goes on if the waiter gives up.

    Raises StoreUnavailable past it: the request may still take effect, so its key must be kept.
    """
    try:
        async with asyncio.timeout_at(until):
            return await asyncio.shield(answer)
    except TimeoutError:
        raise StoreUnavailable(retry_after_s=1) from None
