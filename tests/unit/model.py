"""The model: every command of domain.md on the inventory of `model_inventory.py`, and how things are shown.

A refused command is undone by going back to a copy of everything. What a client is told is kept under its key.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from service.reservations import commands as c
from tests.unit.model_inventory import Booking, Inventory, Part, Told

NOT_KEPT = {"not-found", "invalid-request"}
"""Refusals of requests that were no good: their key is as new."""


class No(Exception):
    """A refusal, by its slug and facts."""

    def __init__(self, slug: str, **facts: Any) -> None:
        super().__init__(slug)
        self.facts = facts


class Answer(NamedTuple):
    """`told` is `held 1` for state and version, `tea 5` for a count on hand, a refusal's slug; `view` all of it."""

    told: str
    view: Mapping[str, Any]


@dataclass
class Model(Inventory):
    named: dict[str, str] = field(default_factory=dict)
    stock_versions: dict[str, int] = field(default_factory=dict)
    adjusted: dict[tuple[str, str], tuple[int, str | None, Answer]] = field(default_factory=dict)
    answers: dict[bytes, tuple[bytes, Answer]] = field(default_factory=dict)
    creates: int = 0

    def __post_init__(self) -> None:
        self.stock_versions = dict.fromkeys(self.on_hand, 1)

    def decide(self, command: c.Command) -> Answer:
        """What the command is told; the model afterwards is what it has made of everything."""
        self.creates += isinstance(command, c.CreateReservation)
        key = command.key
        if key is not None and key.scope_hash in self.answers:
            fingerprint, answer = self.answers[key.scope_hash]
            if fingerprint == key.fingerprint:
                return answer
            return Answer("idempotency-key-reused" if self.exists(command) else "not-found", {})
        before = self.copied()
        self.freed = set()
        try:
            answer = getattr(self, f"on_{type(command).__name__}")(command)
        except No as no:
            answer = Answer(str(no), no.facts)
            vars(self).update(vars(before))
        if key is not None and answer.told not in NOT_KEPT:
            self.answers[key.scope_hash] = (key.fingerprint, answer)
        return answer

    def copied(self) -> "Model":
        """Everything, as it can be gone back to."""
        made = copy(self)
        for name, value in vars(self).items():
            setattr(made, name, copy(value))
        made.bookings = [replace(booking, parts=[replace(part) for part in booking.parts]) for booking in self.bookings]
        return made

    def exists(self, command: c.Command) -> bool:
        if not isinstance(command, c.ReservationCommand):
            return True
        return any(booking.reference == command.reference for booking in self.bookings)

    # Reservations.

    def on_CreateReservation(self, command: c.CreateReservation) -> Answer:  # noqa: N802 - a command's name
        has_seats = any(not isinstance(line, c.StockLine) for line in command.lines)
        most = self.hold_s_max if has_seats else 3600
        hold_s = (300 if has_seats else 600) if command.hold_seconds is None else command.hold_seconds
        if hold_s > most:
            raise No("invalid-request")
        if command.external_reference in self.named:
            raise No("external-reference-exists", reference=self.named[command.external_reference])
        if self.is_closed(command.lines):
            raise No("sales-closed", event="final")
        barred = self.serve(self.pools(command.lines))
        seats = self.fit(command.lines, barred)
        if seats is None and not command.wait:
            raise No("inventory-unavailable")
        reference = f"R{self.creates:09}"
        end = self.now + 1000 * (hold_s if seats is not None else command.wait_seconds)
        booking = Booking(self.creates, reference, self.now, command.lines, hold_s, "pending", end, [])
        booking.external_reference = command.external_reference
        if seats is None:
            booking.parts = [part for line in command.lines for part in self.wished(line)]
        else:
            booking.state, booking.held_at = "held", self.now
            self.claim(booking, command.lines, seats, barred)
        self.bookings.append(booking)
        if command.external_reference is not None:
            self.named[command.external_reference] = reference
        self.tell(booking, None, "create", command.actor, command.reason)
        return self.shown_and_served(booking)

    def wished(self, line: c.RequestLine) -> list[Part]:
        if isinstance(line, c.StockLine):
            return [Part(line.sku, line.quantity, self.price(line.sku, line.quantity))]
        if isinstance(line, c.SeatsLine):
            return [Part(seat, 1, self.price(seat)) for seat in line.seats]
        price = None if line.category is None else 100 * int(line.category)
        return [Part(None, 1, price) for _ in range(line.quantity)]

    def find(self, command: c.ReservationCommand) -> Booking:
        for booking in self.bookings:
            if booking.reference == command.reference:
                if command.if_match not in {None, booking.version}:
                    raise No("version-conflict", version=booking.version)
                return booking
        raise No("not-found")

    def on_ConfirmReservation(self, command: c.ConfirmReservation) -> Answer:  # noqa: N802
        booking = self.find(command)
        if booking.state == "confirmed":
            return self.shown(booking)
        if booking.state not in {"held", "expired"}:
            raise _conflict(booking, "confirm")
        over = booking.state == "expired" or self.is_lapsed(booking)
        if over and (command.late == "never" or booking.held_at is None):
            raise _over(booking)
        if booking.state == "expired":
            self.claim_again(booking)
        booking.confirmed_at, booking.ended_at = self.now, None
        self.move(booking, "confirm", "confirmed", actor=command.actor, reason=command.reason)
        return self.shown_and_served(booking)

    def claim_again(self, booking: Booking) -> None:
        barred = self.serve({self.pool(str(part.unit)) for part in booking.parts})
        again = [part for part in booking.parts if part.given_back is None]
        for part in again:
            unit = str(part.unit)
            if unit in self.on_hand:
                enough = self.left(unit) - barred[unit] >= part.quantity
            else:
                enough = self.is_free(unit) and not barred[unit] and not barred[self.pool(unit)]
            if not enough:
                raise _over(booking)
        for part in again:
            if part.unit in self.on_hand:
                self.end_lapsed_for(str(part.unit), part.quantity + barred[str(part.unit)])
            else:
                self.end_all(self.holders(str(part.unit), lapsed=True))
        for part in again:
            part.live = True

    def on_ExtendReservation(self, command: c.ExtendReservation) -> Answer:  # noqa: N802
        booking = self.find(command)
        if booking.state == "expired" or (booking.state == "held" and self.is_lapsed(booking)):
            raise _over(booking)
        if booking.state != "held":
            raise _conflict(booking, "extend")
        seconds = booking.hold_s if command.hold_seconds is None else command.hold_seconds
        has_seats = any(not isinstance(line, c.StockLine) for line in booking.wants)
        cap = (booking.held_at or 0) + 1000 * (self.hold_s_max if has_seats else 3600)
        wanted = min(self.now + 1000 * seconds, cap)
        if wanted > (booking.lapses or 0):
            self.move(booking, "extend", "held", wanted, actor=command.actor, reason=command.reason)
        return self.shown(booking)

    def on_ReleaseReservation(self, command: c.ReleaseReservation) -> Answer:  # noqa: N802
        booking = self.find(command)
        if booking.state != "pending":
            return self.end_some(booking, command, "release", ("held", "released"))
        _check_lines(booking, command.lines)
        if command.lines:
            raise _conflict(booking, "release")
        for part in booking.parts:
            part.given_back = self.now
        booking.ended_at = self.now
        self.move(booking, "release", "released", actor=command.actor, reason=command.reason)
        return self.shown(booking)

    def on_CancelReservation(self, command: c.CancelReservation) -> Answer:  # noqa: N802
        return self.end_some(self.find(command), command, "cancel", ("confirmed", "cancelled"))

    def end_some(
        self,
        booking: Booking,
        command: c.ReleaseReservation | c.CancelReservation,
        action: str,
        states: tuple[str, str],
    ) -> Answer:
        source, end = states
        if booking.state not in states:
            raise _conflict(booking, action)
        lines = command.lines
        _check_lines(booking, lines)
        some = [part for n, part in enumerate(booking.parts, 1) if part.live and (not lines or n in lines)]
        if booking.state == end or not some:
            return self.shown(booking)
        self.give_back(some)
        for part in some:
            part.given_back = self.now
        over = not any(part.live for part in booking.parts)
        booking.ended_at = self.now if over else None
        told = {"actor": command.actor, "reason": command.reason}
        self.move(booking, action, end if over else source, None if over else booking.lapses, **told)
        return self.shown_and_served(booking)

    def on_ExpireReservation(self, command: c.ExpireReservation) -> Answer:  # noqa: N802
        booking = self.find(command)
        if booking.state in {"held", "pending"} and self.is_lapsed(booking):
            self.expire(booking)
        return self.shown_and_served(booking)

    def on_PromoteWaiting(self, command: c.PromoteWaiting) -> Answer:  # noqa: N802
        before = {booking.number for booking in self.bookings if booking.state == "pending"}
        self.serve({command.sku or f"category {command.pool_id.rstrip(bytes(1)).decode().partition('=')[2]}"})
        held = [booking for booking in self.bookings if booking.number in before and booking.state == "held"]
        return Answer(f"promoted {len(held)}", {"promoted": len(held)})

    def let_the_worker_come_by(self) -> None:
        """What a round of the worker does: end what is over, the oldest end first, then serve every pool."""
        lapsed = [booking for booking in self.bookings if booking.lapses is not None and self.is_lapsed(booking)]
        for booking in sorted(lapsed, key=lambda booking: booking.lapses or 0):
            self.freed = set()
            if booking.state in {"held", "pending"}:
                self.expire(booking)
                self.serve_freed()
        self.serve({*self.on_hand, *(f"category {name}" for name in self.categories.values())})

    # Stock and blocks.

    def on_PutStock(self, command: c.PutStock) -> Answer:  # noqa: N802
        if command.if_match not in {None, self.stock_versions[command.sku]}:
            raise No("version-conflict", version=self.stock_versions[command.sku])
        if command.on_hand != self.on_hand[command.sku]:
            self.set_on_hand(command, command.on_hand, "put")
        return self.counted(command.sku)

    def on_AdjustStock(self, command: c.AdjustStock) -> Answer:  # noqa: N802
        earlier = self.adjusted.get((command.sku, command.reference))
        if earlier is not None:
            if earlier[:2] != (command.delta, command.reason):
                raise No("external-reference-exists", reference=command.reference)
            return earlier[2]
        self.set_on_hand(command, self.on_hand[command.sku] + command.delta, "adjust")
        answer = self.counted(command.sku)
        self.adjusted[command.sku, command.reference] = (command.delta, command.reason, answer)
        return answer

    def set_on_hand(self, command: c.PutStock | c.AdjustStock, on_hand: int, action: str) -> None:
        sku = command.sku
        if on_hand < self.on_hand[sku] - self.left(sku):
            raise No("state-conflict", action=action, version=self.stock_versions[sku])
        self.end_lapsed_for(sku, self.on_hand[sku] - on_hand)
        if on_hand > self.on_hand[sku]:
            self.freed.add(sku)
        self.on_hand[sku] = on_hand
        self.stock_versions[sku] += 1
        seen = (sku, self.stock_versions[sku], None, None, "adjust", command.actor, command.reason, self.now)
        self.messages.append(Told(*seen, view=self.stock_view(sku)))
        self.serve_freed()

    def counted(self, sku: str) -> Answer:
        return Answer(f"{sku} {self.on_hand[sku]}", self.stock_view(sku))

    def on_BlockSeats(self, command: c.BlockSeats) -> Answer:  # noqa: N802
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
        view = {"event": "final", "seats": list(command.seats), "blocked": command.blocked}
        return Answer(f"blocked {len(changed)}", view)

    # How things are shown.

    def shown(self, booking: Booking) -> Answer:
        return Answer(f"{booking.state} {booking.version}", self.view(booking))

    def shown_and_served(self, booking: Booking) -> Answer:
        """As the command left it; then those who waited get what it freed."""
        answer = self.shown(booking)
        self.serve_freed()
        return answer

    def view(self, booking: Booking) -> dict[str, Any]:
        held, lapses = booking.state == "held", booking.lapses
        kept = [part for part in booking.parts if part.given_back is None and part.price is not None]
        return {
            "reference": booking.reference,
            "state": booking.state,
            "version": booking.version,
            "hold_expires_at": instant(lapses) if held else None,
            "hold_remaining_s": max(0, -((self.now - (lapses or 0)) // 1000)) if held else None,
            "wait_expires_at": instant(lapses) if booking.state == "pending" else None,
            "lines": [self.line_view(number, part, booking) for number, part in enumerate(booking.parts, 1)],
            "totals": [{"amount": sum(part.price or 0 for part in kept), "currency": "EUR"}] if kept else [],
            "customer": None,
            "external_reference": booking.external_reference,
            "metadata": None,
            "created_at": instant(booking.created),
            "confirmed_at": instant(booking.confirmed_at),
            "ended_at": instant(booking.ended_at),
        }

    def line_view(self, number: int, part: Part, _booking: Booking) -> dict[str, Any]:
        stock = part.unit in self.on_hand
        thing = {"sku": part.unit, "location": "default"} if stock else {"event": "final", "seat": part.unit}
        price = {"amount": part.price, "currency": None if part.price is None else "EUR"}
        back = {} if part.given_back is None else {"released_at": instant(part.given_back)}
        return {"line": number, **thing, "quantity": part.quantity, **price, **back}

    def stock_view(self, sku: str) -> dict[str, Any]:
        held, confirmed = self.claimed(sku, "held"), self.claimed(sku, "confirmed")
        return {
            "sku": sku,
            "location": "default",
            "description": sku,
            "on_hand": self.on_hand[sku],
            "held": held,
            "confirmed": confirmed,
            "available": self.on_hand[sku] - held - confirmed,
            "amount": 100,
            "currency": "EUR",
            "version": self.stock_versions[sku],
        }

    def seat_states(self) -> dict[str, str]:
        """Of every seat, stored: a hold past its time is held until it is swept."""
        seats = [f"S-{row}-{number}" for row, count in self.rows.items() for number in range(1, count + 1)]
        taken = {part.unit: booking.state for booking in self.bookings for part in booking.parts if part.live}
        return {seat: "blocked" if seat in self.blocked else taken.get(seat, "available") for seat in seats}


def instant(at: int | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds."""
    if at is None:
        return None
    moment = datetime.fromtimestamp(at // 1000, UTC).replace(microsecond=at % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _conflict(booking: Booking, action: str) -> No:
    return No("state-conflict", state=booking.state, action=action, version=booking.version)


def _over(booking: Booking) -> No:
    return No("hold-expired", expired_at=instant(booking.lapses if booking.state == "held" else booking.ended_at))


def _check_lines(booking: Booking, lines: tuple[int, ...]) -> None:
    if len(set(lines)) < len(lines) or not set(lines) <= set(range(1, len(booking.parts) + 1)):
        raise No("invalid-request")
