"""R1, R2, R4, R5 and R8 of domain.md, judged over the rows and messages of a small venue."""

from collections import Counter
from collections.abc import Iterator

from service.inventory.tables import SEAT_CONFIRMED, SEAT_HELD
from service.reservations.records import Reservation
from service.reservations.states import LIVE, TERMINAL, TRANSITIONS
from tests.unit.builders import Venue

TABLE = {(row.source, row.action, row.target) for row in TRANSITIONS}
SEAT_STATE = {"held": SEAT_HELD, "confirmed": SEAT_CONFIRMED}


def broken(venue: Venue) -> list[str]:
    """What is wrong, one sentence each; nothing, if all is well."""
    faults = [*_seats(venue), *_stock(venue), *_waiting(venue)]
    for reservation in venue.reservations.values():
        faults += [f"{reservation.reference}: {fault}" for fault in _reservation(reservation)]
        faults += [f"{reservation.reference}: {fault}" for fault in _history(venue, reservation)]
    return faults


def _seats(venue: Venue) -> Iterator[str]:
    claimed: dict[bytes, Reservation] = {}
    for reservation in venue.reservations.values():
        for line in reservation.live_lines:
            if line.seat_id is not None:
                if line.seat_id in claimed:
                    yield f"R1: {line.place} is live twice"
                claimed[line.seat_id] = reservation
    for seat in venue.seats.values():
        owner = claimed.get(seat.id)
        if owner is None and seat.state in SEAT_STATE.values():
            yield f"R1: {seat.seat} is claimed by nobody"
        if owner is not None and seat.state != SEAT_STATE.get(owner.state):
            yield f"R1: {seat.seat} is {seat.state}, its reservation is {owner.state}"


def _stock(venue: Venue) -> Iterator[str]:
    sums: Counter[tuple[bytes, str]] = Counter()
    for reservation in venue.reservations.values():
        for line in reservation.live_lines:
            if line.is_stock:
                sums[line.inventory_id, reservation.state] += line.quantity
    for item in venue.stock.values():
        if (item.held, item.confirmed) != (sums[item.id, "held"], sums[item.id, "confirmed"]):
            yield f"R2: {item.sku} counts {item.held} and {item.confirmed}, its lines say otherwise"
        if min(item.held, item.confirmed, item.available) < 0:
            yield f"R2: {item.sku} is below zero"


def _waiting(venue: Venue) -> Iterator[str]:
    waiters = Counter(pool_id for row in venue.reservations.values() for pool_id in row.pools)
    for pool_id, row in {**venue.stock, **venue.categories}.items():
        if row.waiters != waiters[pool_id]:
            yield f"{pool_id!r} counts {row.waiters} waiters, {waiters[pool_id]} wait"


def _reservation(row: Reservation) -> Iterator[str]:
    pending = row.state == "pending"
    if row.state in LIVE and not row.live_lines:
        yield f"{row.state} without a live line"
    if row.state not in LIVE and row.live_lines:
        yield f"{row.state} with a live line"
    if any(line.live and line.seat_id is None and not line.is_stock for line in row.lines):
        yield "a live line of no seat"
    if (row.wanted is not None, bool(row.pools)) != (pending, pending):
        yield f"{row.state}, but what it waits for is {row.wanted!r} at {row.pools!r}"
    if (row.lapses_at is not None) != (row.state in {"pending", "held"}):
        yield f"{row.state} with lapses_at {row.lapses_at}"
    if (row.ended_at is not None) != (row.state in TERMINAL):
        yield f"{row.state} with ended_at {row.ended_at}"
    if row.state == "confirmed" and row.confirmed_at is None:
        yield "confirmed at no time"
    if [line.number for line in row.lines] != list(range(1, len(row.lines) + 1)):
        yield "lines with gaps in their numbers"


def _history(venue: Venue, row: Reservation) -> Iterator[str]:
    changes = [message for message in venue.messages if message.reference == row.reference]
    if [change.version for change in changes] != list(range(1, row.version + 1)):
        yield f"R4, R8: version {row.version}, told are {[change.version for change in changes]}"
    state = None
    for change in changes:
        if change.source != state or (change.source, change.action, change.target) not in TABLE:
            yield f"R4: {change.action} from {change.source} to {change.target} while {state}"
        if state in TERMINAL and (state, change.action) != ("expired", "confirm"):
            yield f"R5: {state} has changed"
        state = change.target
    if state != row.state:
        yield f"R4: it is {row.state}, its history ends with {state}"
