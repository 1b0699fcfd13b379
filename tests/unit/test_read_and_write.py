"""What is read from a real SQLite file is what the decision works on, and what it changed is what is written.

Random histories run through attempts on the database and through the venue in memory: answers, rows, messages and
records must be the same. Only the clock, the identifiers and the references are the test's own.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.database import transaction as transactions
from service.database.migrations import upgrade
from service.database.store import Store
from service.database.transaction import Row, Transaction
from service.ids import new_id
from service.reservations import attempt as attempts
from service.reservations import commands as c
from service.reservations import load
from service.reservations.attempt import ReservationDomain
from service.reservations.records import Reservation
from service.reservations.rows import LINE_COLUMNS, RESERVATION_COLUMNS, STOCK_COLUMNS, line_of, reservation_of
from service.settings import Settings
from tests.searching import search
from tests.unit.builders import ACCOUNT, HOLD_DEFAULTS, Venue, act, adjust_stock, hold, put_stock, seats, units
from tests.unit.random_commands import SEEDS, Chance, new_model, venue

TABLES = [
    "accounts",
    "events",
    "event_categories",
    "seats",
    "stock_items",
    "stock_adjustments",
    "reservations",
    "reservation_lines",
    "waiters",
    "messages",
    "outbox",
    "idempotency_records",
]
Step = tuple[float, list[c.Command]]


@pytest.fixture(scope="module")
def database_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("rows") / "holdfast.sqlite3"
    made = Settings(database_url=f"sqlite+aiosqlite:///{path}")
    asyncio.run(upgrade(made))
    return made


class Database:
    """The venue's rows in a real store, decided upon by real attempts."""

    def __init__(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        self.store = store
        self.domain = ReservationDomain(barrier_seconds=60)
        self.patch = patch
        self.statements: list[str] = []

    async def fill(self, venue: Venue) -> None:
        async with self.store.begin(new_id()) as transaction:
            for table in TABLES:
                await transaction.change(f"DELETE FROM {table}")
            await _insert(transaction, "accounts", {"id": ACCOUNT, "name": b"shop", "created_at": 0, **_defaults()})
            for event in venue.events.values():
                texts = {"event": event.event.encode(), "name": b"", "sales": event.sales.encode()}
                times = {"hold_seconds": event.hold_seconds, "hold_seconds_max": event.hold_seconds_max}
                defined = {"starts_at": 0, "definition_version": 1, "created_at": 0}
                await _insert(
                    transaction, "events", {"id": event.id, "account_id": ACCOUNT, **texts, **times, **defined}
                )
            for table, rows in _inventory(venue).items():
                for row in rows:
                    await _insert(transaction, table, row)

    async def decide(self, commands: Sequence[c.Command], venue: Venue) -> list[Any]:
        """The answers of one attempt, at the venue's time and with what the venue has drawn."""
        ids, references = cycle(one for one, _ in venue.draws), cycle(two for _, two in _creates(venue, commands))
        self.patch.setattr(transactions, "now_ms", lambda: venue.now)
        self.patch.setattr(attempts, "new_id", lambda: next(ids))
        self.patch.setattr(attempts, "new_reference", lambda: next(references))
        batch_id = new_id()
        async with self.store.begin(batch_id) as transaction:
            raw = (await transaction.connection.get_raw_connection()).driver_connection
            self.statements.clear()
            await raw.set_trace_callback(self.statements.append)
            return list((await self.domain.attempt(transaction, commands, batch_id, frozenset())).answers)

    async def compare(self, venue: Venue) -> None:
        """Every row, message and record."""
        async with self.store.read() as reader:
            assert await reader.rows("SELECT id, state, version FROM seats ORDER BY id") == sorted(
                (seat.id, seat.state, seat.version) for seat in venue.seats.values()
            )
            stock = await reader.rows(f"SELECT {STOCK_COLUMNS} FROM stock_items ORDER BY id")
            assert [tuple(map(_text, row)) for row in stock] == sorted(
                tuple(map(_text, _fields(item))) for item in venue.stock.values()
            )
            waited = await reader.rows("SELECT id, waiters, version FROM event_categories ORDER BY id")
            assert waited == sorted((row.id, row.waiters, row.version) for row in venue.categories.values())
            assert await _reservations(reader) == sorted(venue.reservations.values(), key=lambda row: row.id)
            told = await reader.rows("SELECT subject_id, version, type, action, actor FROM messages ORDER BY rowid")
            assert [tuple(map(_text, row)) for row in told] == [
                tuple(map(_text, (m.subject.id, m.version, m.type, m.action, m.actor))) for m in venue.messages
            ]
            kept = await reader.rows("SELECT scope_hash, status FROM idempotency_records ORDER BY scope_hash")
            assert kept == sorted((scope, record.answer.status) for scope, record in venue.records.items())


def _creates(venue: Venue, commands: Sequence[c.Command]) -> list[tuple[bytes, str]]:
    made = zip(venue.draws, commands, strict=True)
    return [draw for draw, command in made if isinstance(command, c.CreateReservation)]


def _defaults() -> dict[str, int]:
    return {"hold_seconds": HOLD_DEFAULTS[0], "hold_seconds_max": HOLD_DEFAULTS[1]}


def _inventory(venue: Venue) -> dict[str, list[dict[str, Any]]]:
    owned = {"account_id": ACCOUNT}
    categories = [
        {**_named(row), "category": row.category.encode(), "name": b"", "currency": row.currency.encode()}
        for row in venue.categories.values()
    ]
    seats = [
        {**owned, "row_name": seat.row.encode(), **{k: v for k, v in _named(seat).items() if k != "row"}}
        for seat in venue.seats.values()
    ]
    stock = [{**_named(item), "created_at": 0} for item in venue.stock.values()]
    return {"event_categories": categories, "seats": seats, "stock_items": stock}


def _named(record: Any) -> dict[str, Any]:
    return {name: _bytes(getattr(record, name)) for name in record.__struct_fields__}


def _fields(record: Any) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in STOCK_COLUMNS.split(", "))


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def _text(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


async def _insert(transaction: Transaction, table: str, row: dict[str, Any]) -> None:
    await transaction.insert(table, tuple(row), [tuple(row.values())])


async def _reservations(reader: Transaction) -> list[Reservation]:
    lines: dict[bytes, list[Any]] = {}
    for row in await reader.rows(f"SELECT {LINE_COLUMNS} FROM reservation_lines ORDER BY reservation_id, line"):
        lines.setdefault(bytes(row[0]), []).append(line_of(row))
    pools: dict[bytes, list[bytes]] = {}
    for row in await reader.rows("SELECT reservation_id, pool_id FROM waiters ORDER BY pool_id"):
        pools.setdefault(bytes(row[0]), []).append(bytes(row[1]))
    rows: Sequence[Row] = await reader.rows(f"SELECT {RESERVATION_COLUMNS} FROM reservations ORDER BY id")
    return [reservation_of(row, tuple(lines[bytes(row[0])]), tuple(pools.get(bytes(row[0]), ()))) for row in rows]


async def compare(database_settings: Settings, batches: Iterable[Step], memory: Venue) -> list[str]:
    """Batches with the seconds that pass before each, in both; `memory` is where it ends.

    The statements of the last one.
    """
    store = Store(database_settings)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(load, "FRONT_ROWS", memory.front_rows)
            database = Database(store, patch)
            await database.fill(memory)
            for seconds, batch in batches:
                memory.pass_seconds(seconds)
                memory.decide(*batch)
                assert await database.decide(batch, memory) == memory.answers
                await database.compare(memory)
            return database.statements
    finally:
        await store.close()


def by_chance(seeds: Iterable[int]) -> Iterator[Step]:
    """The model follows, so that chance knows what there is."""
    model = new_model()
    chance = Chance(model)
    for seed in seeds:
        chance.begin(seed)
        milliseconds = chance.milliseconds()
        model.now += milliseconds
        batch = chance.batch()
        for command in batch:
            model.decide(command)
        yield milliseconds / 1000, batch


@search(8)
@given(seeds=st.lists(SEEDS, min_size=10, max_size=20), front_rows=st.sampled_from([1, 12]))
def test_attempts_on_a_database_decide_and_keep_the_same(
    database_settings: Settings, seeds: list[int], front_rows: int
) -> None:
    memory = venue()
    memory.front_rows = front_rows
    asyncio.run(compare(database_settings, by_chance(seeds), memory))


LAPSED = {
    "a late confirm": (
        [
            (0, [hold(units(3), hold_seconds=10)]),
            (10, [act(c.ExpireReservation, 1)]),
            (0, [hold(units(3), hold_seconds=10)]),
            (10, [act(c.ConfirmReservation, 1, late="if_available")]),
        ],
        ["confirmed", "expired"],
    ),
    "a hold behind a count that is lowered": (
        [(0, [hold(units(2), hold_seconds=10)]), (10, [put_stock(2), hold(units(2))])],
        ["expired", "held"],
    ),
    "a hold behind an adjustment": (
        [(0, [hold(units(2), hold_seconds=10)]), (10, [adjust_stock(-2, "d-1"), hold(units(2))])],
        ["expired", "held"],
    ),
    "a hold behind one who waits": (
        [
            (0, [hold(units(2), hold_seconds=10), hold(seats("A1"))]),
            (0, [hold(units(1), seats("A1"), wait=True)]),
            (10, [act(c.ReleaseReservation, 2), hold(units(2))]),
        ],
        ["expired", "released", "held", "held"],
    ),
}


@pytest.mark.parametrize(("batches", "states"), LAPSED.values(), ids=LAPSED)
def test_stock_that_falls_short_within_a_batch_finds_the_lapsed_holds_on_it(
    database_settings: Settings, batches: list[Step], states: list[str]
) -> None:
    memory = venue()
    asyncio.run(compare(database_settings, batches, memory))
    assert [row.state for row in memory.reservations.values()] == states


ALIKE: dict[str, list[c.Command]] = {
    "confirms": [act(c.ConfirmReservation, number) for number in (1, 2, 3)],
    "releases": [act(c.ReleaseReservation, number) for number in (1, 2, 3)],
    "extends": [act(c.ExtendReservation, number, hold_seconds=150) for number in (1, 2, 3)],
    "a sweep": [act(c.ExpireReservation, number) for number in (1, 2, 3)],
}


@pytest.mark.parametrize("verb", ALIKE)
def test_what_happens_alike_to_holds_of_different_times_is_one_update(database_settings: Settings, verb: str) -> None:
    memory = venue()
    holds: list[Step] = [(1, [hold(seats(seat), hold_seconds=100)]) for seat in ("A1", "A2", "A3")]
    last = (100 if verb == "a sweep" else 1, ALIKE[verb])
    statements = asyncio.run(compare(database_settings, [*holds, last], memory))
    assert sum(statement.startswith("UPDATE reservations ") for statement in statements) == 1
    assert len({row.version for row in memory.reservations.values()}) == 1
