"""The moves of a reservation and of the units that it claims. Every change of state goes through `move` (R4, R8)."""

from msgspec.structs import replace

from service.inventory.tables import SEAT_AVAILABLE, SEAT_CONFIRMED, SEAT_HELD
from service.reservations.records import Line, Message, Reservation
from service.reservations.snapshot import Snapshot
from service.reservations.states import Action, State, transition

CLOCK = "worker"
"""Actor of whatever time ends, whoever's transaction does it."""


def move(
    work: Snapshot, after: Reservation, source: State | None, action: Action, *, actor: str, reason: str | None
) -> Reservation:
    """Record that a reservation went from `source` to `after.state`: the row, and one message.

    `after.version` is the new one.
    """
    row = transition(source, action, after.state)
    work.reservations[after.id] = after
    work.messages.append(
        Message(
            account_id=after.account_id,
            subject=after,
            version=after.version,
            type=row.message,
            reference=after.reference,
            source=source,
            target=after.state,
            action=action,
            actor=actor,
            reason=reason,
            at=work.now,
        )
    )
    return after


def claim(work: Snapshot, reservation_id: bytes, line: Line, *, confirmed: bool = False) -> Line:
    """Take the units of a line that are free (the caller has planned it)."""
    if line.is_stock:
        item = work.stock[line.inventory_id]
        if confirmed:
            item = replace(item, confirmed=item.confirmed + line.quantity, version=item.version + 1)
        else:
            item = replace(item, held=item.held + line.quantity, version=item.version + 1)
        work.stock[item.id] = item
    elif line.seat_id is not None:
        seat = work.seats[line.seat_id]
        state = SEAT_CONFIRMED if confirmed else SEAT_HELD
        work.seats[seat.id] = replace(seat, state=state, version=seat.version + 1)
        work.holders[seat.id] = reservation_id
    return replace(line, live=True)


def give_back(work: Snapshot, line: Line, state: State) -> Line:
    """Free the units of a live line of a reservation that was in `state`; notes their pools as freed."""
    if line.is_stock:
        item = work.stock[line.inventory_id]
        if state == "held":
            item = replace(item, held=item.held - line.quantity, version=item.version + 1)
        else:
            item = replace(item, confirmed=item.confirmed - line.quantity, version=item.version + 1)
        work.stock[item.id] = item
        work.free(item.id)
    elif line.seat_id is not None:
        seat = work.seats[line.seat_id]
        work.seats[seat.id] = replace(seat, state=SEAT_AVAILABLE, version=seat.version + 1)
        work.holders[seat.id] = None
        work.free(seat.category_id)
    return replace(line, live=False)


def settle(work: Snapshot, line: Line) -> None:
    """Units of a live line go from held to confirmed."""
    if line.is_stock:
        item = work.stock[line.inventory_id]
        work.stock[item.id] = replace(
            item, held=item.held - line.quantity, confirmed=item.confirmed + line.quantity, version=item.version + 1
        )
    elif line.seat_id is not None:
        seat = work.seats[line.seat_id]
        work.seats[seat.id] = replace(seat, state=SEAT_CONFIRMED, version=seat.version + 1)


def expire(work: Snapshot, reservation: Reservation, reason: str | None = None) -> Reservation:
    """End a held or pending reservation whose time is over; a whole one, with all its lines."""
    if reservation.state == "pending":
        leave_waiting(work, reservation)
    lines = tuple(give_back(work, line, "held") if line.live else line for line in reservation.lines)
    after = replace(
        reservation,
        state="expired",
        version=reservation.version + 1,
        ended_at=reservation.lapses_at,
        lapses_at=None,
        wanted=None,
        pools=(),
        lines=lines,
    )
    return move(work, after, reservation.state, "expire", actor=CLOCK, reason=reason)


def join_waiting(work: Snapshot, reservation: Reservation) -> None:
    """Count a pending reservation at each of its pools; the count bumps the pool's version."""
    for pool_id in reservation.pools:
        _count_waiter(work, pool_id, 1)
        work.waiting[pool_id] = (*(work.waiting.get(pool_id) or ()), reservation.id)


def leave_waiting(work: Snapshot, reservation: Reservation) -> None:
    """Take a reservation that is no longer pending out of every pool that it waited for."""
    for pool_id in reservation.pools:
        _count_waiter(work, pool_id, -1)
        waiting = work.waiting.get(pool_id) or ()
        work.waiting[pool_id] = tuple(other for other in waiting if other != reservation.id)


def _count_waiter(work: Snapshot, pool_id: bytes, change: int) -> None:
    item = work.stock.get(pool_id)
    if item is not None:
        work.stock[pool_id] = replace(item, waiters=item.waiters + change, version=item.version + 1)
        return
    category = work.categories[pool_id]
    work.categories[pool_id] = replace(category, waiters=category.waiters + change, version=category.version + 1)
