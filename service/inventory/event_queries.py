"""SQL of events and their categories.

Whoever changes definitions of an event, its seats' included, holds the lock of the event's row (`lock_event`); the
engine never takes it. A category's `waiters` and `version` belong to the engine and are never assigned here.
"""

from collections.abc import Sequence
from itertools import groupby

import msgspec

from service.database.drivers import Row
from service.database.transaction import Transaction, chunks, padded
from service.ids import new_id


class CategoryRecord(msgspec.Struct, frozen=True):
    """A row of event_categories."""

    category_id: bytes
    category: str
    name: str
    amount: int
    currency: str
    waiters: int


class EventRecord(msgspec.Struct, frozen=True):
    """A row of events with its categories, oldest first. `starts_at` is in milliseconds."""

    event_id: bytes
    event: str
    name: str
    starts_at: int
    hold_seconds: int
    hold_seconds_max: int
    sales: str
    front_row: str | None
    definition_version: int
    categories: list[CategoryRecord]


SELECT_EVENTS = """
SELECT id, event, name, starts_at, hold_seconds, hold_seconds_max, sales, front_row, definition_version
FROM events WHERE account_id = ?"""

SELECT_CATEGORIES = """
SELECT event_id, id, category, name, amount, currency, waiters FROM event_categories
WHERE account_id = ? AND event_id IN ({}) ORDER BY event_id, id"""

SELECT_CATEGORIES_IN_USE = """
SELECT DISTINCT category_id FROM seats WHERE event_id = ? AND account_id = ? AND category_id IN ({})"""

UPDATE_EVENT = """
UPDATE events SET name = ?, starts_at = ?, hold_seconds = ?, hold_seconds_max = ?, sales = ?, front_row = ?,
       definition_version = ?
WHERE id = ? AND account_id = ? AND definition_version = ?"""

UPDATE_CATEGORY = "UPDATE event_categories SET name = ?, amount = ?, currency = ? WHERE id = ? AND account_id = ?"

DELETE_CATEGORIES = "DELETE FROM event_categories WHERE account_id = ? AND waiters = 0 AND id IN ({})"

EVENT_COLUMNS = (
    "id",
    "account_id",
    "event",
    "name",
    "starts_at",
    "hold_seconds",
    "hold_seconds_max",
    "sales",
    "front_row",
    "definition_version",
    "created_at",
)
CATEGORY_COLUMNS = ("id", "account_id", "event_id", "category", "name", "amount", "currency", "waiters", "version")


async def select_event(reader: Transaction, account_id: bytes, event: str) -> EventRecord | None:
    return await _select_one(reader, account_id, event, "")


async def lock_event(transaction: Transaction, account_id: bytes, event: str) -> EventRecord | None:
    """The event, whose definitions nobody else changes until the transaction ends. SQLite has one writer anyway."""
    return await _select_one(transaction, account_id, event, transaction.dialect.for_update)


async def select_events(
    reader: Transaction, account_id: bytes, after: tuple[str, ...] | None, limit: int
) -> list[EventRecord]:
    """The first events whose names follow `after`, in the order of their bytes."""
    (event,) = after or ("",)
    sql = f"{SELECT_EVENTS} AND event > ? ORDER BY event LIMIT ?"
    rows = await reader.rows(sql, (account_id, event.encode(), limit))
    return await _with_categories(reader, account_id, rows)


async def select_categories_in_use(
    transaction: Transaction, account_id: bytes, event_id: bytes, category_ids: Sequence[bytes]
) -> set[bytes]:
    """Those of the categories that seats refer to."""
    places, values = padded(category_ids)
    rows = await transaction.rows(SELECT_CATEGORIES_IN_USE.format(places), (event_id, account_id, *values))
    return {bytes(row[0]) for row in rows}


async def insert_event(transaction: Transaction, account_id: bytes, record: EventRecord, created_at: int) -> None:
    """Raises DuplicateKey where another transaction has just created it."""
    row = (
        record.event_id,
        account_id,
        record.event.encode(),
        record.name.encode(),
        record.starts_at,
        record.hold_seconds,
        record.hold_seconds_max,
        record.sales.encode(),
        None if record.front_row is None else record.front_row.encode(),
        record.definition_version,
        created_at,
    )
    await transaction.insert("events", EVENT_COLUMNS, [row])
    await insert_categories(transaction, account_id, record.event_id, record.categories)


async def update_event(transaction: Transaction, account_id: bytes, before: EventRecord, after: EventRecord) -> int:
    """The number of rows that were still as in `before`: 1 or 0."""
    values = (
        after.name.encode(),
        after.starts_at,
        after.hold_seconds,
        after.hold_seconds_max,
        after.sales.encode(),
        None if after.front_row is None else after.front_row.encode(),
        after.definition_version,
    )
    return await transaction.change(UPDATE_EVENT, (*values, before.event_id, account_id, before.definition_version))


async def insert_categories(
    transaction: Transaction, account_id: bytes, event_id: bytes, categories: Sequence[CategoryRecord]
) -> None:
    rows = [
        (
            row.category_id,
            account_id,
            event_id,
            row.category.encode(),
            row.name.encode(),
            row.amount,
            row.currency.encode(),
            0,
            1,
        )
        for row in categories
    ]
    await transaction.insert("event_categories", CATEGORY_COLUMNS, rows)


async def update_category(transaction: Transaction, account_id: bytes, category: CategoryRecord) -> None:
    values = (category.name.encode(), category.amount, category.currency.encode())
    await transaction.change(UPDATE_CATEGORY, (*values, category.category_id, account_id))


async def delete_categories(transaction: Transaction, account_id: bytes, category_ids: Sequence[bytes]) -> int:
    """Delete those that nobody waits for; how many there were."""
    places, values = padded(category_ids)
    return await transaction.change(DELETE_CATEGORIES.format(places), (account_id, *values))


def new_category(category: str, name: str, amount: int, currency: str) -> CategoryRecord:
    return CategoryRecord(new_id(), category, name, amount, currency, waiters=0)


async def _select_one(reader: Transaction, account_id: bytes, event: str, for_update: str) -> EventRecord | None:
    rows = await reader.rows(f"{SELECT_EVENTS} AND event = ?{for_update}", (account_id, event.encode()))
    records = await _with_categories(reader, account_id, rows)
    return records[0] if records else None


async def _with_categories(reader: Transaction, account_id: bytes, rows: Sequence[Row]) -> list[EventRecord]:
    categories: dict[bytes, list[CategoryRecord]] = {}
    for part in chunks([bytes(row[0]) for row in rows]):
        places, values = padded(part)
        found = await reader.rows(SELECT_CATEGORIES.format(places), (account_id, *values))
        for event_id, of_event in groupby(found, key=lambda row: bytes(row[0])):
            categories[event_id] = [_category_record(row) for row in of_event]
    return [_event_record(row, categories.get(bytes(row[0]), [])) for row in rows]


def _category_record(row: Row) -> CategoryRecord:
    _, category_id, category, name, amount, currency, waiters = row
    return CategoryRecord(bytes(category_id), category.decode(), name.decode(), amount, currency.decode(), waiters)


def _event_record(row: Row, categories: list[CategoryRecord]) -> EventRecord:
    event_id, event, name, starts_at, hold_seconds, hold_seconds_max, sales, front_row, version = row
    return EventRecord(
        event_id=bytes(event_id),
        event=event.decode(),
        name=name.decode(),
        starts_at=starts_at,
        hold_seconds=hold_seconds,
        hold_seconds_max=hold_seconds_max,
        sales=sales.decode(),
        front_row=None if front_row is None else front_row.decode(),
        definition_version=version,
        categories=categories,
    )
