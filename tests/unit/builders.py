"""A small venue in memory, for tests of the decision: rows as the database would have them, and no database.

`Venue.decide` does what an attempt does: a snapshot of all rows, the decision, and what it changed kept for the next
one, each row only if it is still as the snapshot had it. Names of seats are short: `A12` is seat 12 of row A in
section S. Builders give commands with defaults; a test names only what it is about.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from service import problems
from service.idempotency.fingerprint import FINGERPRINT_VERSION
from service.idempotency.records import KeyedRequest, Record, StoredAnswer
from service.inventory.seating import SeatingPlan, SeatPosition
from service.inventory.tables import SEAT_AVAILABLE, SEAT_BLOCKED, SEAT_CONFIRMED, SEAT_HELD
from service.refusals import Refusal, UnavailableSeats, UnavailableStock
from service.reservations import commands as c
from service.reservations.answers import answer_of, is_stored, message_bodies
from service.reservations.decide import Outcome, ReservationDecided, decide
from service.reservations.decide.claims import MoreSeatsNeeded
from service.reservations.records import Adjustment, Category, Event, Message, Reservation, Seat, StockItem
from service.reservations.snapshot import Layer, Snapshot
from tests.unit.counting import counted

ACCOUNT = b"account-00000001"
START = 1_800_000_000_000
HOLD_DEFAULTS = (600, 3600)
KEEP_MS = 72 * 3_600_000
STATE_NAMES = {SEAT_AVAILABLE: "available", SEAT_HELD: "held", SEAT_CONFIRMED: "confirmed", SEAT_BLOCKED: "blocked"}


def label(short: str) -> str:
    """`A12` as the API says it."""
    return f"S-{short[0]}-{short[1:]}"


def identifier(text: str) -> bytes:
    """A row's key that a failing test can read."""
    key = text.encode().ljust(16, b"\0")
    assert len(key) == 16, text
    return key


def reference(number: int) -> str:
    """Of the venue's create with this number, from 1."""
    return f"R{number:09}"


def seats(*shorts: str, event: str = "final", number: int = 1) -> c.SeatsLine:
    return c.SeatsLine(number, event, tuple(label(short) for short in shorts))


def best(quantity: int, *, event: str = "final", number: int = 1, **narrowed: Any) -> c.BestAvailableLine:
    return c.BestAvailableLine(number, event, quantity, **narrowed)


def units(quantity: int, sku: str = "tea", *, location: str = "default", number: int = 1) -> c.StockLine:
    return c.StockLine(number, sku, location, quantity)


def hold(*lines: c.RequestLine, **facts: Any) -> c.CreateReservation:
    """A create; its lines are numbered in their order."""
    numbered = tuple(replace(line, number=number) for number, line in enumerate(lines, 1))
    return c.CreateReservation(**{"account_id": ACCOUNT, "actor": "shop"} | facts, lines=numbered)


def act(kind: type[c.ReservationCommand], number: int, **facts: Any) -> Any:
    """An action on the reservation of the venue's create with this number."""
    return kind(**{"account_id": ACCOUNT, "actor": "shop", "reference": reference(number)} | facts)


def put_stock(on_hand: int, sku: str = "tea", **facts: Any) -> c.PutStock:
    usual = {"account_id": ACCOUNT, "actor": "shop", "sku": sku, "location": "default", "description": sku}
    return c.PutStock(**usual | {"on_hand": on_hand, "amount": 100, "currency": "EUR"} | facts)


def adjust_stock(delta: int, named: str, sku: str = "tea", **facts: Any) -> c.AdjustStock:
    usual = {"account_id": ACCOUNT, "actor": "shop", "sku": sku, "location": "default"}
    return c.AdjustStock(**usual | {"reference": named, "delta": delta} | facts)


def block(*shorts: str, blocked: bool = True, event: str = "final", **facts: Any) -> c.BlockSeats:
    named = tuple(label(short) for short in shorts)
    return c.BlockSeats(**{"account_id": ACCOUNT, "actor": "shop"} | facts, event=event, seats=named, blocked=blocked)


def keyed(command: Any, name: str) -> Any:
    """The command as a request with this idempotency key."""
    fingerprint = sha256(repr(replace(command, key=None, request_id="")).encode()).digest() * 3
    key = KeyedRequest(command.account_id, sha256(name.encode()).digest(), fingerprint, KEEP_MS)
    return replace(command, key=key)


class Venue:
    """All rows of one account, and time, which passes only by `pass_seconds`."""

    def __init__(self, *, now: int = START, barrier_seconds: int = 60, front_rows: int = 1000) -> None:
        self.now = now
        self.barrier_ms = 1000 * barrier_seconds
        self.front_rows = front_rows
        self.events: dict[str, Event] = {}
        self.categories: dict[bytes, Category] = {}
        self.seats: dict[bytes, Seat] = {}
        self.stock: dict[bytes, StockItem] = {}
        self.reservations: dict[bytes, Reservation] = {}
        self.adjustments: dict[tuple[bytes, str], Adjustment] = {}
        self.records: dict[bytes, Record] = {}
        self.messages: list[Message] = []
        self.answers: list[StoredAnswer] = []  # of the last batch
        self.draws: list[tuple[bytes, str]] = []  # of the last batch
        self.creates = 0
        self._drawn = 0

    def add_event(
        self,
        event: str = "final",
        rows: Mapping[str, int] | None = None,
        categories: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        """`rows` is how many seats each row has, `categories` the category of rows that are not of `1`."""
        usual = {"hold_seconds": 600, "hold_seconds_max": 3600, "sales": "open", "front_row": None}
        made = Event(**{"id": identifier(event), "account_id": ACCOUNT, "event": event} | usual | facts)
        self.events[event] = made
        for row, count in ({"A": 5, "B": 5} if rows is None else rows).items():
            category = self._category(made, (categories or {}).get(row, "1"))
            for number in range(1, count + 1):
                seat_id = identifier(f"{event}/{row}{number}")
                named = label(f"{row}{number}")
                self.seats[seat_id] = Seat(seat_id, made.id, named, "S", row, str(number), category, SEAT_AVAILABLE, 1)

    def _category(self, event: Event, name: str) -> bytes:
        category_id = identifier(f"{event.event}={name}")
        price = 100 * int(name)
        row = Category(category_id, ACCOUNT, event.id, name, price, "EUR", 0, 1)
        return self.categories.setdefault(category_id, row).id

    def add_stock(self, sku: str = "tea", on_hand: int = 5, location: str = "default") -> None:
        stock_id = identifier(f"{sku}@{location}")
        facts = {"description": sku, "amount": 100, "currency": "EUR", "held": 0, "confirmed": 0, "waiters": 0}
        named = {"account_id": ACCOUNT, "sku": sku, "location": location, "version": 1, "definition_version": 1}
        self.stock[stock_id] = StockItem(id=stock_id, on_hand=on_hand, **named, **facts)

    def set_sales(self, sales: str, event: str = "final") -> None:
        self.events[event] = replace(self.events[event], sales=sales)

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(1000 * seconds)

    def decide(self, *commands: c.Command) -> list[Outcome]:
        """One outcome a command, decided in one batch and kept."""
        whole = False
        self.draws = [self._draw(command) for command in commands]
        while True:
            work = self.snapshot(whole=whole)
            try:
                outcomes = decide(work, list(commands), self.draws, self.barrier_ms)
                break
            except MoreSeatsNeeded:
                assert not whole, "more seats than all"
                whole = True
        self._keep_records(commands, outcomes, work)
        self._keep(work)
        return outcomes

    def _draw(self, command: c.Command) -> tuple[bytes, str]:
        self._drawn += 1
        self.creates += isinstance(command, c.CreateReservation)
        return self._drawn.to_bytes(16), reference(self.creates)

    def snapshot(self, *, whole: bool = False) -> Snapshot:
        """What a batch would read, and all that it would not need."""
        work = Snapshot(self.now)
        work.records = dict(self.records)
        work.hold_defaults[ACCOUNT] = HOLD_DEFAULTS
        for event in self.events.values():
            work.events[ACCOUNT, event.event] = event
            of_event = sorted(row.id for row in self.categories.values() if row.event_id == event.id)
            work.event_categories[event.id] = tuple(of_event)
            self._read_plans(work, event, whole=whole)
        for layer, rows in self._layers(work):
            layer.rows.update(rows)
        work.seat_ids = {(seat.event_id, seat.seat): seat.id for seat in self.seats.values()}
        work.sections = {(seat.event_id, seat.section) for seat in self.seats.values()}
        work.stock_ids.rows.update({(ACCOUNT, item.sku, item.location): item.id for item in self.stock.values()})
        work.lapsed_on_stock = {stock_id: [] for stock_id in self.stock}
        for row in sorted(self.reservations.values(), key=lambda row: (row.lapses_at or 0, row.id)):
            self._read_reservation(work, row)
        work.counted = counted(self)
        return work

    def _read_plans(self, work: Snapshot, event: Event, *, whole: bool) -> None:
        of_event = [seat for seat in self.seats.values() if seat.event_id == event.id]
        rows = sorted({seat.row for seat in of_event})
        for section in (None, "S"):
            known = rows if whole or section is not None else rows[: self.front_rows]
            positions = [
                SeatPosition(seat.id, seat.section, seat.row, seat.number, seat.category_id)
                for seat in of_event
                if seat.row in known
            ]
            work.plans[event.id, section] = SeatingPlan(positions, front_row=event.front_row)
            if known == rows:
                work.whole_plans.add((event.id, section))

    def _read_reservation(self, work: Snapshot, row: Reservation) -> None:
        work.references.rows[ACCOUNT, row.reference] = row.id
        if row.external_reference is not None:
            work.external_references.rows[ACCOUNT, row.external_reference] = row.reference
        for pool_id in row.pools:
            work.waiting.rows[pool_id] = tuple(sorted((*work.waiting.rows.get(pool_id, ()), row.id)))
        if row.state == "held" and row.is_lapsed(self.now):
            for line in row.live_lines:
                if line.seat_id is not None:
                    work.holders.rows[line.seat_id] = row.id
                else:
                    work.lapsed_on_stock[line.inventory_id].append(row.id)

    def _layers(self, work: Snapshot) -> Sequence[tuple[Layer[Any, Any], dict[Any, Any]]]:
        return (
            (work.seats, self.seats),
            (work.categories, self.categories),
            (work.stock, self.stock),
            (work.reservations, self.reservations),
            (work.adjustments, self.adjustments),
        )

    def _keep(self, work: Snapshot) -> None:
        for layer, rows in self._layers(work):
            assert not layer.own, "a decision must not end in the middle of a command"
            for key, before, after in layer.changes():
                assert rows.get(key) == before, "the guard of an UPDATE"
                rows[key] = after
        self.messages += work.messages

    def _keep_records(self, commands: Sequence[c.Command], outcomes: Iterable[Outcome], work: Snapshot) -> None:
        bodies = message_bodies(work.messages, work.now)
        self.answers = []
        for command, outcome in zip(commands, outcomes, strict=True):
            answer = answer_of(command, outcome, bodies, work.now)
            key = command.key
            if key is not None and is_stored(outcome) and key.scope_hash not in work.records:
                answer = replace(answer, expires_at=work.now + key.keep_ms)
                kept = Record(FINGERPRINT_VERSION, key.fingerprint, work.now, replace(answer, replayed=True))
                self.records.setdefault(key.scope_hash, kept)
            self.answers.append(answer)

    def reservation(self, number: int) -> Reservation:
        """That of the venue's create with this number."""
        return next(row for row in self.reservations.values() if row.reference == reference(number))

    def history(self, number: int) -> list[str]:
        """Its changes, as `action state`."""
        row = self.reservation(number)
        return [f"{message.action} {message.target}" for message in self.messages if message.reference == row.reference]

    def seat_state(self, short: str, event: str = "final") -> str:
        return STATE_NAMES[self.seats[identifier(f"{event}/{short}")].state]

    def counts(self, sku: str = "tea", location: str = "default") -> tuple[int, int, int]:
        """held, confirmed, available."""
        item = self.stock[identifier(f"{sku}@{location}")]
        return item.held, item.confirmed, item.available


def told(outcome: Outcome) -> str:
    """An outcome in short: `held 1` for state and version, the slug of a refusal with what was missing."""
    if isinstance(outcome, ReservationDecided):
        return f"{outcome.reservation.state} {outcome.reservation.version}"
    if isinstance(outcome, Refusal):
        slug = problems.row_of(outcome).slug
        missing = ", ".join(_missing(entry) for entry in getattr(outcome, "unavailable", ()))
        return f"{slug}: {missing}" if missing else slug
    return type(outcome).__name__


def _missing(entry: Any) -> str:
    if isinstance(entry, UnavailableSeats):
        return " ".join(seat.removeprefix("S-").replace("-", "") for seat in entry.seats)
    named = entry.sku if isinstance(entry, UnavailableStock) else "best"
    return f"{entry.available} of {entry.requested} {named}"
