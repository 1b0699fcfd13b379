"""A hold ends while a batch reads (MySQL family: SQLite reads under its one writer's lock).

The batch that saw its units as held must not refuse who wants them: they were free before and after. The sweep comes
at the worst moment on purpose, between two statements of the real read, on a connection of its own.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pytest

from service.database.drivers import Row, Values
from service.database.errors import Conflict
from service.database.store import Store
from service.database.transaction import Transaction
from service.engine.hot_rows import Row as HotRow
from service.ids import new_id
from service.reservations import commands as c
from service.reservations.attempt import ReservationDomain
from service.reservations.command_engine import CommandEngine
from service.reservations.sweep import sweep_lapsed
from tests.accounts import Account, new_account, on_store
from tests.api.reading import expired, held, moment
from tests.make import put_event, put_stock, wait_until
from tests.races.databases import audit_now, mysql_database
from tests.running import start_service
from tests.servers.mysql import MysqlDatabases

SEAT = "1-A-1"
UNITS: dict[str, tuple[dict[str, object], c.RequestLine]] = {
    "the seat": ({"event": "final", "seats": [SEAT]}, c.SeatsLine(1, "final", (SEAT,))),
    "the best seat": ({"event": "final", "seats": [SEAT]}, c.BestAvailableLine(1, "final", 1)),
    "the last units": ({"sku": "NW-001", "quantity": 3}, c.StockLine(1, "NW-001", "default", 3)),
}


class Interrupted(Transaction):
    """A transaction in which something else happens once, right before the first SELECT on a table."""

    def __init__(self, inner: Transaction, table: str, happen: Callable[[], Awaitable[object]]) -> None:
        super().__init__(inner.connection, inner.dialect, inner.patience_seconds)
        self._table = table
        self._happen: Callable[[], Awaitable[object]] | None = happen

    async def rows(self, sql: str, values: Values = ()) -> Sequence[Row]:
        if self._happen is not None and f" {self._table} " in sql:
            happen, self._happen = self._happen, None
            await happen()
        return await super().rows(sql, values)


@pytest.fixture
def account(mysql_server: MysqlDatabases) -> Iterator[Account]:
    """At one server and no worker: nothing is swept but by the test."""
    with (
        mysql_database(mysql_server) as url,
        start_service(url) as service,
        closing(new_account(service.url, url)) as new,
    ):
        yield new


@pytest.mark.parametrize(("line", "wanted"), UNITS.values(), ids=UNITS)
def test_units_that_are_swept_while_they_are_read_are_not_refused(
    account: Account, line: dict[str, object], wanted: c.RequestLine
) -> None:
    put_event(account, seats=[SEAT])
    put_stock(account, on_hand=3)
    old = held(account, [line], hold_seconds=1)
    create = c.CreateReservation(account_id=account.id, actor="default", lines=(wanted,), hold_seconds=60)
    end = moment(old["hold_expires_at"])
    wait_until(lambda: datetime.now(UTC) >= end)

    async def race(store: Store) -> list[int]:
        engine = CommandEngine(store, store.settings)
        await engine.start()
        sweep = partial(sweep_lapsed, store, engine, limit=10)
        domain, no_locks = ReservationDomain(60), frozenset[HotRow]()

        async def attempt(sweeps: bool) -> list[int]:
            batch_id = new_id()
            async with store.begin(batch_id) as begun:
                transaction = Interrupted(begun, "reservation_lines", sweep) if sweeps else begun
                attempted = await domain.attempt(transaction, [create], batch_id, no_locks)
            return [answer.status for answer in attempted.answers]

        try:
            return await attempt(sweeps=True)
        except Conflict:  # what the engine does then
            return await attempt(sweeps=False)
        finally:
            await engine.drain()

    assert on_store(account.database_url, race) == [201]
    expired(account, old["reference"])
    audit_now(account.database_url)
