"""The rules of domain.md once more, naively, for comparison with the decision.

Nothing is counted and nothing is cached: who has a seat and how much of a stock item is left is derived from the list
of bookings each time it is asked. A refused command is undone by going back to a copy of everything. One event
(`final`), one category a row, one section, the default location.
"""

from collections import Counter
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from service.inventory.seating import SeatingPlan, SeatPosition
from service.reservations import commands as c

BARRIER_MS = 60_000
TERMINAL = {"released", "expired", "cancelled"}
Refused = tuple[str, str]


class No(Exception):
    """A refusal, by its slug."""


@dataclass
class Part:
    """A line: `unit` is a seat's label or a SKU, None while no seat is chosen."""

    unit: str | None
    quantity: int
    live: bool = False
    given_back: bool = False


@dataclass
class Booking:
    number: int
    reference: str
    created: int
    wants: tuple[c.RequestLine, ...]
    hold_s: int
    state: str
    lapses: int | None
    parts: list[Part]
    version: int = 1
    held_at: int | None = None


@dataclass
class Model:
    rows: dict[str, int]
    categories: dict[str, str]
    on_hand: dict[str, int]
    sales: str = "open"
    hold_s_max: int = 400
    now: int = 0
    bookings: list[Booking] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)
    named: dict[str, str] = field(default_factory=dict)
    adjusted: dict[tuple[str, str], tuple[int, str | None, str]] = field(default_factory=dict)
    answers: dict[bytes, tuple[bytes, str]] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    creates: int = 0

    # What is had by whom.

    def is_lapsed(self, booking: Booking) -> bool:
        return booking.lapses is not None and self.now >= booking.lapses

    def holders(self, unit: str, *, lapsed: bool) -> list[Booking]:
        """Bookings with live lines of the unit, those past their time or those that are not, oldest end first."""
        found = [
            booking
            for booking in self.bookings
            if any(part.live and part.unit == unit for part in booking.parts)
            and (booking.state == "held" and self.is_lapsed(booking)) == lapsed
        ]
        return sorted(found, key=lambda booking: (booking.lapses or 0, booking.number))

    def is_free(self, seat: str) -> bool:
        return seat not in self.blocked and not self.holders(seat, lapsed=False)

    def left(self, sku: str, *, lapsed_count: bool = False) -> int:
        claimed = self.holders(sku, lapsed=False) + (self.holders(sku, lapsed=True) if lapsed_count else [])
        return self.on_hand[sku] - sum(
            part.quantity for booking in claimed for part in booking.parts if part.live and part.unit == sku
        )

    def pool(self, unit: str) -> str:
        return unit if unit in self.on_hand else f"category {self.categories[unit.split('-')[1]]}"

    def pools(self, wants: tuple[c.RequestLine, ...]) -> set[str]:
        found: set[str] = set()
        for want in wants:
            if isinstance(want, c.StockLine):
                found.add(want.sku)
            elif isinstance(want, c.SeatsLine):
                found |= {self.pool(seat) for seat in want.seats}
            elif want.category is not None:
                found.add(f"category {want.category}")
            else:
                found |= {f"category {name}" for name in self.categories.values()}
        return found

    def choose(self, want: c.BestAvailableLine, free: Any) -> list[str] | None:
        positions = [
            SeatPosition(f"S-{row}-{number}".encode(), "S", row, str(number), self.categories[row].encode())
            for row, count in self.rows.items()
            for number in range(1, count + 1)
        ]
        category = None if want.category is None else want.category.encode()
        chosen = SeatingPlan(positions).choose(
            quantity=want.quantity,
            is_free=lambda seat: free(seat.decode()),
            together=want.together,
            section=want.section,
            category_id=category,
        )
        return None if chosen is None else [seat.decode() for seat in chosen]

    # Claiming.

    def fit(self, wants: tuple[c.RequestLine, ...], barred: Counter[str]) -> dict[int, list[str]] | None:
        """The seats of each want where all can be had, explicit ones first; else None."""
        taken: set[str] = set()
        seats: dict[int, list[str]] = {}

        def free(seat: str) -> bool:
            return not barred[seat] and not barred[self.pool(seat)] and seat not in taken and self.is_free(seat)

        for want in sorted(wants, key=lambda want: isinstance(want, c.BestAvailableLine)):
            if isinstance(want, c.StockLine):
                if self.left(want.sku) - barred[want.sku] < want.quantity:
                    return None
                continue
            chosen = list(want.seats) if isinstance(want, c.SeatsLine) else self.choose(want, free)
            if chosen is None or not all(free(seat) for seat in chosen):
                return None
            taken.update(chosen)
            seats[want.number] = chosen
        return seats

    def claim(
        self, booking: Booking, wants: tuple[c.RequestLine, ...], seats: dict[int, list[str]], barred: Counter[str]
    ) -> None:
        """End the lapsed holds whose units are needed, then take all."""
        for want in sorted(wants, key=lambda want: isinstance(want, c.BestAvailableLine)):
            if isinstance(want, c.StockLine):
                self.end_lapsed_for(want.sku, want.quantity + barred[want.sku])
            else:
                for seat in seats[want.number]:
                    self.end_all(self.holders(seat, lapsed=True))
        booking.parts = [
            Part(unit, quantity, live=True)
            for want in wants
            for unit, quantity in (
                [(want.sku, want.quantity)]
                if isinstance(want, c.StockLine)
                else [(seat, 1) for seat in seats[want.number]]
            )
        ]

    def end_lapsed_for(self, sku: str, quantity: int) -> None:
        while self.left(sku, lapsed_count=True) < quantity:
            self.expire(self.holders(sku, lapsed=True)[0])

    def end_all(self, bookings: list[Booking]) -> None:
        for booking in bookings:
            self.expire(booking)

    def give_back(self, parts: list[Part]) -> None:
        for part in parts:
            part.live = False
            self.freed.add(self.pool(str(part.unit)))

    def move(self, booking: Booking, state: str, lapses: int | None = None) -> None:
        booking.state, booking.lapses = state, lapses
        booking.version += 1

    def expire(self, booking: Booking) -> None:
        self.give_back([part for part in booking.parts if part.live])
        self.move(booking, "expired")

    # Waiting.

    def serve(self, pools: set[str]) -> Counter[str]:
        """Hold for those who wait, oldest first; what the old ones that do not fit keep from others.

        Seats and whole categories by name, stock by units.
        """
        pending = sorted((b for b in self.bookings if b.state == "pending"), key=lambda b: (b.created, b.number))
        pools = set(pools)
        while any(self.pools(b.wants) & pools and not self.pools(b.wants) <= pools for b in pending):
            pools |= {pool for b in pending if self.pools(b.wants) & pools for pool in self.pools(b.wants)}
        barred: Counter[str] = Counter()
        for booking in pending:
            if not self.pools(booking.wants) & pools:
                continue
            if self.is_lapsed(booking):
                self.expire(booking)
            elif not self.promote(booking, barred) and self.now - booking.created >= BARRIER_MS:
                self.set_aside(booking, barred)
        return barred

    def promote(self, booking: Booking, barred: Counter[str]) -> bool:
        seats = None if self.is_closed(booking.wants) else self.fit(booking.wants, barred)
        if seats is None:
            return False
        self.claim(booking, booking.wants, seats, barred)
        self.move(booking, "held", self.now + 1000 * booking.hold_s)
        booking.held_at = self.now
        return True

    def set_aside(self, booking: Booking, barred: Counter[str]) -> None:
        """What an old one bars: nothing, if the end of all holds would not be enough for it.

        Else the units and seats of each line; where a best-available line finds none, all that it could find later.
        """
        everything = copy(self)
        everything.bookings = [b for b in everything.bookings if b.state == "confirmed"]
        if self.is_closed(booking.wants) or everything.fit(booking.wants, Counter()) is None:
            return
        for want in sorted(booking.wants, key=lambda want: isinstance(want, c.BestAvailableLine)):
            if isinstance(want, c.StockLine):
                barred[want.sku] += want.quantity
            elif isinstance(want, c.SeatsLine):
                barred.update(want.seats)
            else:
                found = self.fit((want,), barred)
                barred.update(self.pools((want,)) if found is None else found[want.number])

    def serve_freed(self) -> None:
        served: set[str] = set()
        while self.freed - served:
            fresh = self.freed - served
            served |= fresh
            self.serve(fresh)

    def is_closed(self, wants: tuple[c.RequestLine, ...]) -> bool:
        return self.sales != "open" and any(not isinstance(want, c.StockLine) for want in wants)

    # Commands.

    def decide(self, command: c.Command) -> str:
        """What the command is told; the model afterwards is what it has made of everything."""
        self.creates += isinstance(command, c.CreateReservation)
        key = command.key
        if key is not None and key.scope_hash in self.answers:
            fingerprint, told = self.answers[key.scope_hash]
            if fingerprint == key.fingerprint:
                return told
            return "idempotency-key-reused" if self.exists(command) else "not-found"
        before = self.copied()
        self.freed = set()
        try:
            told = getattr(self, f"on_{type(command).__name__}")(command)
        except No as no:
            told = str(no)
            vars(self).update(before)
        if key is not None and told not in {"not-found", "invalid-request"}:
            self.answers[key.scope_hash] = (key.fingerprint, told)
        return told

    def copied(self) -> dict[str, Any]:
        """Everything, as it can be gone back to."""
        before = {name: copy(value) for name, value in vars(self).items()}
        before["bookings"] = [
            replace(booking, parts=[replace(part) for part in booking.parts]) for booking in self.bookings
        ]
        return before

    def exists(self, command: c.Command) -> bool:
        if not isinstance(command, c.ReservationCommand):
            return True
        return any(booking.reference == command.reference for booking in self.bookings)

    def on_CreateReservation(self, command: c.CreateReservation) -> str:  # noqa: N802 - a command's name
        has_seats = any(not isinstance(line, c.StockLine) for line in command.lines)
        most = self.hold_s_max if has_seats else 3600
        hold_s = (300 if has_seats else 600) if command.hold_seconds is None else command.hold_seconds
        if hold_s > most:
            raise No("invalid-request")
        if command.external_reference in self.named:
            raise No("external-reference-exists")
        if self.is_closed(command.lines):
            raise No("sales-closed")
        barred = self.serve(self.pools(command.lines))
        seats = self.fit(command.lines, barred)
        if seats is None and not command.wait:
            raise No("inventory-unavailable")
        reference = f"R{self.creates:09}"
        booking = Booking(
            self.creates,
            reference,
            self.now,
            command.lines,
            hold_s,
            "pending",
            self.now + 1000 * command.wait_seconds,
            [],
        )
        if seats is None:
            booking.parts = [part for line in command.lines for part in _wished(line)]
        else:
            booking.state, booking.lapses, booking.held_at = "held", self.now + 1000 * hold_s, self.now
            self.claim(booking, command.lines, seats, barred)
        self.bookings.append(booking)
        if command.external_reference is not None:
            self.named[command.external_reference] = reference
        told = f"{booking.state} 1"
        self.serve_freed()
        return told

    def find(self, command: c.ReservationCommand) -> Booking:
        for booking in self.bookings:
            if booking.reference == command.reference:
                if command.if_match not in {None, booking.version}:
                    raise No("version-conflict")
                return booking
        raise No("not-found")

    def on_ConfirmReservation(self, command: c.ConfirmReservation) -> str:  # noqa: N802
        booking = self.find(command)
        if booking.state == "confirmed":
            return f"confirmed {booking.version}"
        if booking.state not in {"held", "expired"}:
            raise No("state-conflict")
        over = booking.state == "expired" or self.is_lapsed(booking)
        if over and (command.late == "never" or booking.held_at is None):
            raise No("hold-expired")
        if booking.state == "expired":
            self.claim_again(booking)
        self.move(booking, "confirmed")
        told = f"confirmed {booking.version}"
        self.serve_freed()
        return told

    def claim_again(self, booking: Booking) -> None:
        barred = self.serve({self.pool(str(part.unit)) for part in booking.parts})
        again = [part for part in booking.parts if not part.given_back]
        for part in again:
            unit = str(part.unit)
            if unit in self.on_hand:
                enough = self.left(unit) - barred[unit] >= part.quantity
            else:
                enough = self.is_free(unit) and not barred[unit] and not barred[self.pool(unit)]
            if not enough:
                raise No("hold-expired")
        for part in again:
            if part.unit in self.on_hand:
                self.end_lapsed_for(str(part.unit), part.quantity + barred[str(part.unit)])
            else:
                self.end_all(self.holders(str(part.unit), lapsed=True))
        for part in again:
            part.live = True

    def on_ExtendReservation(self, command: c.ExtendReservation) -> str:  # noqa: N802
        booking = self.find(command)
        if booking.state == "expired" or (booking.state == "held" and self.is_lapsed(booking)):
            raise No("hold-expired")
        if booking.state != "held":
            raise No("state-conflict")
        seconds = booking.hold_s if command.hold_seconds is None else command.hold_seconds
        has_seats = any(not isinstance(line, c.StockLine) for line in booking.wants)
        cap = (booking.held_at or 0) + 1000 * (self.hold_s_max if has_seats else 3600)
        wanted = min(self.now + 1000 * seconds, cap)
        if wanted > (booking.lapses or 0):
            self.move(booking, "held", wanted)
        return f"held {booking.version}"

    def on_ReleaseReservation(self, command: c.ReleaseReservation) -> str:  # noqa: N802
        booking = self.find(command)
        if booking.state == "pending":
            self.check_lines(booking, command.lines)
            if command.lines:
                raise No("state-conflict")
            for part in booking.parts:
                part.given_back = True
            self.move(booking, "released")
            return f"released {booking.version}"
        return self.end_some(booking, command.lines, "held", "released")

    def on_CancelReservation(self, command: c.CancelReservation) -> str:  # noqa: N802
        return self.end_some(self.find(command), command.lines, "confirmed", "cancelled")

    def end_some(self, booking: Booking, lines: tuple[int, ...], source: str, end: str) -> str:
        if booking.state not in {source, end}:
            raise No("state-conflict")
        self.check_lines(booking, lines)
        some = [part for n, part in enumerate(booking.parts, 1) if part.live and (not lines or n in lines)]
        if booking.state == end or not some:
            return f"{booking.state} {booking.version}"
        self.give_back(some)
        for part in some:
            part.given_back = True
        over = not any(part.live for part in booking.parts)
        self.move(booking, end if over else source, None if over else booking.lapses)
        told = f"{booking.state} {booking.version}"
        self.serve_freed()
        return told

    def check_lines(self, booking: Booking, lines: tuple[int, ...]) -> None:
        if len(set(lines)) < len(lines) or not set(lines) <= set(range(1, len(booking.parts) + 1)):
            raise No("invalid-request")

    def on_ExpireReservation(self, command: c.ExpireReservation) -> str:  # noqa: N802
        booking = self.find(command)
        if booking.state in {"held", "pending"} and self.is_lapsed(booking):
            self.expire(booking)
        told = f"{booking.state} {booking.version}"
        self.serve_freed()
        return told

    def on_PromoteWaiting(self, command: c.PromoteWaiting) -> str:  # noqa: N802
        before = {booking.number for booking in self.bookings if booking.state == "pending"}
        self.serve({command.sku or f"category {command.pool_id.rstrip(bytes(1)).decode().partition('=')[2]}"})
        held = [booking for booking in self.bookings if booking.number in before and booking.state == "held"]
        return f"promoted {len(held)}"

    def on_PutStock(self, command: c.PutStock) -> str:  # noqa: N802
        self.set_on_hand(command.sku, command.on_hand)
        return f"{command.sku} {self.on_hand[command.sku]}"

    def on_AdjustStock(self, command: c.AdjustStock) -> str:  # noqa: N802
        earlier = self.adjusted.get((command.sku, command.reference))
        if earlier is not None:
            if earlier[:2] != (command.delta, command.reason):
                raise No("external-reference-exists")
            return earlier[2]
        told = f"{command.sku} {self.on_hand[command.sku] + command.delta}"
        self.set_on_hand(command.sku, self.on_hand[command.sku] + command.delta)
        self.adjusted[command.sku, command.reference] = (command.delta, command.reason, told)
        return told

    def set_on_hand(self, sku: str, on_hand: int) -> None:
        if on_hand < self.on_hand[sku] - self.left(sku):
            raise No("state-conflict")
        self.end_lapsed_for(sku, self.on_hand[sku] - on_hand)
        more = on_hand > self.on_hand[sku]
        self.on_hand[sku] = on_hand
        if more:
            self.freed.add(sku)
        self.serve_freed()

    def on_BlockSeats(self, command: c.BlockSeats) -> str:  # noqa: N802
        if command.blocked:
            for seat in command.seats:
                self.end_all(self.holders(seat, lapsed=True))
            if any(self.holders(seat, lapsed=False) for seat in command.seats):
                raise No("inventory-unavailable")
        changed = [seat for seat in command.seats if (seat in self.blocked) != command.blocked]
        if command.blocked:
            self.blocked.update(changed)
        else:
            self.blocked.difference_update(changed)
            self.freed |= {self.pool(seat) for seat in changed}
        self.serve_freed()
        return f"blocked {len(changed)}"


def _wished(line: c.RequestLine) -> list[Part]:
    if isinstance(line, c.StockLine):
        return [Part(line.sku, line.quantity)]
    if isinstance(line, c.SeatsLine):
        return [Part(seat, 1) for seat in line.seats]
    return [Part(None, 1) for _ in range(line.quantity)]
