"""Whether a request's lines can all be had now, and taking them. Planned whole before anything moves: all or nothing.

Units of a hold past its time count as free; taking one ends that whole reservation first, with its history and message.
Explicit seats are planned before best-available ones, whatever their order in the request.
"""

from collections.abc import Callable, Iterable

import msgspec

from service.inventory.tables import SEAT_HELD
from service.refusals import NotFound, Unavailable, UnavailableBest, UnavailableSeats, UnavailableStock
from service.reservations.commands import BestAvailableLine, RequestLine, SeatsLine, StockLine
from service.reservations.decide import transitions
from service.reservations.records import Event, Line, Reservation, Seat
from service.reservations.snapshot import Miss, Snapshot


class MoreSeatsNeeded(Exception):
    """The snapshot holds only the front rows of this event and none of them fits: read more and decide again."""

    def __init__(self, event_id: bytes) -> None:
        super().__init__(event_id)
        self.event_id = event_id


class Barrier(msgspec.Struct):
    """What the oldest waiting reservations have first call on; nothing overtakes them."""

    stock: dict[bytes, int] = msgspec.field(default_factory=dict)  # stock item -> units set aside
    seats: set[bytes] = msgspec.field(default_factory=set)
    areas: set[tuple[bytes, str | None]] = msgspec.field(default_factory=set)  # category, section

    def __bool__(self) -> bool:
        return bool(self.stock or self.seats or self.areas)

    def bars(self, seat: Seat) -> bool:
        return (
            seat.id in self.seats
            or (seat.category_id, None) in self.areas
            or (seat.category_id, seat.section) in self.areas
        )


class Claim(msgspec.Struct):
    """A plan.

    The lines to take in the order of the request, the lapsed reservations to end first, or what is missing.
    """

    lines: list[Line]
    lapsed: dict[bytes, None]
    unavailable: list[Unavailable]


def plan_claim(work: Snapshot, account_id: bytes, wanted: Iterable[RequestLine], barrier: Barrier) -> Claim:
    """Find units for all wanted lines; changes nothing. Raises NotFound for a name that does not exist."""
    return _Planner(work, account_id, barrier).plan(tuple(wanted))


def take(work: Snapshot, reservation_id: bytes, claim: Claim) -> tuple[Line, ...]:
    """Carry out a plan in which nothing is unavailable; the live lines."""
    for lapsed_id in claim.lapsed:
        lapsed = work.reservations[lapsed_id]
        if lapsed.state == "held":
            transitions.expire(work, lapsed)
    return tuple(transitions.claim(work, reservation_id, line) for line in claim.lines)


class _Planner:
    """One plan's bookkeeping: seats already picked, stock already counted, lapsed holds already counted as ended."""

    def __init__(self, work: Snapshot, account_id: bytes, barrier: Barrier) -> None:
        self.work = work
        self.account_id = account_id
        self.barrier = barrier
        self.picked: set[bytes] = set()
        self.lapsed: dict[bytes, None] = {}
        self.unavailable: list[Unavailable] = []

    def plan(self, wanted: tuple[RequestLine, ...]) -> Claim:
        found: dict[int, list[Line]] = {}
        explicit_first = sorted(wanted, key=lambda line: isinstance(line, BestAvailableLine))
        for line in explicit_first:
            if isinstance(line, SeatsLine):
                found[line.number] = self._seats(line)
            elif isinstance(line, StockLine):
                found[line.number] = self._stock(line)
            else:
                found[line.number] = self._best_available(line)
        lines = [made for line in wanted for made in found[line.number]]
        numbered = [msgspec.structs.replace(line, number=number) for number, line in enumerate(lines, 1)]
        self.unavailable.sort(key=lambda missing: missing.line)
        return Claim(numbered, self.lapsed, self.unavailable)

    def plan_again(self, reservation: Reservation) -> Claim:
        """The lines that were not given back, as they were and at their prices, where all their units are free."""
        lines = [line for line in reservation.lines if line.released_at is None]
        for line in lines:
            if line.is_stock:
                item = self.work.stock[line.inventory_id]
                self._stock(StockLine(line.number, item.sku, item.location, line.quantity))
            elif line.seat_id is not None:
                seat = self.work.seats[line.seat_id]
                if self._is_free(seat.id):
                    self._pick(seat)
                else:
                    self.unavailable.append(UnavailableSeats(line=line.number, event=line.name, seats=[seat.seat]))
        return Claim(lines, self.lapsed, self.unavailable)

    def _seats(self, wanted: SeatsLine) -> list[Line]:
        event = find_event(self.work, self.account_id, wanted.event)
        missing, lines = [], []
        for label in wanted.seats:
            seat = find_seat(self.work, event, label)
            if self._is_free(seat.id):
                self._pick(seat)
                lines.append(self._seat_line(event, seat))
            else:
                missing.append(label)
        if missing:
            self.unavailable.append(UnavailableSeats(line=wanted.number, event=wanted.event, seats=missing))
        return lines

    def _best_available(self, wanted: BestAvailableLine) -> list[Line]:
        work = self.work
        event = find_event(work, self.account_id, wanted.event)
        place = (event.id, wanted.section, wanted.category, wanted.together)
        # Where so many found no place, more will find none.
        missed = work.misses.get(place)
        if missed is not None and wanted.quantity < missed.quantity:
            missed = None
        chosen = choose_seats(work, event, wanted, self._is_free) if missed is None else None
        if chosen is None:
            # Only what holds for the commands behind, too: this one's own changes may be dropped.
            shared = not self.picked and not self.barrier and not work.seats.own
            available = missed.available if shared and missed is not None else self._count_free(wanted, event)
            if shared and missed is None:
                work.misses[place] = Miss(min(wanted.quantity, available + 1), available)
            self.unavailable.append(
                UnavailableBest(line=wanted.number, event=wanted.event, requested=wanted.quantity, available=available)
            )
            return []
        seats = [work.seats[seat_id] for seat_id in chosen]
        for seat in seats:
            self._pick(seat)
        return [self._seat_line(event, seat) for seat in seats]

    def _stock(self, wanted: StockLine) -> list[Line]:
        item = self.work.stock[find_stock(self.work, self.account_id, wanted.sku, wanted.location)]
        available = item.available + self._lapsed_units(item.id, self.lapsed) - self.barrier.stock.get(item.id, 0)
        if available < wanted.quantity:
            for reservation_id in self.work.lapsed_on_stock.get(item.id, ()):
                if available >= wanted.quantity:
                    break
                more = self._lapsed_units(item.id, (reservation_id,))
                if more and reservation_id not in self.lapsed and is_lapsed_hold(self.work, reservation_id):
                    self.lapsed[reservation_id] = None
                    available += more
        if available < wanted.quantity:
            self.unavailable.append(
                UnavailableStock(
                    line=wanted.number,
                    sku=wanted.sku,
                    location=wanted.location,
                    requested=wanted.quantity,
                    available=max(available, 0),
                )
            )
            return []
        return [
            Line(
                number=0,
                inventory_id=item.id,
                name=item.sku,
                place=item.location,
                seat_id=None,
                quantity=wanted.quantity,
                amount=item.amount * wanted.quantity,
                currency=item.currency,
                is_stock=True,
            )
        ]

    def _lapsed_units(self, stock_item_id: bytes, reservation_ids: Iterable[bytes]) -> int:
        return sum(
            line.quantity
            for reservation_id in reservation_ids
            for line in self.work.reservations[reservation_id].lines
            if line.live and line.inventory_id == stock_item_id
        )

    def _is_free(self, seat_id: bytes) -> bool:
        seat = self.work.seats[seat_id]
        return seat_id not in self.picked and not self.barrier.bars(seat) and self._may_take(seat)

    def _may_take(self, seat: Seat) -> bool:
        """Available, or held by a hold past its time."""
        if seat.is_available:
            return True
        return seat.state == SEAT_HELD and self._lapsed_holder(seat) is not None

    def _lapsed_holder(self, seat: Seat) -> bytes | None:
        holder = self.work.holders.get(seat.id)
        return holder if holder is not None and is_lapsed_hold(self.work, holder) else None

    def _pick(self, seat: Seat) -> None:
        self.picked.add(seat.id)
        if not seat.is_available:
            holder = self._lapsed_holder(seat)
            if holder is not None:
                self.lapsed[holder] = None

    def _seat_line(self, event: Event, seat: Seat) -> Line:
        category = self.work.categories[seat.category_id]
        return Line(
            number=0,
            inventory_id=event.id,
            name=event.event,
            place=seat.seat,
            seat_id=seat.id,
            quantity=1,
            amount=category.amount,
            currency=category.currency,
            is_stock=False,
        )

    def _count_free(self, wanted: BestAvailableLine, event: Event) -> int:
        category_id = find_category(self.work, event, wanted.category) if wanted.category is not None else None
        return sum(
            1
            for seat in [*self.work.seats.rows.values()]
            if seat.event_id == event.id
            and (wanted.section is None or seat.section == wanted.section)
            and (category_id is None or seat.category_id == category_id)
            and self._is_free(seat.id)
        )


def choose_seats(
    work: Snapshot, event: Event, wanted: BestAvailableLine, is_free: Callable[[bytes], bool]
) -> list[bytes] | None:
    """The seats for a best-available line, None if there is no such place. Raises MoreSeatsNeeded, NotFound."""
    plan_key = (event.id, wanted.section)
    is_whole = plan_key in work.whole_plans
    chosen = work.plans[plan_key].choose(
        quantity=wanted.quantity,
        is_free=is_free,
        together=wanted.together,
        section=wanted.section,
        category_id=find_category(work, event, wanted.category) if wanted.category is not None else None,
        # A run that leaves an orphan is the last resort, and rows that were not read may hold a better one.
        orphans=is_whole,
    )
    if chosen is None and not is_whole:
        raise MoreSeatsNeeded(event.id)
    return chosen


def is_lapsed_hold(work: Snapshot, reservation_id: bytes) -> bool:
    reservation = work.reservations.get(reservation_id)
    return reservation is not None and reservation.state == "held" and reservation.is_lapsed(work.now)


def free_again(work: Snapshot, reservation: Reservation, barrier: Barrier) -> Claim:
    """Whether all lines that an expired reservation had to its end are still free: a late confirm's question."""
    return _Planner(work, reservation.account_id, barrier).plan_again(reservation)


def find_event(work: Snapshot, account_id: bytes, name: str) -> Event:
    """Raises NotFound."""
    event = work.events.get((account_id, name))
    if event is None:
        raise NotFound(kind="event", name=name)
    return event


def find_category(work: Snapshot, event: Event, name: str) -> bytes:
    """Raises NotFound."""
    for category_id in work.event_categories[event.id]:
        if work.categories[category_id].category == name:
            return category_id
    raise NotFound(kind="category", name=name)


def find_seat(work: Snapshot, event: Event, label: str) -> Seat:
    """Raises NotFound."""
    seat_id = work.seat_ids.get((event.id, label))
    if seat_id is None:
        raise NotFound(kind="seat", name=label)
    return work.seats[seat_id]


def find_stock(work: Snapshot, account_id: bytes, sku: str, location: str) -> bytes:
    """Raises NotFound: of kind `location` where the SKU has no stock at it."""
    stock_id = work.stock_ids.get((account_id, sku, location))
    if stock_id is not None:
        return stock_id
    if any(key[0] == account_id and key[1] == sku for key in work.stock_ids.rows):
        raise NotFound(kind="location", name=location)
    raise NotFound(kind="sku", name=sku)


def check_names(work: Snapshot, account_id: bytes, wanted: Iterable[RequestLine]) -> None:
    """Raises NotFound for the first name in a request that does not exist: before any other refusal."""
    for line in wanted:
        if isinstance(line, StockLine):
            find_stock(work, account_id, line.sku, line.location)
            continue
        event = find_event(work, account_id, line.event)
        if isinstance(line, SeatsLine):
            for label in line.seats:
                find_seat(work, event, label)
            continue
        if line.category is not None:
            find_category(work, event, line.category)
        if line.section is not None and (event.id, line.section) not in work.sections:
            raise NotFound(kind="section", name=line.section)


def pools_wanted(work: Snapshot, account_id: bytes, wanted: Iterable[RequestLine]) -> list[bytes]:
    """The pools that a request touches: stock items, and the categories that its seats are or may be of.

    In order of id.
    """
    pools: set[bytes] = set()
    for line in wanted:
        if isinstance(line, StockLine):
            pools.add(find_stock(work, account_id, line.sku, line.location))
            continue
        event = find_event(work, account_id, line.event)
        if isinstance(line, SeatsLine):
            pools.update(find_seat(work, event, label).category_id for label in line.seats)
        elif line.category is not None:
            pools.add(find_category(work, event, line.category))
        else:
            pools.update(work.event_categories[event.id])
    return sorted(pools)
