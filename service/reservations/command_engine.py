"""The one way to move inventory: commands go in, answers that are durable come out.

For API, worker and command line alike.
"""

import asyncio
from collections.abc import Iterable

from service.database.store import Store
from service.engine.batch import BatchRunner
from service.engine.hot_row_report import HotRowReport
from service.engine.hot_rows import HotRows
from service.engine.lanes import Lanes
from service.engine.row_locks import RowLocks
from service.idempotency.in_flight import InFlight, Patience
from service.idempotency.records import StoredAnswer
from service.reservations.attempt import ReservationDomain
from service.reservations.commands import Command, size
from service.settings import Settings


class CommandEngine:
    """The engine of one process. `start` before the first command, `drain` after the last."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._patience = Patience(settings.deadline_seconds)
        self.domain = ReservationDomain(settings.waiting_barrier_seconds)
        self.hot_rows = HotRows(settings.hot_row_conflicts)
        self._row_locks = RowLocks(settings.redis_url, settings.hot_row_lock_ms)
        self._report = HotRowReport(store, self.hot_rows, self._row_locks)
        runner: BatchRunner[Command, StoredAnswer] = BatchRunner(
            store, self.domain, self.hot_rows, self._row_locks, settings.conflict_retries_max
        )
        self._lanes: Lanes[Command, StoredAnswer] = Lanes(runner, settings)
        self.in_flight = InFlight(self._patience)

    async def start(self) -> None:
        self._lanes.start()
        self._report.start()

    async def submit(self, command: Command) -> StoredAnswer:
        """The answer of a command, after it is durable; a decided refusal is an answer, too.

        Raises Overloaded, IdempotencyInProgress, StoreUnavailable (nothing is known to have happened: the same key
        again), CommandPoisoned (a bug).
        """
        if command.key is not None:
            return await self.in_flight.once(command.key, lambda: self._enqueue(command))
        return await self._patience.answer(self._enqueue(command), self._patience.until())

    async def submit_all(self, commands: Iterable[Command]) -> list[StoredAnswer]:
        """The answers of commands that may run together, in their order. Raises what `submit` does, for any of them."""
        return await asyncio.gather(*map(self.submit, commands))

    def _enqueue(self, command: Command) -> "asyncio.Future[StoredAnswer]":
        lane_key, rows = self.domain.queued(command)
        return self._lanes.enqueue(
            command, account_id=command.account_id, lane_key=lane_key, weight=rows, size=size(command)
        )

    async def drain(self) -> None:
        """Take no more commands, finish those inside, let go of Redis."""
        await self._lanes.drain()
        await self._report.stop()
        await self._row_locks.close()
