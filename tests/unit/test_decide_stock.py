"""Counts of stock, adjustments by their natural key, and seats that the operator takes out of sale."""

import pytest

from service.refusals import ExternalReferenceExists, InventoryUnavailable, StateConflict, UnavailableSeats
from service.reservations import commands as c
from service.reservations.decide import AdjustmentDecided, BlockDecided, StockDecided
from service.reservations.records import StockItem
from tests.unit.builders import (
    Venue,
    act,
    adjust_stock,
    block,
    hold,
    identifier,
    keyed,
    label,
    put_stock,
    seats,
    told,
    units,
)
from tests.unit.stories import play


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.add_event()
    made.add_stock("tea", on_hand=5)
    return made


def item(venue: Venue, sku: str = "tea") -> StockItem:
    return next(row for row in venue.stock.values() if row.sku == sku)


def test_new_item_is_created_once_in_a_batch(venue: Venue) -> None:
    first, again, more = venue.decide(put_stock(3, "mug"), put_stock(3, "mug"), put_stock(4, "mug"))
    assert [type(outcome) for outcome in (first, again, more)] == [StockDecided] * 3
    assert [outcome.created for outcome in (first, again, more) if isinstance(outcome, StockDecided)] == [
        True,
        False,
        False,
    ]
    assert (item(venue, "mug").on_hand, item(venue, "mug").definition_version) == (4, 2)
    assert [message.version for message in venue.messages] == [1, 2]


def test_new_item_can_be_held_in_the_batch_that_makes_it(venue: Venue) -> None:
    outcomes = venue.decide(hold(units(1, "mug")), put_stock(1, "mug"), hold(units(1, "mug")), hold(units(1, "mug")))
    assert [told(outcome) for outcome in outcomes] == [
        "not-found",
        "StockDecided",
        "held 1",
        "inventory-unavailable: 0 of 1 mug",
    ]


def test_equal_put_changes_nothing(venue: Venue) -> None:
    before = item(venue)
    (outcome,) = venue.decide(put_stock(5))
    assert outcome == StockDecided(before, created=False)
    assert (item(venue), venue.messages) == (before, [])


def test_holds_move_the_counts_and_not_the_definition(venue: Venue) -> None:
    venue.decide(hold(units(2)), act(c.ConfirmReservation, 1))
    assert (item(venue).version, item(venue).definition_version) == (3, 1)
    (outcome,) = venue.decide(put_stock(9, if_match=1))
    assert told(outcome) == "StockDecided"
    assert item(venue).definition_version == 2


@pytest.mark.parametrize(
    ("sku", "if_match", "answer"),
    [
        ("tea", 1, "StockDecided"),
        ("tea", 0, "version-conflict"),
        ("tea", 2, "version-conflict"),
        ("mug", 0, "StockDecided"),
        ("mug", 1, "version-conflict"),
    ],
)
def test_if_match_is_the_version_of_the_definition(venue: Venue, sku: str, if_match: int, answer: str) -> None:
    assert told(venue.decide(put_stock(7, sku, if_match=if_match))[0]) == answer


def test_count_on_hand_never_falls_below_what_is_claimed(venue: Venue) -> None:
    play(
        venue,
        """
        0 | anna     | holds 2 tea        | held 1
        0 | ben      | holds 1 tea        | held 1
        0 | ben      | confirms           | confirmed 2
        0 | operator | sets tea to 2      | state-conflict
        0 | operator | adds -3 tea as d-1 | state-conflict
        0 | operator | adds -2 tea as d-1 | AdjustmentDecided
        0 |          | tea 2/1/0
        0 | operator | sets tea to 3      | StockDecided
        0 | carl     | holds 1 tea        | inventory-unavailable: 0 of 1 tea
        1 | anna     | releases           | released 2
        1 | operator | sets tea to 1      | StockDecided
        1 |          | tea 0/1/0
        """,
    )


def test_count_below_zero_is_refused_and_told_with_the_version(venue: Venue) -> None:
    (outcome,) = venue.decide(adjust_stock(-6, "d-1"))
    assert isinstance(outcome, StateConflict)
    assert (outcome.action, outcome.version) == ("adjust", 1)


def test_adjustment_is_made_once_for_each_reference(venue: Venue) -> None:
    first, again, other, reason = venue.decide(
        adjust_stock(2, "d-1"), adjust_stock(2, "d-1"), adjust_stock(3, "d-1"), adjust_stock(2, "d-1", reason="late")
    )
    assert isinstance(first, AdjustmentDecided)
    assert again == first
    for refused in (other, reason):
        assert isinstance(refused, ExternalReferenceExists)
        assert (refused.reference, refused.location) == ("d-1", "/v1/stock/tea?location=default")
    assert item(venue).on_hand == 7
    assert [message.type for message in venue.messages] == ["stock.adjusted"]


def test_reference_of_an_adjustment_is_the_items_own(venue: Venue) -> None:
    venue.add_stock("mug", on_hand=1)
    outcomes = venue.decide(adjust_stock(2, "d-1"), adjust_stock(3, "d-1", "mug"))
    assert [told(outcome) for outcome in outcomes] == ["AdjustmentDecided", "AdjustmentDecided"]


def test_refused_adjustment_does_not_use_its_reference_up(venue: Venue) -> None:
    outcomes = venue.decide(adjust_stock(-6, "d-1"), adjust_stock(-5, "d-1"))
    assert [told(outcome) for outcome in outcomes] == ["state-conflict", "AdjustmentDecided"]


def test_adjustment_under_a_new_key_is_answered_as_the_first_was(venue: Venue) -> None:
    venue.decide(keyed(adjust_stock(2, "d-1"), "k-1"))
    first = venue.answers[0].body
    venue.decide(hold(units(1)))
    venue.decide(keyed(adjust_stock(2, "d-1"), "k-2"))
    assert venue.answers[0].body == first


def test_adjustment_of_what_does_not_exist_is_404(venue: Venue) -> None:
    outcomes = venue.decide(adjust_stock(1, "d-1", "coal"), adjust_stock(1, "d-1", location="moon"))
    assert [told(outcome) for outcome in outcomes] == ["not-found", "not-found"]


def test_blocked_seats_are_not_to_be_had_until_they_are_unblocked(venue: Venue) -> None:
    play(
        venue,
        """
        0 | operator | blocks A1 A2       | BlockDecided
        0 | anna     | holds A1 A3        | inventory-unavailable: A1
        0 | anna     | holds best 3       | held 1
        0 |          | A1 blocked, A3 held, A4 held, A5 held
        1 | operator | unblocks A1        | BlockDecided
        1 | ben      | holds A1           | held 1
        """,
    )


def test_block_is_all_or_nothing_and_names_what_is_taken(venue: Venue) -> None:
    venue.decide(hold(seats("A1", "A2")), act(c.ConfirmReservation, 1), hold(seats("A3")))
    (outcome,) = venue.decide(block("A4", "A3", "A1"))
    assert isinstance(outcome, InventoryUnavailable)
    assert outcome.unavailable == [UnavailableSeats(line=1, event="final", seats=[label("A3"), label("A1")])]
    assert venue.seat_state("A4") == "available"


def test_block_and_unblock_are_safe_to_repeat(venue: Venue) -> None:
    outcomes = venue.decide(
        block("A1", "A2"), block("A2", "A3"), block("A3", "A4", blocked=False), block("A3", blocked=False)
    )
    assert [outcome.seats for outcome in outcomes if isinstance(outcome, BlockDecided)] == [2, 1, 1, 0]
    assert [venue.seat_state(short) for short in ("A1", "A2", "A3", "A4")] == ["blocked"] * 2 + ["available"] * 2


def test_unblock_leaves_claimed_seats_alone(venue: Venue) -> None:
    venue.decide(hold(seats("A1")), block("A1", blocked=False))
    assert venue.seat_state("A1") == "held"
    assert venue.seats[identifier("final/A1")].version == 2


def test_block_takes_the_seat_of_a_lapsed_hold_and_ends_it_whole(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna     | holds A1 A2 + 2 tea | held 1
        600 | operator | blocks A1           | BlockDecided
        600 |          | anna expired 2, A1 blocked, A2 available, tea 0/0/5
        600 | anna     | confirms late       | hold-expired
        """,
    )


def test_refused_block_gives_up_the_lapsed_holds_that_it_ended(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna     | holds A1  | held 1
        1   | ben      | holds A2  | held 1
        600 | operator | blocks A1 A2 | inventory-unavailable: A2
        600 |          | anna held 1, A1 held
        """,
    )


def test_block_of_an_unknown_seat_or_event_is_404(venue: Venue) -> None:
    outcomes = venue.decide(block("A1", "Z9"), block("A1", event="nowhere"))
    assert [told(outcome) for outcome in outcomes] == ["not-found", "not-found"]
    assert venue.seat_state("A1") == "available"
