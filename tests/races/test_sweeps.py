"""Two sweeps find the same reservations at once: each of them is ended, and counted, by one of the two."""

import asyncio
from datetime import UTC, datetime

from service.database.store import Store
from service.idempotency.records import StoredAnswer
from service.metrics import SWEPT
from service.reservations.command_engine import CommandEngine
from service.reservations.commands import Command
from service.reservations.sweep import sweep_lapsed
from tests.accounts import Account, on_store
from tests.api.reading import held, history, moment
from tests.make import put_stock, wait_until

UNIT = [{"sku": "NW-001", "quantity": 1}]


class Overtaken(CommandEngine):
    """An engine whose commands wait until another sweep came by, which ends the first `limit` of those found."""

    def __init__(self, store: Store, other: CommandEngine, limit: int) -> None:
        super().__init__(store, store.settings)
        self._store = store
        self._other = other
        self._limit = limit
        self.other_sweep: asyncio.Task[int] | None = None

    async def submit(self, command: Command) -> StoredAnswer:
        if self.other_sweep is None:
            self.other_sweep = asyncio.create_task(sweep_lapsed(self._store, self._other, self._limit))
        await self.other_sweep
        return await super().submit(command)


def test_reservation_that_two_sweeps_found_is_counted_by_the_one_that_ended_it(unswept: Account) -> None:
    put_stock(unswept, on_hand=10)
    lapsing = [held(unswept, UNIT, hold_seconds=1) for _ in range(5)]
    wait_until(lambda: datetime.now(UTC) >= max(moment(each["hold_expires_at"]) for each in lapsing))

    async def race(store: Store) -> tuple[int, int, int]:
        first = CommandEngine(store, store.settings)
        second = Overtaken(store, first, limit=3)
        for engine in (first, second):
            await engine.start()
        try:
            ended = await sweep_lapsed(store, second, limit=10)
            assert second.other_sweep is not None
            return second.other_sweep.result(), ended, await sweep_lapsed(store, first, limit=10)
        finally:
            for engine in (first, second):
                await engine.drain()

    before = SWEPT.labels("expire")._value.get()
    assert on_store(unswept.database_url, race) == (3, 2, 0)
    assert SWEPT.labels("expire")._value.get() == before + 5
    for each in lapsing:
        assert [change["action"] for change in history(unswept, each["reference"])] == ["create", "expire"]
