"""Which loops the worker runs.

Each finds work by a plain read and does it as commands through the engine, in small batches.
Any number of workers may run: a command decides anew whether there is still something to do (R6).
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from service.database.errors import StoreError
from service.database.store import Store
from service.engine.hot_row_report import purge_hot_rows
from service.metrics import SWEEPS
from service.outbox.sequencer import sequence
from service.refusals import Refusal
from service.reservations.command_engine import CommandEngine
from service.reservations.promotion import Promoter
from service.reservations.sweep import purge_batches, purge_records, sweep_lapsed
from service.settings import Settings

log = structlog.get_logger(__name__)

PURGE_SECONDS = 60.0


class Worker:
    """The loops of one worker process, or of the one server process on SQLite."""

    def __init__(self, store: Store, engine: CommandEngine, settings: Settings) -> None:
        self._store = store
        self._engine = engine
        self._settings = settings
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Run until `stop`; then the round under way is finished."""
        pause = self._settings.sweep_interval_ms / 1000
        batch = self._settings.sweep_batch
        await asyncio.gather(
            self._loop("sweep", pause, lambda: sweep_lapsed(self._store, self._engine, batch)),
            self._loop("promote", pause, Promoter(self._store, self._engine).round),
            self._loop("sequence", pause, lambda: sequence(self._store)),
            self._loop("purge_records", PURGE_SECONDS, lambda: purge_records(self._store)),
            self._loop("purge_batches", PURGE_SECONDS, lambda: purge_batches(self._store)),
            self._loop("purge_hot_rows", PURGE_SECONDS, lambda: purge_hot_rows(self._store)),
        )

    def stop(self) -> None:
        self._stopping.set()

    async def _loop(self, name: str, pause: float, round_: Callable[[], Awaitable[int]]) -> None:
        """Rounds follow at once while they find work; a failing store makes none of them give up."""
        while not self._stopping.is_set():
            found = 0
            try:
                found = await round_()
            except (Refusal, StoreError) as error:
                log.warning("worker_round_failed", loop=name, error=str(error))
            except Exception:
                log.exception("worker_round_failed", loop=name)
            SWEEPS.labels(name).inc()
            if not found:
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
