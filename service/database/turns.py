"""Turns: how many accounts' plain use cases write at once in one process, and how many wait for it.

They share the writers' connections, on SQLite the one writer, with the engine's lanes. Without a bound one account's
uploads, each waiting for the same event's row with a connection in hand, would keep everybody's commands waiting.
What is for no account needs no turn: the service's own loops and the operator's commands are few and short. They are
not refused because customers wait, and no customer is refused because of them.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.refusals import Overloaded
from service.settings import Settings

SPARE_CONNECTIONS = 2
"""Left to those who ask what became of a lost COMMIT, who end its session, and to what needs no turn."""

COMMANDS_A_WAITER = 64
"""So many fewer use cases than commands may wait: each may bring 5,000 seats, and takes as long as a full batch."""


class Turns:
    """Those of one store. First come, first served."""

    def __init__(self, settings: Settings) -> None:
        spare = settings.pool_connections - settings.lanes - SPARE_CONNECTIONS
        self.at_once = 1 if settings.is_sqlite else max(1, spare)
        self.waiting_most = max(2, settings.queue_commands_max // COMMANDS_A_WAITER)
        self._deadline_seconds = settings.deadline_seconds
        self._free = asyncio.Semaphore(self.at_once)
        self._waiting: Counter[object] = Counter()

    @asynccontextmanager
    async def take(self, account_id: object) -> AsyncIterator[None]:
        """A turn for the length of the block; no account may fill the queue alone. At once for None, which is nobody.

        Raises Overloaded: at once where too many wait, else at the deadline. Nothing was begun.
        """
        if account_id is None:
            yield
            return
        if self._free.locked() and self._is_full(account_id):
            raise Overloaded(retry_after_s=1)
        self._waiting[account_id] += 1
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise Overloaded(retry_after_s=1) from None
        finally:
            self._waiting[account_id] -= 1
            if not self._waiting[account_id]:
                del self._waiting[account_id]
        try:
            yield
        finally:
            self._free.release()

    def _is_full(self, account_id: object) -> bool:
        return self._waiting.total() >= self.waiting_most or self._waiting[account_id] >= self.waiting_most // 2
