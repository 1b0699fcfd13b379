"""Imports of seats and stock on real stores: whole or not at all, again without effect, and no claim is touched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

import service
from service.accounts.use_cases import create_account
from service.database.store import Store, open_store
from service.idempotency.records import StoredAnswer
from service.imports.counts import ImportCounts
from service.imports.csv_rows import FileRefused
from service.imports.seats import SeatsPlan, import_seats, plan_seats, preview_seats
from service.imports.stock import StockPlan, import_stock, plan_stock, preview_stock
from service.inventory.event_queries import EventRecord, select_event
from service.inventory.seat_queries import SEAT_STATES, SeatRecord, select_counts, select_seats
from service.inventory.stock_queries import StockRecord, select_stock_item
from service.refusals import InvalidRequest, NotFound
from service.reservations.command_engine import CommandEngine
from service.reservations.commands import BlockSeats, Command, CreateReservation, PutStock, SeatsLine, StockLine
from service.settings import Settings
from tests.conftest import NewStore
from tests.races.databases import StoreName

SAMPLES = Path(service.__file__).parent / "samples"
STARTS_AT = "2097-06-05T19:00:00Z"
SEATS_HEADER = "section,row,seat,category,price_minor,currency,x,y"
STOCK_HEADER = "sku,description,on_hand,price_minor,currency"


@dataclass
class Operator:
    """A new account, and the store and engine that its operator's command line works with."""

    store: Store
    engine: CommandEngine
    account_id: bytes
    directory: Path

    def seats(self, *rows: str) -> SeatsPlan:
        return plan_seats(self.file(SEATS_HEADER, *rows))

    def stock(self, *rows: str) -> StockPlan:
        return plan_stock(self.file(STOCK_HEADER, *rows))

    def file(self, *lines: str) -> Path:
        path = self.directory / "import.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    async def take_seats(self, plan: SeatsPlan, name: str | None = None, event: str = "final") -> ImportCounts:
        starts_at = None if name is None else STARTS_AT
        return await import_seats(self.store, self.account_id, event, plan, name=name, starts_at=starts_at)

    async def take_stock(self, plan: StockPlan) -> ImportCounts:
        return await import_stock(self.engine, self.store, self.account_id, plan)

    async def event(self, event: str = "final") -> EventRecord | None:
        async with self.store.read() as reader:
            return await select_event(reader, self.account_id, event)

    async def found_seats(self) -> dict[str, SeatRecord]:
        event = await self.event()
        assert event is not None
        async with self.store.read() as reader:
            seats = await select_seats(reader, self.account_id, event.event_id, after=None, limit=1000)
        return {seat.seat: seat for seat in seats}

    async def item(self, sku: str = "NW-1") -> StockRecord | None:
        async with self.store.read() as reader:
            return await select_stock_item(reader, self.account_id, sku, "default")

    async def done(self, command: Command) -> StoredAnswer:
        answer = await self.engine.submit(command)
        assert answer.status < 300, answer.body
        return answer

    async def hold(self, *lines: SeatsLine | StockLine, hold_seconds: int | None = None) -> None:
        create = CreateReservation(account_id=self.account_id, actor="tests", lines=lines, hold_seconds=hold_seconds)
        await self.done(create)

    async def until_lapsed(self) -> None:
        """Returns when the time of all holds is over by the database's clock."""
        while True:
            async with self.store.read() as reader:
                ((last,),) = await reader.rows("SELECT MAX(lapses_at) FROM reservations")
                left_ms = last - await reader.now_ms()
            if left_ms <= 0:
                return
            await asyncio.sleep(left_ms / 1000)


@asynccontextmanager
async def operator_on(database_url: str, directory: Path) -> AsyncIterator[Operator]:
    settings = Settings.from_environment({"HOLDFAST_DATABASE_URL": database_url})
    store = await open_store(settings)
    engine = CommandEngine(store, settings)
    await engine.start()
    account = await create_account(store, f"import-{token_hex(8)}")
    yield Operator(store, engine, account.id, directory)
    await engine.drain()
    await store.close()


@pytest.fixture
async def operator(store_url: str, tmp_path: Path) -> AsyncIterator[Operator]:
    async with operator_on(store_url, tmp_path) as made:
        yield made


async def test_sample_venue_is_imported_whole_and_once(operator: Operator) -> None:
    plan = plan_seats(SAMPLES / "stadium-seats.csv")
    progress: list[int] = []
    first = await import_seats(
        operator.store,
        operator.account_id,
        "final",
        plan,
        name="Final",
        starts_at=STARTS_AT,
        on_progress=progress.append,
    )
    assert first == ImportCounts(16_054, 0, 0, "created")
    assert (progress[0], progress[-1]) == (0, 16_054)
    assert progress == sorted(progress)
    assert await operator.take_seats(plan, "Final") == ImportCounts(0, 0, 16_054, "unchanged")
    assert await operator.take_seats(plan) == ImportCounts(0, 0, 16_054, "unchanged")
    event = await operator.event()
    assert event is not None
    assert (event.name, event.definition_version) == ("Final", 1)
    async with operator.store.read() as reader:
        counts = await select_counts(reader, event.event_id)
    assert sum(count for *_, count in counts) == 16_054


async def test_event_that_is_not_there_needs_name_and_start(operator: Operator) -> None:
    plan = operator.seats("101,A,1,1,12500,EUR,1,2")
    for members in ({}, {"name": "Final"}, {"starts_at": STARTS_AT}):
        with pytest.raises(NotFound):
            await preview_seats(operator.store, operator.account_id, "final", plan, **members)
        with pytest.raises(NotFound):
            await import_seats(operator.store, operator.account_id, "final", plan, **members)
    assert await operator.event() is None


@pytest.mark.parametrize(
    ("event", "name", "starts_at", "path"),
    [
        ("final", "", STARTS_AT, "$.name"),
        ("final", "Fi\nnal", STARTS_AT, "$.name"),
        ("final", "Final", "tomorrow", "$.starts_at"),
        ("final", "Final", "2097-02-30T19:00:00Z", "$.starts_at"),
        ("..", "Final", STARTS_AT, "/event"),
    ],
)
async def test_bad_event_is_refused(operator: Operator, event: str, name: str, starts_at: str, path: str) -> None:
    plan = operator.seats("101,A,1,1,12500,EUR,1,2")
    with pytest.raises(InvalidRequest) as refused:
        await import_seats(operator.store, operator.account_id, event, plan, name=name, starts_at=starts_at)
    assert [place for place, _ in refused.value.errors] == [path]
    assert await operator.event(event) is None


async def test_seats_are_added_and_changed_beside_those_that_stay(operator: Operator) -> None:
    await operator.take_seats(operator.seats("101,A,1,1,12500,EUR,1,2", "101,A,2,1,12500,EUR,3,4"), "Final")
    plan = operator.seats("101,A,2,1,12500,EUR,3.5,4", "101,A,3,2,8900,EUR,,")
    preview = await preview_seats(operator.store, operator.account_id, "final", plan)
    assert set(await operator.found_seats()) == {"101-A-1", "101-A-2"}
    assert await operator.take_seats(plan) == preview == ImportCounts(1, 1, 0, "updated")
    seats = await operator.found_seats()
    assert {label: (seat.category, seat.x, seat.y) for label, seat in seats.items()} == {
        "101-A-1": ("1", 1.0, 2.0),
        "101-A-2": ("1", 3.5, 4.0),
        "101-A-3": ("2", None, None),
    }
    event = await operator.event()
    assert event is not None
    assert event.definition_version == 2
    assert [(row.category, row.amount) for row in event.categories] == [("1", 12500), ("2", 8900)]


async def test_file_sets_prices_and_leaves_the_rest_of_the_event(operator: Operator) -> None:
    await operator.take_seats(operator.seats("101,A,1,1,12500,EUR,1,2", "101,A,2,2,8900,EUR,1,2"), "Final")
    assert await operator.take_seats(operator.seats("101,A,1,1,13000,USD,1,2")) == ImportCounts(0, 0, 1, "updated")
    event = await operator.event()
    assert event is not None
    assert (event.name, event.hold_seconds, event.sales) == ("Final", 600, "open")
    prices = [(row.category, row.amount, row.currency) for row in event.categories]
    assert prices == [("1", 13000, "USD"), ("2", 8900, "EUR")]


async def test_claimed_and_blocked_seats_keep_their_state(operator: Operator) -> None:
    await operator.take_seats(operator.seats(*(f"101,A,{number},1,100,EUR,1,2" for number in (1, 2, 3))), "Final")
    await operator.hold(SeatsLine(1, "final", ("101-A-1",)))
    block = BlockSeats(account_id=operator.account_id, actor="tests", event="final", seats=("101-A-2",), blocked=True)
    await operator.done(block)
    moved = operator.seats(*(f"101,A,{number},2,200,EUR,5,6" for number in (1, 2, 3)))
    assert await operator.take_seats(moved) == ImportCounts(0, 3, 0, "updated")
    found = await operator.found_seats()
    assert [SEAT_STATES[found[f"101-A-{number}"].state] for number in (1, 2, 3)] == ["held", "blocked", "available"]
    assert {seat.category for seat in found.values()} == {"2"}


async def test_interrupted_import_keeps_nothing(operator: Operator) -> None:
    def interrupt(done: int) -> None:
        if done:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await import_seats(
            operator.store,
            operator.account_id,
            "final",
            operator.seats("101,A,1,1,12500,EUR,1,2"),
            name="Final",
            starts_at=STARTS_AT,
            on_progress=interrupt,
        )
    assert await operator.event() is None
    assert await operator.take_seats(operator.seats("101,A,1,1,12500,EUR,1,2"), "Final") == ImportCounts(
        1, 0, 0, "created"
    )


async def test_sample_stock_is_imported_once(operator: Operator) -> None:
    plan = plan_stock(SAMPLES / "stock.csv")
    assert await preview_stock(operator.store, operator.account_id, plan) == ImportCounts(77, 0, 0)
    progress: list[int] = []
    counts = await import_stock(operator.engine, operator.store, operator.account_id, plan, progress.append)
    assert counts == ImportCounts(77, 0, 0)
    assert (progress[0], progress[-1]) == (0, 77)
    assert await operator.take_stock(plan) == ImportCounts(0, 0, 77)
    item = await operator.item("NW-004")
    assert item is not None
    assert (item.description, item.on_hand, item.definition_version) == ("Chef Anton's Cajun Seasoning", 53, 1)


async def test_stock_file_creates_changes_and_leaves(operator: Operator) -> None:
    await operator.take_stock(operator.stock("NW-1,Chai,10,100,EUR", "NW-2,Chang,10,100,EUR"))
    plan = operator.stock("NW-1,Chai,12,100,EUR", "NW-2,Chang,10,100,EUR", "NW-3,Tea,1,1,EUR")
    preview = await preview_stock(operator.store, operator.account_id, plan)
    assert await operator.take_stock(plan) == preview == ImportCounts(1, 1, 1)
    item = await operator.item()
    assert item is not None
    assert (item.on_hand, item.definition_version) == (12, 2)


async def test_stock_below_what_is_claimed_is_named_and_nothing_of_the_file_is_kept(operator: Operator) -> None:
    await operator.take_stock(operator.stock("NW-1,Chai,10,100,EUR"))
    await operator.hold(StockLine(1, "NW-1", "default", 6))
    plan = operator.stock("NW-2,Chang,10,100,EUR", "NW-1,Chai,5,100,EUR")
    for take in (operator.take_stock(plan), preview_stock(operator.store, operator.account_id, plan)):
        with pytest.raises(FileRefused) as refused:
            await take
        assert [(problem.line, problem.column) for problem in refused.value.problems] == [(3, "on_hand")]
    assert await operator.item("NW-2") is None
    assert await operator.take_stock(operator.stock("NW-1,Chai,6,100,EUR")) == ImportCounts(0, 1, 0)


@pytest.mark.parametrize("name", ["sqlite", "mysql"])
async def test_holds_past_their_time_are_in_no_files_way(name: StoreName, new_store: NewStore, tmp_path: Path) -> None:
    """Nothing sweeps this store: the command itself ends them, and what is judged before must know it."""
    async with operator_on(new_store(name), tmp_path) as operator:
        await operator.take_stock(operator.stock("NW-1,Chai,10,100,EUR", "NW-2,Chang,10,100,EUR"))
        await operator.hold(StockLine(1, "NW-1", "default", 6), StockLine(2, "NW-2", "default", 1), hold_seconds=1)
        await operator.until_lapsed()
        await operator.hold(StockLine(1, "NW-1", "default", 2))
        below = operator.stock("NW-1,Chai,1,100,EUR")
        with pytest.raises(FileRefused, match="1 is below the 2 held and 0 confirmed units of NW-1"):
            await preview_stock(operator.store, operator.account_id, below)
        plan = operator.stock("NW-1,Chai,2,100,EUR", "NW-2,Chang,0,100,EUR")
        preview = await preview_stock(operator.store, operator.account_id, plan)
        assert await operator.take_stock(plan) == preview == ImportCounts(0, 2, 0)
        items = [await operator.item(sku) for sku in ("NW-1", "NW-2")]
        assert [(item.on_hand, item.held) for item in items if item] == [(2, 2), (0, 0)]


async def test_units_that_are_claimed_during_the_import_are_kept(operator: Operator) -> None:
    """The hold comes after the file was compared with the store and before its first command."""
    await operator.take_stock(operator.stock("NW-1,Chai,10,100,EUR"))

    class HeldBefore:
        held = False

        async def submit(self, command: PutStock) -> StoredAnswer:
            if not self.held:
                self.held = True
                await operator.hold(StockLine(1, "NW-1", "default", 6))
            return await operator.engine.submit(command)

    plan = operator.stock("NW-1,Chai,5,100,EUR", "NW-2,Chang,10,100,EUR")
    with pytest.raises(FileRefused) as refused:
        await import_stock(HeldBefore(), operator.store, operator.account_id, plan)
    assert [(problem.line, problem.column) for problem in refused.value.problems] == [(2, "on_hand")]
    item = await operator.item()
    assert item is not None
    assert (item.on_hand, item.held) == (10, 6)
    assert await operator.item("NW-2") is not None
