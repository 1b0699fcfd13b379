"""Mends: what a counter becomes, what is told of it, and what is left alone."""

from typing import Any

import pytest
from msgspec.structs import replace

from service.audit.drift import drift_of
from service.inventory.tables import SEAT_AVAILABLE, SEAT_BLOCKED, SEAT_CONFIRMED, SEAT_HELD
from service.refusals import NotFound, StateConflict
from service.reservations import commands as c
from service.reservations.counted import Change, Owner, SeatCounted, StockCounted
from service.reservations.decide import MendDecided
from service.reservations.records import Message
from tests.unit.builders import ACCOUNT, Venue, act, block, hold, identifier, seats, told, units
from tests.unit.counting import counted
from tests.unit.invariants import broken

TEA, CATEGORY = identifier("tea@default"), identifier("final=1")


@pytest.fixture
def venue() -> Venue:
    """Seat A1 held, A2 confirmed, A3 blocked; tea 2 held and 1 confirmed of 5; one waits for tea and for A1."""
    made = Venue()
    made.add_event()
    made.add_stock("tea", on_hand=5)
    made.decide(
        hold(seats("A1"), units(2)),
        hold(seats("A2"), units(1)),
        act(c.ConfirmReservation, 2),
        block("A3"),
        hold(seats("A1"), units(4), wait=True),
    )
    assert broken(made) == []
    return made


def mend(kind: type[c.MendCommand], row_id: bytes, **facts: Any) -> c.MendCommand:
    return kind(**{"account_id": ACCOUNT, "actor": "operator:anna", "reason": "crash"} | facts, row_id=row_id)


def mends(venue: Venue) -> list[Message]:
    """What was told of mends."""
    return [message for message in venue.messages if message.action == "mend"]


def seat_id(short: str) -> bytes:
    return identifier(f"final/{short}")


def test_right_counters_are_left_alone(venue: Venue) -> None:
    before = (dict(venue.stock), dict(venue.seats), dict(venue.categories))
    commands = [mend(c.MendStock, TEA), mend(c.MendCategory, CATEGORY), *(mend(c.MendSeat, key) for key in venue.seats)]
    assert venue.decide(*commands) == [MendDecided(())] * len(commands)
    assert (venue.stock, venue.seats, venue.categories) == before
    assert mends(venue) == []


@pytest.mark.parametrize(
    ("wrong", "changes"),
    [
        ({"held": 4}, (Change("held", 4, 2),)),
        ({"held": 0, "confirmed": 0}, (Change("held", 0, 2), Change("confirmed", 0, 1))),
        ({"waiters": 0}, (Change("waiters", 0, 1),)),
        ({"held": 1, "waiters": 7}, (Change("held", 1, 2), Change("waiters", 7, 1))),
    ],
)
def test_counts_of_stock_become_the_sums_in_one_version(
    venue: Venue, wrong: dict[str, int], changes: tuple[Change, ...]
) -> None:
    right = venue.stock[TEA]
    venue.stock[TEA] = replace(right, **wrong)
    first, again = venue.decide(mend(c.MendStock, TEA), mend(c.MendStock, TEA))
    assert (first, again) == (MendDecided(changes), MendDecided(()))
    after = replace(right, version=right.version + 1, definition_version=right.definition_version + 1)
    assert venue.stock[TEA] == after
    (message,) = mends(venue)
    assert (message.type, message.action, message.actor, message.reason) == (
        "stock.mended", "mend", "operator:anna", "crash",
    )  # fmt: skip
    assert (message.subject, message.version, message.reference, message.source) == (after, 2, None, None)
    assert broken(venue) == []


@pytest.mark.parametrize(
    ("short", "wrong", "was", "becomes"),
    [
        ("A1", SEAT_AVAILABLE, "available", "held"),
        ("A1", SEAT_CONFIRMED, "confirmed", "held"),
        ("A1", SEAT_BLOCKED, "blocked", "held"),
        ("A2", SEAT_HELD, "held", "confirmed"),
        ("A3", SEAT_HELD, "held", "available"),
        ("A4", SEAT_CONFIRMED, "confirmed", "available"),
    ],
)
def test_seat_becomes_what_its_live_line_says(venue: Venue, short: str, wrong: int, was: str, becomes: str) -> None:
    seat = venue.seats[seat_id(short)]
    venue.seats[seat.id] = replace(seat, state=wrong)
    first, again = venue.decide(mend(c.MendSeat, seat.id), mend(c.MendSeat, seat.id))
    assert (first, again) == (MendDecided((Change("state", was, becomes),)), MendDecided(()))
    assert venue.seat_state(short) == becomes
    (message,) = mends(venue)
    assert (message.type, message.version) == ("seat.mended", seat.version + 1)
    assert broken(venue) == []


def test_seat_that_is_free_may_be_blocked_or_not(venue: Venue) -> None:
    venue.seats[seat_id("A4")] = replace(venue.seats[seat_id("A4")], state=SEAT_BLOCKED)
    assert venue.decide(mend(c.MendSeat, seat_id("A4"))) == [MendDecided(())]


def test_category_counts_who_waits(venue: Venue) -> None:
    before = venue.categories[CATEGORY]
    venue.categories[CATEGORY] = replace(before, waiters=0)
    assert venue.decide(mend(c.MendCategory, CATEGORY)) == [MendDecided((Change("waiters", 0, 1),))]
    assert venue.categories[CATEGORY] == replace(before, version=before.version + 1)
    assert [(message.type, message.version) for message in mends(venue)] == [("category.mended", before.version + 1)]


def test_sums_above_what_is_on_hand_are_refused_whole(venue: Venue) -> None:
    wrong = venue.stock[TEA] = replace(venue.stock[TEA], on_hand=2, held=0, confirmed=0, waiters=9)
    (outcome,) = venue.decide(mend(c.MendStock, TEA))
    assert isinstance(outcome, StateConflict)
    assert (outcome.state, outcome.action) == ("claimed", "mend")
    assert (venue.stock[TEA], mends(venue)) == (wrong, [])


def test_row_that_a_command_of_the_same_batch_moved_is_left_for_the_next_look(venue: Venue) -> None:
    venue.stock[TEA] = replace(venue.stock[TEA], held=0)
    outcomes = venue.decide(hold(units(1)), mend(c.MendStock, TEA))
    assert told(outcomes[0]) == "held 1"
    assert outcomes[1] == MendDecided(())
    assert venue.decide(mend(c.MendStock, TEA)) == [MendDecided((Change("held", 1, 3),))]
    assert broken(venue) == []


@pytest.mark.parametrize("kind", [c.MendStock, c.MendSeat, c.MendCategory])
@pytest.mark.parametrize("row_id", [b"nowhere---------", TEA, seat_id("A1"), CATEGORY])
def test_row_of_another_account_or_kind_is_not_there(venue: Venue, kind: type[c.MendCommand], row_id: bytes) -> None:
    venue.stock[TEA] = replace(venue.stock[TEA], held=0)
    (outcome,) = venue.decide(mend(kind, row_id, account_id=b"account-00000002"))
    assert isinstance(outcome, NotFound)
    assert mends(venue) == []


def of_seat(**facts: Any) -> SeatCounted:
    return replace(counted_seat(), **facts)


def counted_seat() -> SeatCounted:
    venue = Venue()
    venue.add_event()
    row = counted(venue)[seat_id("A1")]
    assert isinstance(row, SeatCounted)
    return row


OBSTACLES = {
    "two lines": ({"live_lines": 2, "reservation_state": "held"}, "2 live lines have it; release or cancel"),
    "a line of what has ended": (
        {"live_lines": 1, "reservation_state": "released"},
        "of a reservation that is released",
    ),
    "a line of nothing": ({"live_lines": 1, "reservation_state": None}, "of a reservation that is missing"),
    "no event": ({"state": SEAT_HELD, "event": None}, "restore that row from a backup"),
    "no category": ({"state": SEAT_HELD, "category": None}, "restore that row from a backup"),
    "no account": ({"state": SEAT_HELD, "owner": Owner(ACCOUNT, None)}, "restore that row from a backup"),
}


@pytest.mark.parametrize(("facts", "words"), OBSTACLES.values(), ids=OBSTACLES)
def test_what_cannot_be_mended_says_what_to_do(facts: dict[str, Any], words: str) -> None:
    drift = drift_of(of_seat(**facts))
    assert drift is not None
    assert words in (drift.obstacle or "")


def test_stock_that_is_claimed_beyond_its_count_says_what_to_do(venue: Venue) -> None:
    row = counted(venue)[TEA]
    assert isinstance(row, StockCounted)
    assert drift_of(row) is None
    drift = drift_of(replace(row, on_hand=2, held=0, confirmed=0))
    assert drift is not None
    assert drift.obstacle == (
        "its live lines claim 3 and 2 are on hand; raise on_hand (PUT /v1/stock/tea) or release reservations of it, "
        "then mend again"
    )
