"""Blocks: seats that the operator takes out of sale, and puts back. All or nothing, safe to repeat."""

from msgspec.structs import replace

from service.inventory.tables import SEAT_AVAILABLE, SEAT_BLOCKED, SEAT_HELD
from service.refusals import InventoryUnavailable, UnavailableSeats
from service.reservations.commands import BlockSeats
from service.reservations.decide import transitions
from service.reservations.decide.claims import find_event, find_seat, is_lapsed_hold
from service.reservations.decide.waiting import serve_freed
from service.reservations.records import Seat
from service.reservations.snapshot import Snapshot


def block_seats(work: Snapshot, command: BlockSeats, barrier_ms: int) -> int:
    """How many seats changed. Raises NotFound, InventoryUnavailable (line 1: the seats that are held or confirmed)."""
    event = find_event(work, command.account_id, command.event)
    seats = [find_seat(work, event, label) for label in command.seats]
    source, target = (SEAT_AVAILABLE, SEAT_BLOCKED) if command.blocked else (SEAT_BLOCKED, SEAT_AVAILABLE)
    if command.blocked:
        _end_lapsed(work, seats)
        seats = [work.seats[seat.id] for seat in seats]
        taken = [seat.seat for seat in seats if seat.state not in {source, target}]
        if taken:
            raise InventoryUnavailable(unavailable=[UnavailableSeats(line=1, event=event.event, seats=taken)])
    changing = [seat for seat in seats if seat.state == source]
    for seat in changing:
        work.seats[seat.id] = replace(seat, state=target, version=seat.version + 1)
        if not command.blocked:
            work.free(seat.category_id)
    serve_freed(work, barrier_ms)
    return len(changing)


def _end_lapsed(work: Snapshot, seats: list[Seat]) -> None:
    for seat in seats:
        holder = work.holders.get(seat.id) if seat.state == SEAT_HELD else None
        if holder is not None and is_lapsed_hold(work, holder):
            transitions.expire(work, work.reservations[holder])
