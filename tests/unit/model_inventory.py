"""The rules of domain.md once more, naively: who has what, who gets what, who waits.

Nothing is counted and nothing is cached: who has a seat and how much of a stock item is left is derived from the list
of bookings each time it is asked. One event (`final`), one category a row, one section (`S`), the default location.
Written from the documents, with nothing of the service but the words of its commands.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from service.reservations import commands as c

BARRIER_MS = 60_000
PRICE = 100
"""Of a unit of stock, and of a seat of category 1; one of category 2 costs twice as much."""


@dataclass
class Part:
    """A line: `unit` is a seat's label or a SKU, None while no seat is chosen; `price` None while it is not known."""

    unit: str | None
    quantity: int
    price: int | None
    live: bool = False
    given_back: int | None = None


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
    confirmed_at: int | None = None
    ended_at: int | None = None
    external_reference: str | None = None


@dataclass
class Told:
    """One change of a booking or of a stock item; `view` is how it was shown then."""

    subject: str
    version: int
    source: str | None
    target: str | None
    action: str
    actor: str
    reason: str | None
    at: int
    view: dict[str, Any]


@dataclass
class Inventory(ABC):
    rows: dict[str, int]
    categories: dict[str, str]
    on_hand: dict[str, int]
    sales: str = "open"
    hold_s_max: int = 400
    now: int = 0
    bookings: list[Booking] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)
    freed: set[str] = field(default_factory=set)
    messages: list[Told] = field(default_factory=list)

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

    def claimed(self, sku: str, *states: str) -> int:
        """Units of live lines in these states, lapsed or not."""
        parts = [part for booking in self.bookings if booking.state in states for part in booking.parts]
        return sum(part.quantity for part in parts if part.live and part.unit == sku)

    def left(self, sku: str, *, lapsed_count: bool = False) -> int:
        lapsed = [part for booking in self.holders(sku, lapsed=True) for part in booking.parts]
        given_up = 0 if lapsed_count else sum(part.quantity for part in lapsed if part.live and part.unit == sku)
        return self.on_hand[sku] - self.claimed(sku, "held", "confirmed") + given_up

    def category(self, seat: str) -> str:
        return self.categories[seat.split("-")[1]]

    def price(self, unit: str, quantity: int = 1) -> int:
        return PRICE * (quantity if unit in self.on_hand else int(self.category(unit)))

    def pool(self, unit: str) -> str:
        return unit if unit in self.on_hand else f"category {self.category(unit)}"

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

    # Best available.

    def choose(self, want: c.BestAvailableLine, free: Callable[[str], bool]) -> list[str] | None:
        """The rows are ordered from the front, and each has one category."""
        rows = [
            [f"S-{row}-{number}" for number in range(1, count + 1)]
            for row, count in self.rows.items()
            if want.category in {None, self.categories[row]} and want.section in {None, "S"}
        ]
        if not want.together:
            return self._first_free(rows, want.quantity, free)
        runs = [
            (row, first) for row in rows for first in range(len(row)) if all(map(free, row[first:][: want.quantity]))
        ]
        runs = [(row, first) for row, first in runs if first + want.quantity <= len(row)]
        whole = [run for run in runs if not _leaves_an_orphan(*run, want.quantity, free)]
        return next((row[first:][: want.quantity] for row, first in (*whole, *runs)), None)

    def _first_free(self, rows: list[list[str]], quantity: int, free: Callable[[str], bool]) -> list[str] | None:
        """So many seats of one category: of the one whose last seat is nearest to the front."""
        seats = [seat for row in rows for seat in row]
        groups = [
            [seat for seat in seats if self.category(seat) == category and free(seat)][:quantity]
            for category in set(self.categories.values())
        ]
        whole = [group for group in groups if len(group) == quantity]
        return min(whole, key=lambda group: seats.index(group[-1])) if whole else None

    # Claiming.

    def fit(self, wants: tuple[c.RequestLine, ...], barred: Counter[str]) -> dict[int, list[str]] | None:
        """The seats of each want where all can be had, explicit ones first; else None."""
        taken: set[str] = set()
        seats: dict[int, list[str]] = {}

        def free(seat: str) -> bool:
            return not barred[seat] and not barred[self.pool(seat)] and seat not in taken and self.is_free(seat)

        for want in named_first(wants):
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
        for want in named_first(wants):
            if isinstance(want, c.StockLine):
                self.end_lapsed_for(want.sku, want.quantity + barred[want.sku])
            else:
                for seat in seats[want.number]:
                    self.end_all(self.holders(seat, lapsed=True))
        booking.parts = [
            Part(unit, quantity, self.price(unit, quantity), live=True)
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

    def move(self, booking: Booking, action: str, state: str, lapses: int | None = None, **told: str | None) -> None:
        """One version and one message; without `actor` it is the clock's doing."""
        source = booking.state
        booking.state, booking.lapses = state, lapses
        booking.version += 1
        self.tell(booking, source, action, **told)

    def tell(
        self, booking: Booking, source: str | None, action: str, actor: str = "worker", reason: str | None = None
    ) -> None:
        seen = (booking.reference, booking.version, source, booking.state, action, actor, reason, self.now)
        self.messages.append(Told(*seen, view=self.view(booking)))

    @abstractmethod
    def view(self, booking: Booking) -> dict[str, Any]:
        """How the booking is shown now."""

    def expire(self, booking: Booking) -> None:
        self.give_back([part for part in booking.parts if part.live])
        booking.ended_at = booking.lapses
        self.move(booking, "expire", "expired")

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
        booking.held_at = self.now
        self.move(booking, "hold", "held", self.now + 1000 * booking.hold_s)
        return True

    def set_aside(self, booking: Booking, barred: Counter[str]) -> None:
        """What an old one bars: nothing, if the end of all holds would not be enough for it.

        Else the units and seats of each line; where a best-available line finds none, all that it could find later.
        """
        everything = copy(self)
        everything.bookings = [b for b in everything.bookings if b.state == "confirmed"]
        if self.is_closed(booking.wants) or everything.fit(booking.wants, Counter()) is None:
            return
        for want in named_first(booking.wants):
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


def named_first(wants: tuple[c.RequestLine, ...]) -> Iterator[c.RequestLine]:
    """Best available gets what the named seats leave."""
    yield from (want for want in wants if not isinstance(want, c.BestAvailableLine))
    yield from (want for want in wants if isinstance(want, c.BestAvailableLine))


def _leaves_an_orphan(row: list[str], first: int, quantity: int, free: Callable[[str], bool]) -> bool:
    """Whether the run leaves a free seat alone between two that are not, and it was not alone before."""
    before = [free(seat) for seat in row]
    after = [is_free and not first <= place < first + quantity for place, is_free in enumerate(before)]
    return bool(_singles(after) - _singles(before))


def _singles(free: list[bool]) -> set[int]:
    bounds = [-1, *(place for place, is_free in enumerate(free) if not is_free), len(free)]
    return {left + 1 for left, right in pairwise(bounds) if right - left == 2}
