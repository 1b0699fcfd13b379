"""Who waits is served first: promotion of pending reservations, and what the oldest of them keep newcomers from.

In order of creation; one that does not fit lets smaller ones pass until it is old (`barrier_ms`), then nothing
overtakes it: of each line, as many units as it wants are set aside, and where there are not so many, all there are.
A wish that could not be met even if every hold ended bars nobody: else one reservation of a sold seat would close a
sale.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from service.inventory.tables import SEAT_BLOCKED, SEAT_CONFIRMED
from service.reservations.commands import BestAvailableLine, RequestLine, SeatsLine, StockLine
from service.reservations.decide import transitions
from service.reservations.decide.claims import (
    Barrier,
    choose_seats,
    find_category,
    find_event,
    find_seat,
    find_stock,
    plan_claim,
    take,
)
from service.reservations.records import Reservation
from service.reservations.snapshot import Snapshot
from service.reservations.wanted import read_wanted


def serve_waiting(work: Snapshot, pools: Iterable[bytes], barrier_ms: int) -> Barrier:
    """Hold for everybody who waits at `pools` and fits now, oldest first; what those who do not fit bar others from."""
    barrier = Barrier()
    waiting = _who_waits(work, pools)
    if not waiting:
        return barrier
    # Ids are time-ordered, but made by hosts; creation by the database's clock decides.
    in_order = sorted(
        waiting, key=lambda reservation_id: (work.reservations[reservation_id].created_at, reservation_id)
    )
    hopeless: set[bytes | None] = set()
    hopes: dict[bytes | None, bool] = {}
    for reservation_id in in_order:
        reservation = work.reservations[reservation_id]
        if reservation.state != "pending":
            continue
        if reservation.is_lapsed(work.now):
            transitions.expire(work, reservation)
        elif reservation.wanted not in hopeless and promote(work, reservation, barrier):
            hopeless.clear()  # a lapsed hold that it ended may have given others more than it took
        else:
            hopeless.add(reservation.wanted)
            if work.now - reservation.created_at >= barrier_ms:
                # No promotion changes what could be had if every hold ended, so it is asked once a wish.
                hope = hopes.get(reservation.wanted)
                if hope is None:
                    hope = hopes[reservation.wanted] = _could_be_met(work, reservation)
                if hope:
                    _set_aside(work, reservation, barrier)
    return barrier


def _who_waits(work: Snapshot, pools: Iterable[bytes]) -> set[bytes]:
    """Who waits at these pools, and at others where one of them waits: there, too, nobody overtakes an older one."""
    found: set[bytes] = set()
    seen: set[bytes] = set()
    to_see = set(pools)
    while to_see:
        here = {reservation_id for pool_id in to_see for reservation_id in work.waiting.get(pool_id) or ()} - found
        found |= here
        seen |= to_see
        to_see = {pool_id for reservation_id in here for pool_id in work.reservations[reservation_id].pools} - seen
    return found


def promote(work: Snapshot, reservation: Reservation, barrier: Barrier) -> bool:
    """Hold all that a pending reservation wants, if it can be had; whether it was."""
    wanted = read_wanted(reservation.wanted)
    if not _sales_open(work, reservation.account_id, wanted):
        return False
    claim = plan_claim(work, reservation.account_id, wanted, barrier)
    if claim.unavailable:
        return False
    transitions.leave_waiting(work, reservation)
    after = replace(
        reservation,
        state="held",
        version=reservation.version + 1,
        lapses_at=work.now + reservation.hold_seconds * 1000,
        held_at=work.now,
        wanted=None,
        pools=(),
        lines=take(work, reservation.id, claim),
    )
    transitions.move(work, after, "pending", "hold", actor=transitions.CLOCK, reason=None)
    return True


def serve_freed(work: Snapshot, barrier_ms: int) -> None:
    """After a command that gave units back: whoever waits for their pools gets them in the same transaction."""
    if not work.freed:
        return
    # A promotion may itself end lapsed holds and so free more pools: until nothing new is freed.
    served: set[bytes] = set()
    while fresh := sorted(pool_id for pool_id in work.freed - served if work.waiting.get(pool_id)):
        served.update(fresh)
        serve_waiting(work, fresh, barrier_ms)


def _sales_open(work: Snapshot, account_id: bytes, wanted: Iterable[RequestLine]) -> bool:
    events = (line.event for line in wanted if isinstance(line, (SeatsLine, BestAvailableLine)))
    return all(find_event(work, account_id, event).sales == "open" for event in events)


def _set_aside(work: Snapshot, reservation: Reservation, barrier: Barrier) -> None:
    """Keep newcomers from what an old one waits with: the units that it could take, else whatever could become one."""
    account_id = reservation.account_id
    for line in sorted(read_wanted(reservation.wanted), key=lambda line: isinstance(line, BestAvailableLine)):
        if isinstance(line, StockLine):
            stock_id = find_stock(work, account_id, line.sku, line.location)
            barrier.stock[stock_id] = barrier.stock.get(stock_id, 0) + line.quantity
            continue
        event = find_event(work, account_id, line.event)
        if isinstance(line, SeatsLine):
            barrier.seats.update(find_seat(work, event, label).id for label in line.seats)
            continue
        categories = (
            work.event_categories[event.id] if line.category is None else (find_category(work, event, line.category),)
        )
        area = {(category_id, line.section) for category_id in categories}
        if area <= barrier.areas:
            continue
        claim = plan_claim(work, account_id, (line,), barrier)
        if claim.unavailable:
            barrier.areas |= area
        else:
            barrier.seats.update(found.seat_id for found in claim.lines if found.seat_id is not None)


def _could_be_met(work: Snapshot, reservation: Reservation) -> bool:
    """Whether the end of every present hold would be enough for all lines together."""
    account_id, wanted = reservation.account_id, read_wanted(reservation.wanted)
    if not _sales_open(work, account_id, wanted):
        return False
    gone: set[bytes] = set()

    def may_be_free(seat_id: bytes) -> bool:
        return seat_id not in gone and work.seats[seat_id].state not in {SEAT_CONFIRMED, SEAT_BLOCKED}

    for line in sorted(wanted, key=lambda line: isinstance(line, BestAvailableLine)):
        if isinstance(line, StockLine):
            item = work.stock[find_stock(work, account_id, line.sku, line.location)]
            if item.on_hand - item.confirmed < line.quantity:
                return False
            continue
        event = find_event(work, account_id, line.event)
        if isinstance(line, SeatsLine):
            chosen = [find_seat(work, event, label).id for label in line.seats]
            if not all(map(may_be_free, chosen)):
                return False
        else:
            found = choose_seats(work, event, line, may_be_free)
            if found is None:
                return False
            chosen = found
        gone.update(chosen)
    return True
