"""Random histories of a small venue: the invariants hold after each step, and three ways of deciding agree.

The decision of whole batches equals that of one command after the other, and both equal the rules in `model.py`.
"""

import json
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from tests.unit.builders import Venue, label, told
from tests.unit.invariants import broken
from tests.unit.model import Booking, Model
from tests.unit.random_commands import (
    CATEGORIES,
    HOLD_SECONDS_MAX,
    ON_HAND,
    ROWS,
    SEATS,
    Chance,
    venue,
)

FREE_SINGLE_SEATS = re.compile(rb'("event":"final","requested":\d+),"available":\d+')
SEARCH = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


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
        (line.name if line.is_stock else line.place, line.quantity, line.live, line.released_at is not None)
        for line in reservation.lines
    ]
    return (reservation.reference, reservation.state, reservation.version, reservation.lapses_at, lines)


def rows_of_model(booking: Booking) -> tuple[object, ...]:
    lines = [(part.unit, part.quantity, part.live, part.given_back) for part in booking.parts]
    return (booking.reference, booking.state, booking.version, booking.lapses, lines)


def new_model(now: int) -> Model:
    return Model(rows=ROWS, categories=CATEGORIES, on_hand=dict(ON_HAND), hold_s_max=HOLD_SECONDS_MAX, now=now)


def compare(decided: Venue, model: Model) -> None:
    made = sorted(decided.reservations.values(), key=lambda row: row.reference)
    assert [rows_of(row) for row in made] == [rows_of_model(booking) for booking in model.bookings]
    for sku, on_hand in model.on_hand.items():
        held, confirmed, available = decided.counts(sku)
        assert (held + confirmed + available, available) == (on_hand, model.left(sku, lapsed_count=True))
    for short in SEATS:
        free = label(short) not in model.blocked and not any(
            model.holders(label(short), lapsed=lapsed) for lapsed in (True, False)
        )
        assert (decided.seat_state(short) == "available") == free, short
        assert (decided.seat_state(short) == "blocked") == (label(short) in model.blocked), short


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


@SEARCH
@given(seed=st.integers(0, 2**32), length=st.integers(1, 25))
def test_batches_equal_single_decisions_and_the_rules(seed: int, length: int) -> None:
    together, alone, chance = venue(), venue(), Chance(seed)
    model = new_model(together.now)
    for _ in range(length):
        together.now = alone.now = model.now = together.now + chance.milliseconds(together)
        batch = chance.batch(together)
        outcomes = together.decide(*batch)
        assert not broken(together)
        for command, outcome, answer in zip(batch, outcomes, sent(together.answers), strict=True):
            (single,) = alone.decide(command)
            rule = model.decide(command)
            assert same(rule, shown(command, outcome)), command
            assert same(rule, shown(command, single)), command
            assert sent(alone.answers) == [answer], command
        compare(together, model)
        assert rows(together) == rows(alone)


@SEARCH
@given(seed=st.integers(0, 2**32), length=st.integers(1, 25))
def test_sales_that_close_and_open_again_follow_the_rules(seed: int, length: int) -> None:
    decided, chance = venue(), Chance(seed)
    model = new_model(decided.now)
    for _ in range(length):
        model.sales = chance.random.choice(["open", "open", "closed"])
        decided.set_sales(model.sales)
        decided.now = model.now = decided.now + chance.milliseconds(decided)
        batch = chance.batch(decided, most=2)
        outcomes = decided.decide(*batch)
        modelled = [model.decide(command) for command in batch]
        assert not broken(decided)
        for command, outcome, rule in zip(batch, outcomes, modelled, strict=True):
            assert same(rule, shown(command, outcome)), command
        compare(decided, model)
