"""Import of a venue: an event's seats, its categories and their prices, from one CSV file in one transaction.

Columns: section, row, seat, category, price_minor, currency, x, y. `seat` is the seat's number in its row; price and
currency are those of the row's category, so all rows of one category must agree on them. x and y may be empty.

`plan_seats` reads and judges the file without a database; nothing of a file with one bad row is kept. Importing a file
again changes nothing. Seats and categories that the file does not name stay as they are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from service.database.store import Store
from service.database.transaction import Transaction, chunks
from service.database.transactional import transactional
from service.http.decode import decode_json
from service.imports.counts import Change, ImportCounts, Progress, ignore
from service.imports.csv_rows import Column, Problems, number_or_none, read_rows, repeated, text, whole_number
from service.inventory.bodies import CATEGORIES_MAX, SEATS_MAX, Amount, Category, Coordinate, PutEvent, PutSeat
from service.inventory.event_queries import EventRecord, lock_event, select_event
from service.inventory.events import create_event, redefined, replace_event
from service.inventory.seats import compare_seats, upsert_seats
from service.inventory.wire import SeatCounts, event_view
from service.names import Currency, Name, Number, Row, Section, is_name, seat_label
from service.refusals import InvalidRequest, NotFound

COLUMNS: Final = (
    Column("section", Section, text),
    Column("row", Row, text),
    Column("seat", Number, text),
    Column("category", Name, text),
    Column("price_minor", Amount, whole_number),
    Column("currency", Currency, text),
    Column("x", Coordinate | None, number_or_none),
    Column("y", Coordinate | None, number_or_none),
)


class SeatsPlan(msgspec.Struct, frozen=True):
    """A good file. A category's name is its code, until an operator gives it another."""

    path: Path
    categories: list[Category]
    seats: list[PutSeat]


def plan_seats(path: Path) -> SeatsPlan:
    """The file's seats and categories. Raises FileRefused, which names every bad row."""
    problems = Problems(path)
    seats: list[PutSeat] = []
    prices: dict[str, tuple[int, str, int]] = {}
    seen: dict[Any, int] = {}
    for line, row in read_rows(path, COLUMNS, problems):
        label = seat_label(row["section"], row["row"], row["seat"])
        earlier = repeated(seen, label, line)
        if earlier is not None:
            problems.add(line, "seat", f"{label} stands on line {earlier} already")
        _check_price(prices, row, line, problems)
        seats.append(PutSeat(row["section"], row["row"], row["seat"], row["category"], row["x"], row["y"]))
    if len(prices) > CATEGORIES_MAX:
        problems.add(1, "category", f"has {len(prices)} different values; an event may have {CATEGORIES_MAX}")
    problems.refuse_if_any()
    categories = [Category(code, code, amount, currency) for code, (amount, currency, _) in prices.items()]
    return SeatsPlan(path, categories, seats)


def _check_price(prices: dict[str, tuple[int, str, int]], row: dict[str, Any], line: int, problems: Problems) -> None:
    code, amount, currency = row["category"], row["price_minor"], row["currency"]
    first_amount, first_currency, first_line = prices.setdefault(code, (amount, currency, line))
    there = f"category {code} has {first_amount} {first_currency} on line {first_line}"
    if amount != first_amount:
        problems.add(line, "price_minor", f"is {amount}; {there}")
    elif currency != first_currency:
        problems.add(line, "currency", f"is {currency}; {there}")


async def preview_seats(
    store: Store,
    account_id: bytes,
    event: str,
    plan: SeatsPlan,
    *,
    name: str | None = None,
    starts_at: str | None = None,
) -> ImportCounts:
    """What `import_seats` would do now. Changes nothing; raises what it would raise."""
    async with store.read() as reader:
        before = await select_event(reader, account_id, event)
        definition = _definition(before, event, plan, name, starts_at)
        if before is None:
            return ImportCounts(len(plan.seats), 0, 0, "created")
        after = redefined(before, definition)
        counts = SeatCounts(0, 0, 0)
        for part in chunks(plan.seats, SEATS_MAX):
            counts = _sum(counts, await compare_seats(reader, account_id, after, part))
    return ImportCounts(counts.created, counts.updated, counts.unchanged, _change(before, after))


async def import_seats(
    store: Store,
    account_id: bytes,
    event: str,
    plan: SeatsPlan,
    *,
    name: str | None = None,
    starts_at: str | None = None,
    on_progress: Progress = ignore,
) -> ImportCounts:
    """Take the whole file or nothing of it.

    With `name` and `starts_at` (RFC 3339) the event is created, or gets them if it is there; without, it must be there.

    Raises InvalidRequest (a bad name, start or event code), NotFound (no such event), StoreUnavailable.
    """
    return await _import(store, account_id, event, plan, name, starts_at, on_progress)


@transactional
async def _import(
    transaction: Transaction,
    account_id: bytes,
    event: str,
    plan: SeatsPlan,
    name: str | None,
    starts_at: str | None,
    on_progress: Progress,
) -> ImportCounts:
    before = await lock_event(transaction, account_id, event)
    definition = _definition(before, event, plan, name, starts_at)
    if before is None:
        record = await create_event(transaction, account_id, event, definition)
    else:
        record = await replace_event(transaction, account_id, before, definition)
    counts = SeatCounts(0, 0, 0)
    on_progress(0)
    for part in chunks(plan.seats, SEATS_MAX):
        counts = _sum(counts, await upsert_seats(transaction, account_id, record, part))
        on_progress(counts.created + counts.updated + counts.unchanged)
    return ImportCounts(counts.created, counts.updated, counts.unchanged, _change(before, record))


def _definition(
    before: EventRecord | None, event: str, plan: SeatsPlan, name: str | None, starts_at: str | None
) -> PutEvent:
    """The event with the file's categories. Raises NotFound, InvalidRequest."""
    if before is None:
        if name is None or starts_at is None:
            raise NotFound(kind="event", name=event)
        definition = PutEvent(name=name, starts_at=starts_at, categories=plan.categories)
        _check_name(event)
    else:
        now = _as_put(before)
        definition = msgspec.structs.replace(
            now,
            name=now.name if name is None else name,
            starts_at=now.starts_at if starts_at is None else starts_at,
            categories=_merged(now.categories, plan.categories),
        )
    return _checked(definition)


def _checked(definition: PutEvent) -> PutEvent:
    """In the forms in which a body would have brought it. Raises InvalidRequest."""
    return decode_json(msgspec.json.encode(definition), PutEvent).value


def _check_name(event: str) -> None:
    if not is_name(event):
        raise InvalidRequest(errors=[("/event", "must be 1 to 64 of A-Z a-z 0-9 . _ ~ - but not . or ..")])


def _as_put(record: EventRecord) -> PutEvent:
    view = msgspec.to_builtins(event_view(record))
    return msgspec.convert({member: view[member] for member in PutEvent.__struct_fields__}, PutEvent)


def _merged(now: Sequence[Category], planned: Sequence[Category]) -> list[Category]:
    """Known categories keep their names and take the file's prices."""
    merged = {category.category: category for category in now}
    for category in planned:
        known = merged.get(category.category, category)
        merged[category.category] = msgspec.structs.replace(category, name=known.name)
    return list(merged.values())


def _change(before: EventRecord | None, after: EventRecord) -> Change:
    if before is None:
        return "created"
    return "unchanged" if before.definition_version == after.definition_version else "updated"


def _sum(one: SeatCounts, other: SeatCounts) -> SeatCounts:
    return SeatCounts(one.created + other.created, one.updated + other.updated, one.unchanged + other.unchanged)
