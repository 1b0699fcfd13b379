"""Lists of what time will end read the index of that, however long the history is; a page costs what it holds."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from service.accounts.use_cases import create_account
from service.clock import now_ms
from service.database.drivers import Row, Values
from service.database.store import Store, open_store
from service.database.transaction import Transaction
from service.ids import new_id, new_reference
from service.reservations.lists import LAPSES, Filters, Order, count_reservations, place_of, select_reservations
from service.settings import Settings
from tests.accounts import on_store
from tests.process import make_directory, remove_directory
from tests.running import upgrade

HISTORY, LIVE, LIMIT = 4000, 1000, 50
COLUMNS = (
    *("id", "account_id", "reference", "state", "version", "hold_seconds", "hold_seconds_max"),
    *("lapses_at", "created_at"),
)
LINES = ("reservation_id", "line", "account_id", "inventory_id", "live", "name", "place", "quantity")
SKU = b"NW-001"


class Explaining(Transaction):
    """Asks for the plan of each SELECT of reservations."""

    __slots__ = ("plans",)

    def __init__(self, connection: Any, dialect: Any) -> None:
        super().__init__(connection, dialect, None)
        self.plans: list[str] = []

    async def rows(self, sql: str, values: Values = ()) -> list[Row]:
        if "FROM reservations" in sql:
            explain = "EXPLAIN QUERY PLAN " if self.dialect.name == "sqlite" else "EXPLAIN "
            self.plans.append(str([tuple(row) for row in await super().rows(explain + sql, values)]))
        return list(await super().rows(sql, values))


@pytest.fixture(scope="module", params=["sqlite", "mysql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with a long history and few that live, half of them past their time. Nobody audits it."""
    with ExitStack() as at_end:
        if request.param == "sqlite":
            directory = make_directory("plans")
            at_end.callback(remove_directory, directory)
            url = f"sqlite+aiosqlite:///{directory}/holdfast.sqlite3"
        else:
            server = request.getfixturevalue("mysql_server")
            url = server.new_database()
            at_end.callback(server.drop_database, url)
        upgrade(url)
        on_store(url, fill)
        yield url


async def fill(store: Store) -> None:
    account_id, item = (await create_account(store, "one")).id, new_id()
    now = now_ms()
    made: list[tuple[Any, ...]] = []
    for number in range(HISTORY + LIVE):
        lapses_at = None if number < HISTORY else now + (number % 2 * 2 - 1) * (600_000 + number)
        state = b"confirmed" if lapses_at is None else b"held"
        reference = new_reference().encode()
        made.append((new_id(), account_id, reference, state, 1, 600, 3600, lapses_at, now))
    async with store.begin(new_id()) as transaction:
        stock = (item, account_id, SKU, b"default", b"", 10**6, LIVE, HISTORY, 1, b"EUR", 0, 1, 1, now)
        names = "id,account_id,sku,location,description,on_hand,held,confirmed,amount,currency,waiters,version"
        columns = (*names.split(","), "definition_version", "created_at")
        await transaction.insert("stock_items", columns, [stock])
        await transaction.insert("reservations", COLUMNS, made)
        lines = [(row[0], 1, account_id, item, 1, SKU, b"default", 1) for row in made]
        await transaction.insert("reservation_lines", LINES, lines)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = await open_store(Settings.from_environment({"HOLDFAST_DATABASE_URL": url}))
    yield store
    await store.close()


async def account_of(reader: Transaction) -> bytes:
    return bytes((await reader.rows("SELECT id FROM accounts"))[0][0])


BY_END: list[tuple[Order, Filters]] = [
    ("expires", Filters()),
    ("expires", Filters(stale=True)),
    ("expires", Filters(stale=False)),
    ("expires", Filters(state="pending")),
    ("expires", Filters(stale=True, sku="NW-001")),
    ("expires", Filters(customer="c-1", created_before=1)),
    ("oldest", Filters(state="held")),
    ("oldest", Filters(stale=True)),
    ("newest", Filters(stale=True)),
    ("newest", Filters(state="held")),
    ("newest", Filters(state="held", sku="NW-001")),
    ("newest", Filters(expires_before=1)),
]


@pytest.mark.parametrize(("order", "filters"), BY_END)
async def test_what_time_ends_is_read_by_its_index(store: Store, order: Order, filters: Filters) -> None:
    async with store.snapshot() as reader:
        explaining = Explaining(reader.connection, reader.dialect)
        account_id, now = await account_of(reader), await reader.now_ms()
        found = await select_reservations(explaining, account_id, filters, order, None, LIMIT, now)
        behind = place_of(order, found[-1]) if found else None
        await select_reservations(explaining, account_id, filters, order, behind, LIMIT, now)
        await count_reservations(explaining, account_id, filters, 10, now)
    pages = explaining.plans if filters.have_end else explaining.plans[:2]
    assert all(LAPSES in plan for plan in pages), pages
    if order == "expires":
        assert not any("filesort" in plan or "TREE FOR ORDER BY" in plan for plan in pages), pages


async def test_page_of_many_stale_holds_costs_what_it_holds(store: Store) -> None:
    """Counted by the server where it counts what it reads; each page is bounded, also the last."""
    async with store.snapshot() as reader:
        account_id, now = await account_of(reader), await reader.now_ms()
        behind, seen, costs = None, 0, []
        while True:
            before = await reads(reader)
            found = await select_reservations(reader, account_id, Filters(stale=True), "expires", behind, LIMIT, now)
            costs.append(await reads(reader) - before)
            seen += len(found)
            if len(found) < LIMIT:
                break
            behind = place_of("expires", found[-1])
    assert seen == LIVE // 2
    assert max(costs) < 10 * LIMIT, costs


async def reads(reader: Transaction) -> int:
    if reader.dialect.name == "sqlite":
        return 0
    status = await reader.rows("SHOW SESSION STATUS")
    return sum(int(count) for name, count in status if name.startswith("Handler_read"))
