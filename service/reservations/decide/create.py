"""Create: hold all lines at once or nothing; with `wait`, stay pending. Refusals in the order of the contract."""

from service.ids import show_reference
from service.refusals import ExternalReferenceExists, InvalidRequest, InventoryUnavailable, SalesClosed
from service.reservations.commands import BestAvailableLine, CreateReservation, RequestLine, SeatsLine, StockLine
from service.reservations.decide import transitions
from service.reservations.decide.claims import (
    check_names,
    find_category,
    find_event,
    find_seat,
    find_stock,
    plan_claim,
    pools_wanted,
    take,
)
from service.reservations.decide.waiting import serve_freed, serve_waiting
from service.reservations.records import Event, Line, Reservation
from service.reservations.snapshot import Snapshot
from service.reservations.wanted import write_wanted


def create(work: Snapshot, command: CreateReservation, draw: tuple[bytes, str], barrier_ms: int) -> Reservation:
    """The new reservation, held or pending, under the drawn id and reference.

    Raises NotFound, InvalidRequest (hold_seconds), ExternalReferenceExists, SalesClosed, InventoryUnavailable, in
    this order.
    """
    check_names(work, command.account_id, command.lines)
    events = _events(work, command)
    hold_seconds, hold_seconds_max = _hold_times(work, command, events)
    _check_external_reference(work, command)
    for event in events:
        if event.sales != "open":
            raise SalesClosed(event=event.event)
    pools = pools_wanted(work, command.account_id, command.lines)
    barrier = serve_waiting(work, (pool_id for pool_id in pools if work.waiting.get(pool_id)), barrier_ms)
    claim = plan_claim(work, command.account_id, command.lines, barrier)
    # Without a pool (of an event that has no category, and so no seat) there is nothing to wait for.
    if claim.unavailable and not (command.wait and pools):
        raise InventoryUnavailable(unavailable=claim.unavailable)
    reservation_id, reference = draw
    held = not claim.unavailable
    lapses_at = work.now + 1000 * (hold_seconds if held else command.wait_seconds)
    after = Reservation(
        id=reservation_id,
        account_id=command.account_id,
        reference=reference,
        external_reference=command.external_reference,
        customer=command.customer,
        state="held" if held else "pending",
        version=1,
        hold_seconds=hold_seconds,
        hold_seconds_max=hold_seconds_max,
        lapses_at=lapses_at,
        created_at=work.now,
        held_at=work.now if held else None,
        metadata=command.metadata,
        wanted=None if held else write_wanted(command.lines),
        pools=() if held else tuple(pools),
        lines=take(work, reservation_id, claim) if held else _pending_lines(work, command),
    )
    if not held:
        transitions.join_waiting(work, after)
    work.references[command.account_id, reference] = reservation_id
    if command.external_reference is not None:
        work.external_references[command.account_id, command.external_reference] = reference
    transitions.move(work, after, None, "create", actor=command.actor, reason=command.reason)
    serve_freed(work, barrier_ms)
    return after


def _events(work: Snapshot, command: CreateReservation) -> list[Event]:
    names = dict.fromkeys(line.event for line in command.lines if not isinstance(line, StockLine))
    return [find_event(work, command.account_id, name) for name in names]


def _hold_times(work: Snapshot, command: CreateReservation, events: list[Event]) -> tuple[int, int]:
    """Seconds of this hold and the most it may ever be. Raises InvalidRequest."""
    if events:
        usual = min(event.hold_seconds for event in events)
        most = min(event.hold_seconds_max for event in events)
    else:
        usual, most = work.hold_defaults[command.account_id]
    asked = command.hold_seconds if command.hold_seconds is not None else min(usual, most)
    if asked > most:
        raise InvalidRequest(
            errors=[("$.hold_seconds", f"must be at most {most}, the smallest hold_seconds_max of what is held")]
        )
    return asked, most


def _check_external_reference(work: Snapshot, command: CreateReservation) -> None:
    name = command.external_reference
    if name is None:
        return
    taken_by = work.external_references.get((command.account_id, name))
    if taken_by is not None:
        shown = show_reference(taken_by)
        raise ExternalReferenceExists(reference=shown, location=f"/v1/reservations/{shown}")


def _pending_lines(work: Snapshot, command: CreateReservation) -> tuple[Line, ...]:
    """What a pending reservation shows.

    One line for each seat and stock item, seats that are not chosen yet without a label.
    """
    lines: list[Line] = []
    for wanted in command.lines:
        lines.extend(_pending(work, command.account_id, wanted, len(lines)))
    return tuple(lines)


def _pending(work: Snapshot, account_id: bytes, wanted: RequestLine, before: int) -> list[Line]:
    if isinstance(wanted, StockLine):
        item = work.stock[find_stock(work, account_id, wanted.sku, wanted.location)]
        amount = item.amount * wanted.quantity
        return [
            _line(
                before + 1, item.id, item.sku, item.location, None, wanted.quantity, (amount, item.currency), stock=True
            )
        ]
    event = find_event(work, account_id, wanted.event)
    if isinstance(wanted, SeatsLine):
        found = [find_seat(work, event, label) for label in wanted.seats]
        prices = [work.categories[seat.category_id] for seat in found]
        return [
            _line(before + place, event.id, event.event, seat.seat, seat.id, 1, (price.amount, price.currency))
            for place, (seat, price) in enumerate(zip(found, prices, strict=True), 1)
        ]
    price = _known_price(work, event, wanted)
    return [
        _line(before + place, event.id, event.event, None, None, 1, price) for place in range(1, wanted.quantity + 1)
    ]


def _known_price(work: Snapshot, event: Event, wanted: BestAvailableLine) -> tuple[int | None, str | None]:
    if wanted.category is None:
        return None, None
    category = work.categories[find_category(work, event, wanted.category)]
    return category.amount, category.currency


def _line(
    number: int,
    inventory_id: bytes,
    name: str,
    place: str | None,
    seat_id: bytes | None,
    quantity: int,
    price: tuple[int | None, str | None],
    *,
    stock: bool = False,
) -> Line:
    amount, currency = price
    return Line(
        number=number,
        inventory_id=inventory_id,
        name=name,
        place=place,
        seat_id=seat_id,
        quantity=quantity,
        amount=amount,
        currency=currency,
        is_stock=stock,
    )
