"""Random histories of a small venue: the invariants hold after each step, and three ways of deciding agree.

The decision of whole batches equals that of one command after the other, and both equal the rules in `model.py`.
Commands come alone and in batches, anew and as duplicates of what was sent, with and without time between them.
"""

import json
import re

from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.idempotency.records import StoredAnswer
from service.reservations import commands as c
from service.reservations.answers import adjustment_body
from service.reservations.decide import (
    AdjustmentDecided,
    BlockDecided,
    Outcome,
    StockDecided,
    WaitingServed,
)
from service.reservations.records import Reservation
from tests.searching import search
from tests.unit.builders import Venue, label, told
from tests.unit.invariants import broken
from tests.unit.model import Model
from tests.unit.model_inventory import Booking
from tests.unit.random_commands import SEATS, SEEDS, Chance, in_words, new_model, venue

FREE_SINGLE_SEATS = re.compile(rb'("event":"final","requested":\d+),"available":\d+')


def shown(command: c.Command, outcome: Outcome) -> str:
    """An outcome as the model tells it."""
    match outcome:
        case StoredAnswer():
            return _shown_answer(command, outcome.body)
        case StockDecided():
            return f"{outcome.item.sku} {outcome.item.on_hand}"
        case AdjustmentDecided():
            return _shown_answer(command, adjustment_body(outcome))
        case BlockDecided():
            return f"blocked {outcome.seats}"
        case WaitingServed():
            return f"promoted {outcome.promoted}"
    return told(outcome).partition(":")[0]


def _shown_answer(command: c.Command, body: bytes) -> str:
    document = json.loads(body)
    if "type" in document:
        return str(document["type"]).removeprefix("/problems/")
    if "state" in document and "version" in document:
        return f"{document['state']} {document['version']}"
    if "on_hand" in document:
        return f"{document['sku']} {document['on_hand']}"
    if "promoted" in document:
        return f"promoted {document['promoted']}"
    assert isinstance(command, c.BlockSeats), document
    return "blocked"


def same(modelled: str, outcome: str) -> bool:
    """A replayed block does not say how many seats it changed."""
    return modelled == outcome or (outcome == "blocked" and modelled.startswith("blocked"))


def rows_of(reservation: Reservation) -> tuple[object, ...]:
    lines = [
        (line.name if line.is_stock else line.place, line.quantity, line.live, line.amount, line.released_at)
        for line in reservation.lines
    ]
    row = reservation
    times = (row.created_at, row.held_at, row.confirmed_at, row.ended_at, row.lapses_at)
    return (row.reference, row.external_reference, row.state, row.version, times, lines)


def rows_of_model(booking: Booking) -> tuple[object, ...]:
    lines = [(part.unit, part.quantity, part.live, part.price, part.given_back) for part in booking.parts]
    times = (booking.created, booking.held_at, booking.confirmed_at, booking.ended_at, booking.lapses)
    return (booking.reference, booking.external_reference, booking.state, booking.version, times, lines)


def compare(decided: Venue, model: Model) -> None:
    made = sorted(decided.reservations.values(), key=lambda row: row.reference)
    assert [rows_of(row) for row in made] == [rows_of_model(booking) for booking in model.bookings]
    messages = [
        (m.subject.reference if isinstance(m.subject, Reservation) else m.subject.sku, m.version, m.source, m.target,
         m.action, m.actor, m.reason, m.at)
        for m in decided.messages
    ]  # fmt: skip
    assert messages == [
        (m.subject, m.version, m.source, m.target, m.action, m.actor, m.reason, m.at) for m in model.messages
    ]
    for sku, on_hand in model.on_hand.items():
        held, confirmed, available = decided.counts(sku)
        assert (held + confirmed + available, available) == (on_hand, model.left(sku, lapsed_count=True))
    states = model.seat_states()
    assert {label(short): decided.seat_state(short) for short in SEATS} == states


def rows(decided: Venue) -> tuple[object, ...]:
    """All that a batch and single decisions must agree on."""
    return (decided.seats, decided.categories, decided.stock, decided.reservations, decided.messages)


def sent(answers: list[StoredAnswer]) -> list[tuple[object, ...]]:
    """All of an answer but whether it is a replay, and how many single seats are free where no group found a place.

    Those are counted once for all of a batch that miss the same, though some of it may go to others in between.
    """
    return [
        (answer.status, FREE_SINGLE_SEATS.sub(rb"\1", answer.body), answer.location, answer.etag) for answer in answers
    ]


class Office(RuleBasedStateMachine):
    """The venue decided upon in batches, the same venue one command after the other, and the model."""

    @initialize()
    def open(self) -> None:
        self.together, self.alone, self.model = venue(), venue(), new_model()
        self.chance = Chance(self.model)

    @rule(seed=SEEDS)
    def time_passes_and_a_batch_comes(self, seed: int) -> None:
        self.chance.begin(seed)
        self.let_pass(self.chance.milliseconds())
        if self.chance.random.random() < (0.04 if self.model.sales == "open" else 0.4):
            self.put_sales("closed" if self.model.sales == "open" else "open")
        self.decide(self.chance.batch())

    def let_pass(self, milliseconds: int) -> None:
        self.model.now += milliseconds
        self.together.now = self.alone.now = self.model.now
        note(f"after {milliseconds} ms:")

    def put_sales(self, sales: str) -> None:
        self.model.sales = sales
        self.together.set_sales(sales)
        self.alone.set_sales(sales)
        note(f"  sales are {sales}")

    def decide(self, commands: list[c.Command]) -> None:
        outcomes = self.together.decide(*commands)
        for command, outcome, answer in zip(commands, outcomes, sent(self.together.answers), strict=True):
            (single,) = self.alone.decide(command)
            rule = self.model.decide(command).told
            note(f"  {in_words(command)}: {rule}")
            assert same(rule, shown(command, outcome)), command
            assert same(rule, shown(command, single)), command
            assert sent(self.alone.answers) == [answer], command

    @invariant()
    def all_agree_and_nothing_is_broken(self) -> None:
        assert not broken(self.together)
        compare(self.together, self.model)
        assert rows(self.together) == rows(self.alone)


TestOffice = Office.TestCase
TestOffice.settings = search(200, steps=25)
