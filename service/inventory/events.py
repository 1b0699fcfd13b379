"""Creating and replacing events. One plain transaction: definitions move no inventory.

The event's row is locked first, so that whoever changes its categories or its seats' definitions comes one after the
other: no seat can be given a category that is being dropped. Reservations are not held up by it.
`definition_version` goes up by one with every change and by none without.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from service.clock import from_rfc3339
from service.database.errors import Conflict
from service.database.transaction import Transaction
from service.database.transactional import transactional
from service.idempotency.keyed import answer_once
from service.idempotency.records import KeyedRequest, StoredAnswer
from service.ids import new_id
from service.inventory import event_queries
from service.inventory.bodies import Category, PutEvent
from service.inventory.event_queries import CategoryRecord, EventRecord, new_category
from service.inventory.wire import encode, event_view
from service.refusals import StateConflict, VersionConflict


@transactional
async def put_event(
    transaction: Transaction,
    account_id: bytes,
    event: str,
    definition: PutEvent,
    *,
    if_match: int | None,
    key: KeyedRequest | None,
    request_id: str,
) -> StoredAnswer:
    """Create the event (201) or make it be as `definition` says (200), with its version as entity tag.

    Raises VersionConflict where `if_match` names another version (0: there is no event), StateConflict where a
    category is to be dropped that seats or waiting reservations have.
    """
    decide = partial(_decide, account_id=account_id, event=event, definition=definition, if_match=if_match)
    return await answer_once(transaction, key, request_id, decide)


async def _decide(
    transaction: Transaction, *, account_id: bytes, event: str, definition: PutEvent, if_match: int | None
) -> StoredAnswer:
    before = await event_queries.lock_event(transaction, account_id, event)
    version = 0 if before is None else before.definition_version
    if if_match is not None and if_match != version:
        raise VersionConflict(version=version)
    if before is None:
        return _answer(201, await create_event(transaction, account_id, event, definition))
    return _answer(200, await replace_event(transaction, account_id, before, definition))


async def create_event(transaction: Transaction, account_id: bytes, event: str, definition: PutEvent) -> EventRecord:
    """Raises DuplicateKey where another transaction has just created it: run anew."""
    record = _record(new_id(), event, definition, _with_ids(definition.categories, {}), version=1)
    await event_queries.insert_event(transaction, account_id, record, await transaction.now_ms())
    return record


async def replace_event(
    transaction: Transaction, account_id: bytes, before: EventRecord, definition: PutEvent
) -> EventRecord:
    """The locked event `before` as it is now: changed to `definition`, or itself where that says the same."""
    after = redefined(before, definition)
    if after == before:
        return before
    await _drop_categories(transaction, account_id, before, _only_in(before, after))
    if await event_queries.update_event(transaction, account_id, before, after) != 1:
        raise Conflict("another version of the event")
    added = _only_in(after, before)
    for row in after.categories:
        if row not in before.categories and row not in added:
            await event_queries.update_category(transaction, account_id, row)
    await event_queries.insert_categories(transaction, account_id, before.event_id, added)
    return after


def redefined(before: EventRecord, definition: PutEvent) -> EventRecord:
    """The event as `definition` says, one version later, or `before` itself where that says the same."""
    known = {row.category: row for row in before.categories}
    categories = _with_ids(definition.categories, known)
    after = _record(before.event_id, before.event, definition, categories, before.definition_version)
    if after == before:
        return before
    return msgspec.structs.replace(after, definition_version=before.definition_version + 1)


def _only_in(one: EventRecord, other: EventRecord) -> list[CategoryRecord]:
    kept = {row.category_id for row in other.categories}
    return [row for row in one.categories if row.category_id not in kept]


async def _drop_categories(
    transaction: Transaction, account_id: bytes, before: EventRecord, dropped: Sequence[CategoryRecord]
) -> None:
    if not dropped:
        return
    category_ids = [row.category_id for row in dropped]
    in_use = await event_queries.select_categories_in_use(transaction, account_id, before.event_id, category_ids)
    for row in dropped:
        if row.category_id in in_use or row.waiters:
            action = f"drop category {row.category}"
            raise StateConflict(state="in use", action=action, version=before.definition_version)
    if await event_queries.delete_categories(transaction, account_id, category_ids) != len(category_ids):
        raise Conflict("somebody has begun to wait for the category")


def _with_ids(categories: Sequence[Category], known: Mapping[str, CategoryRecord]) -> list[CategoryRecord]:
    """The categories as rows, oldest first: known ones keep their ids and places, new ones follow in their order."""
    rows = []
    for category in categories:
        row = known.get(category.category)
        if row is None:
            row = new_category(category.category, category.name, category.amount, category.currency)
        else:
            row = msgspec.structs.replace(row, name=category.name, amount=category.amount, currency=category.currency)
        rows.append(row)
    return sorted(rows, key=lambda row: row.category_id)


def _record(
    event_id: bytes, event: str, definition: PutEvent, categories: list[CategoryRecord], version: int
) -> EventRecord:
    return EventRecord(
        event_id=event_id,
        event=event,
        name=definition.name,
        starts_at=from_rfc3339(definition.starts_at),
        hold_seconds=definition.hold_seconds,
        hold_seconds_max=definition.hold_seconds_max,
        sales=definition.sales,
        front_row=definition.front_row,
        definition_version=version,
        categories=categories,
    )


def _answer(status: int, record: EventRecord) -> StoredAnswer:
    return StoredAnswer(status=status, body=encode(event_view(record)), etag=f'"{record.definition_version}"')
