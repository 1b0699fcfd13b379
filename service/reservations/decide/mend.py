"""Mends: counters that are not the sums of what is beneath them are set right, each row with one message.

Nothing is promoted here: who waits for units that a mend sets free is served by the worker's next round, or by the next
command for the pool, which sees the waiters that the mend has counted.
"""

from msgspec.structs import replace

from service.refusals import NotFound, StateConflict
from service.reservations.commands import MendCategory, MendCommand, MendSeat, MendStock
from service.reservations.counted import CategoryCounted, Change, SeatCounted, StockCounted
from service.reservations.records import MendedCategory, MendedSeat, Message, StockItem
from service.reservations.snapshot import Snapshot


def mend_stock(work: Snapshot, command: MendStock) -> tuple[Change, ...]:
    """What was mended. Raises NotFound, StateConflict where more is claimed than there is on hand (R2)."""
    counted = work.counted.get(command.row_id)
    if not isinstance(counted, StockCounted) or counted.owner.account_id != command.account_id:
        raise _not_found("sku", command)
    item = work.stock[counted.id]
    if not counted.changes or item.version != counted.version:
        return ()
    if not counted.can_stand:
        raise StateConflict(state="claimed", action="mend", version=item.definition_version)
    after = replace(
        item,
        held=counted.held_lines,
        confirmed=counted.confirmed_lines,
        waiters=counted.waiting,
        version=item.version + 1,
        definition_version=item.definition_version + 1,
    )
    work.stock[item.id] = after
    _tell(work, command, "stock.mended", after, after.definition_version)
    return counted.changes


def mend_seat(work: Snapshot, command: MendSeat) -> tuple[Change, ...]:
    """What was mended. Raises NotFound, StateConflict where its live lines do not say whose it is."""
    counted = work.counted.get(command.row_id)
    if not isinstance(counted, SeatCounted) or counted.owner.account_id != command.account_id:
        raise _not_found("seat", command)
    seat = work.seats[counted.id]
    state = counted.state_of_line
    if state == seat.state or seat.version != counted.version:
        return ()
    if state is None:
        raise StateConflict(state="claimed", action="mend", version=seat.version)
    if counted.event is None or counted.category is None:
        raise _not_found("event" if counted.event is None else "category", command)
    after = replace(seat, state=state, version=seat.version + 1)
    work.seats[seat.id] = after
    told = MendedSeat(after.id, counted.event, after.seat, counted.category, after.state, after.version)
    _tell(work, command, "seat.mended", told, after.version)
    return counted.changes


def mend_category(work: Snapshot, command: MendCategory) -> tuple[Change, ...]:
    """What was mended. Raises NotFound."""
    counted = work.counted.get(command.row_id)
    if not isinstance(counted, CategoryCounted) or counted.owner.account_id != command.account_id:
        raise _not_found("category", command)
    if counted.event is None:
        raise _not_found("event", command)
    category = work.categories[counted.id]
    if not counted.changes or category.version != counted.version:
        return ()
    after = replace(category, waiters=counted.waiting, version=category.version + 1)
    work.categories[category.id] = after
    told = MendedCategory(after.id, counted.event, after.category, after.waiters, after.version)
    _tell(work, command, "category.mended", told, after.version)
    return counted.changes


def _not_found(kind: str, command: MendCommand) -> NotFound:
    return NotFound(kind=kind, name=command.row_id.hex())


def _tell(
    work: Snapshot, command: MendCommand, kind: str, subject: StockItem | MendedSeat | MendedCategory, version: int
) -> None:
    work.messages.append(
        Message(
            account_id=command.account_id,
            subject=subject,
            version=version,
            type=kind,
            reference=None,
            source=None,
            target=None,
            action="mend",
            actor=command.actor,
            reason=command.reason,
            at=work.now,
        )
    )
