"""Who waits is served by the worker, too, so that nobody is forgotten: time frees units, and queues may be long.

A decision looks at the `WAITING_SEEN` oldest of a pool. Whoever stands behind them, and fits where they do not, is
found by the longer looks here, which are rare because they cost as much as the queue is long.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from service.database.drivers import Row
from service.database.store import Store
from service.metrics import SWEPT
from service.reservations.command_engine import CommandEngine
from service.reservations.commands import WAITING_SEEN, PromoteWaiting
from service.reservations.sweep import WORKER

WAITING_MOST = 2000
"""Those behind are looked at when some before them have been served or their time is over; bounds one transaction."""

REST = 20
"""Times as long as the longer looks took before there are others."""

SELECT_WAITED_STOCK = """
SELECT i.account_id, i.id, i.waiters, i.sku, i.location FROM stock_items i
WHERE i.id IN (SELECT w.pool_id FROM waiters w)
"""

SELECT_WAITED_CATEGORIES = """
SELECT c.account_id, c.id, c.waiters, e.event FROM event_categories c JOIN events e ON e.id = c.event_id
WHERE c.id IN (SELECT w.pool_id FROM waiters w)
"""


class Promoter:
    """The worker's rounds through all pools that anybody waits for."""

    def __init__(self, store: Store, engine: CommandEngine) -> None:
        self._store = store
        self._engine = engine
        self._long_look_at = 0.0

    async def round(self) -> int:
        """Serve every pool that anybody waits for; how many reservations became held."""
        async with self._store.read() as reader:
            stock = await reader.rows(SELECT_WAITED_STOCK)
            categories = await reader.rows(SELECT_WAITED_CATEGORIES)
        pools = [(row[2], _of_stock(row)) for row in stock] + [(row[2], _of_category(row)) for row in categories]
        promoted = await self._serve(command for _, command in pools)
        return promoted + await self._look_longer([command for waiters, command in pools if waiters > WAITING_SEEN])

    async def _look_longer(self, commands: Sequence[PromoteWaiting]) -> int:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if not commands or began < self._long_look_at:
            return 0
        promoted = 0
        for command in commands:
            promoted += await self._serve([msgspec.structs.replace(command, oldest=WAITING_MOST)])
        self._long_look_at = loop.time() + REST * (loop.time() - began)
        return promoted

    async def _serve(self, commands: Iterable[PromoteWaiting]) -> int:
        answers = await self._engine.submit_all(commands)
        promoted = sum(int(answer.body[len(b'{"promoted":') : -1]) for answer in answers)
        SWEPT.labels("hold").inc(promoted)
        return promoted


def _of_stock(row: Row) -> PromoteWaiting:
    return PromoteWaiting(
        account_id=bytes(row[0]), actor=WORKER, pool_id=bytes(row[1]), sku=row[3].decode(), location=row[4].decode()
    )


def _of_category(row: Row) -> PromoteWaiting:
    return PromoteWaiting(account_id=bytes(row[0]), actor=WORKER, pool_id=bytes(row[1]), event=row[3].decode())
