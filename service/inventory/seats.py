"""Adding seats to an event and changing where they are and what they cost. One plain transaction, whole or not at all.

A seat's state is none of this module's business (R1): a new seat is available, one that exists keeps what it has.
The event's row is locked by the caller, so nobody else adds the same seats or drops their categories meanwhile.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from service.database.transaction import Transaction, chunks
from service.database.transactional import transactional
from service.idempotency.keyed import answer_once
from service.idempotency.records import KeyedRequest, StoredAnswer
from service.ids import new_id
from service.inventory.bodies import PutSeat
from service.inventory.event_queries import EventRecord, lock_event
from service.inventory.seat_queries import SeatPlace, insert_seats, select_places, update_places
from service.inventory.tables import SEAT_AVAILABLE
from service.inventory.wire import SeatCounts, encode
from service.names import seat_label
from service.refusals import NotFound


@transactional
async def put_seats(
    transaction: Transaction,
    account_id: bytes,
    event: str,
    seats: Sequence[PutSeat],
    *,
    key: KeyedRequest | None,
    request_id: str,
) -> StoredAnswer:
    """Upsert the seats, each named once, and count what became of them.

    Raises NotFound for the event, then for the first category that the event has not.
    """
    return await answer_once(
        transaction, key, request_id, partial(_decide, account_id=account_id, event=event, seats=seats)
    )


async def _decide(transaction: Transaction, *, account_id: bytes, event: str, seats: Sequence[PutSeat]) -> StoredAnswer:
    record = await lock_event(transaction, account_id, event)
    if record is None:
        raise NotFound(kind="event", name=event)
    counts = await upsert_seats(transaction, account_id, record, seats)
    return StoredAnswer(status=200, body=encode(counts))


async def upsert_seats(
    transaction: Transaction, account_id: bytes, event: EventRecord, seats: Sequence[PutSeat]
) -> SeatCounts:
    """Upsert the seats of the locked event. Raises NotFound for the first category that it has not."""
    difference = await _difference(transaction, account_id, event, seats)
    await update_places(transaction, account_id, difference.changed)
    await insert_seats(transaction, difference.added)
    return difference.counts(len(seats))


async def compare_seats(
    reader: Transaction, account_id: bytes, event: EventRecord, seats: Sequence[PutSeat]
) -> SeatCounts:
    """What an upsert would do now. Raises NotFound as it does."""
    return (await _difference(reader, account_id, event, seats)).counts(len(seats))


class _Difference(msgspec.Struct, frozen=True):
    """Between the seats that are sent and those that are there: rows to insert, and new places by seat id."""

    added: list[tuple[Any, ...]]
    changed: list[tuple[bytes, SeatPlace]]

    def counts(self, sent: int) -> SeatCounts:
        return SeatCounts(len(self.added), len(self.changed), sent - len(self.added) - len(self.changed))


async def _difference(
    reader: Transaction, account_id: bytes, event: EventRecord, seats: Sequence[PutSeat]
) -> _Difference:
    wanted = _places(event, seats)
    difference = _Difference([], [])
    for part in chunks(seats):
        labels = [seat_label(seat.section, seat.row, seat.number) for seat in part]
        known = await select_places(reader, account_id, event.event_id, labels)
        for label, seat in zip(labels, part, strict=True):
            place = wanted[label]
            if label not in known:
                difference.added.append(_new_row(account_id, event.event_id, label, seat, place))
            elif known[label][1] != place:
                difference.changed.append((known[label][0], place))
    return difference


def _places(event: EventRecord, seats: Sequence[PutSeat]) -> Mapping[str, SeatPlace]:
    """By label."""
    category_ids = {row.category: row.category_id for row in event.categories}
    wanted = {}
    for seat in seats:
        category_id = category_ids.get(seat.category)
        if category_id is None:
            raise NotFound(kind="category", name=seat.category)
        wanted[seat_label(seat.section, seat.row, seat.number)] = SeatPlace(category_id, seat.x, seat.y)
    return wanted


def _new_row(account_id: bytes, event_id: bytes, label: str, seat: PutSeat, place: SeatPlace) -> tuple[Any, ...]:
    """In the order of SEAT_COLUMNS."""
    names = (label.encode(), seat.section.encode(), seat.row.encode(), seat.number.encode())
    return (new_id(), account_id, event_id, *names, place.category_id, place.x, place.y, SEAT_AVAILABLE, 1)
