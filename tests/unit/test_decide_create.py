"""Create: everything or nothing, refused for the first reason of the contract, lapsed holds ended on the way."""

from collections.abc import Callable
from typing import Any

import pytest

from service.refusals import (
    ExternalReferenceExists,
    InvalidRequest,
    InventoryUnavailable,
    NotFound,
    SalesClosed,
    UnavailableSeats,
    UnavailableStock,
)
from service.reservations import commands as c
from service.reservations.decide import ReservationDecided
from tests.unit.builders import ACCOUNT, START, Venue, best, hold, keyed, label, reference, seats, told, units
from tests.unit.invariants import broken
from tests.unit.stories import play


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.add_event()
    made.add_stock()
    return made


def lines_of(venue: Venue, number: int) -> list[tuple[int, str | None, int, int | None, str | None]]:
    return [
        (line.number, line.place, line.quantity, line.amount, line.currency) for line in venue.reservation(number).lines
    ]


def test_hold_is_one_version_with_one_message(venue: Venue) -> None:
    (outcome,) = venue.decide(hold(seats("A1", "A2"), units(2), reason="walk-in"))
    assert isinstance(outcome, ReservationDecided)
    reservation = outcome.reservation
    assert (reservation.state, reservation.version, outcome.created, outcome.message) == ("held", 1, True, 0)
    assert reservation.lapses_at == START + 600_000
    (message,) = venue.messages
    assert (message.type, message.actor, message.reason, message.at) == ("reservation.held", "shop", "walk-in", START)
    assert message.subject is reservation


def test_lines_are_one_a_seat_and_one_a_stock_item_in_the_order_of_the_request(venue: Venue) -> None:
    venue.decide(hold(units(2), best(2), seats("A1")))
    assert lines_of(venue, 1) == [
        (1, "default", 2, 200, "EUR"),
        (2, label("A2"), 1, 100, "EUR"),
        (3, label("A3"), 1, 100, "EUR"),
        (4, label("A1"), 1, 100, "EUR"),
    ]


def test_explicit_seats_are_allocated_before_best_available(venue: Venue) -> None:
    venue.decide(hold(best(1), seats("A1")))
    assert [line.place for line in venue.reservation(1).lines] == [label("A2"), label("A1")]


def test_hundred_seats_in_opposite_order_go_to_the_first_and_the_second_is_told_all(venue: Venue) -> None:
    venue.add_event("opera", rows={"A": 50, "B": 50})
    every = [f"{row}{number}" for row in "AB" for number in range(1, 51)]
    first, second = venue.decide(hold(seats(*every, event="opera")), hold(seats(*reversed(every), event="opera")))
    assert told(first) == "held 1"
    assert isinstance(second, InventoryUnavailable)
    assert second.unavailable == [
        UnavailableSeats(line=1, event="opera", seats=[label(short) for short in reversed(every)])
    ]
    assert not broken(venue)


def test_three_events_and_two_stock_items_of_which_one_is_short_keep_nothing(venue: Venue) -> None:
    for event in ("opera", "ballet"):
        venue.add_event(event)
    venue.add_stock("mug", on_hand=1)
    wanted = [
        seats("A1"),
        seats("A1", event="opera"),
        seats("A1", event="ballet"),
        units(2, "mug"),
        units(1, "tea"),
    ]
    rows = (dict(venue.seats), dict(venue.stock), dict(venue.reservations))
    (outcome,) = venue.decide(hold(*wanted, external_reference="order-1"))
    assert isinstance(outcome, InventoryUnavailable)
    assert outcome.unavailable == [UnavailableStock(line=4, sku="mug", location="default", requested=2, available=1)]
    assert (venue.seats, venue.stock, venue.reservations, venue.messages) == (*rows, [])
    # A refused create does not use its external reference up.
    assert told(venue.decide(hold(*wanted[:3], external_reference="order-1"))[0]) == "held 1"


def test_every_failing_line_is_named_by_its_place_in_the_request(venue: Venue) -> None:
    venue.decide(hold(seats("A1", "A2"), units(4)))
    (outcome,) = venue.decide(hold(best(6), seats("A2", "A3", "A1"), units(1), units(2), best(1)))
    assert isinstance(outcome, InventoryUnavailable)
    assert [(missing.line, told_of(missing)) for missing in outcome.unavailable] == [
        (1, (6, 7)),
        (2, [label("A2"), label("A1")]),
        (4, (2, 1)),
    ]


def told_of(missing: Any) -> Any:
    return missing.seats if isinstance(missing, UnavailableSeats) else (missing.requested, missing.available)


def test_group_that_cannot_sit_together_is_refused_where_single_seats_are_free(venue: Venue) -> None:
    play(
        venue,
        """
        0 | anna | holds A3 B3      | held 1
        0 | ben  | holds best 3     | inventory-unavailable: 8 of 3 best
        0 | carl | holds best 3 apart | held 1
        0 |      | A1 held, A2 held, A4 held, A5 available
        """,
    )


Change = Callable[[Venue, dict[str, Any]], None]
STEPS: list[tuple[str, type[Exception], Change]] = [
    ("unknown event", NotFound, lambda _, asked: asked["lines"].append(seats("A1", event="nowhere"))),
    ("unknown seat", NotFound, lambda _, asked: asked["lines"].append(seats("Z9"))),
    ("unknown SKU", NotFound, lambda _, asked: asked["lines"].append(units(1, "coal"))),
    ("unknown location", NotFound, lambda _, asked: asked["lines"].append(units(1, location="moon"))),
    ("unknown category", NotFound, lambda _, asked: asked["lines"].append(best(1, category="9"))),
    ("unknown section", NotFound, lambda _, asked: asked["lines"].append(best(1, section="Z"))),
    ("too long a hold", InvalidRequest, lambda _, asked: asked.update(hold_seconds=3601)),
    ("a name that is taken", ExternalReferenceExists, lambda _, asked: asked.update(external_reference="order-1")),
    ("closed sales", SalesClosed, lambda venue, _: venue.set_sales("closed")),
    ("a taken seat", InventoryUnavailable, lambda _, asked: asked["lines"].append(seats("A5"))),
]


@pytest.mark.parametrize("first", range(len(STEPS)), ids=[name for name, _, _ in STEPS])
def test_create_is_refused_for_the_first_reason_of_the_contract(venue: Venue, first: int) -> None:
    venue.decide(hold(seats("A5"), external_reference="order-1"))
    asked: dict[str, Any] = {"lines": [seats("A1")]}
    for _, _, change in STEPS[first:]:
        change(venue, asked)
    (outcome,) = venue.decide(hold(*asked.pop("lines"), **asked))
    assert type(outcome) is STEPS[first][1]
    assert len(venue.reservations) == 1


@pytest.mark.parametrize(
    ("line", "kind", "name"),
    [
        (seats("A1", event="nowhere"), "event", "nowhere"),
        (seats("Z9"), "seat", label("Z9")),
        (units(1, "coal"), "sku", "coal"),
        (units(1, location="moon"), "location", "moon"),
        (best(1, category="9"), "category", "9"),
        (best(1, section="Z"), "section", "Z"),
    ],
)
def test_unknown_name_is_told_with_its_kind(venue: Venue, line: c.RequestLine, kind: str, name: str) -> None:
    (outcome,) = venue.decide(hold(line))
    assert isinstance(outcome, NotFound)
    assert (outcome.kind, outcome.name) == (kind, name)


def test_another_account_does_not_find_what_is_not_its_own(venue: Venue) -> None:
    other = b"account-00000002"
    outcomes = venue.decide(hold(seats("A1"), account_id=other), hold(units(1), account_id=other))
    assert [told(outcome) for outcome in outcomes] == ["not-found", "not-found"]


@pytest.mark.parametrize(
    ("lines", "asked", "seconds"),
    [
        pytest.param([seats("A1")], None, 600, id="the event's own"),
        pytest.param([seats("A1"), seats("A1", event="opera")], None, 120, id="the smallest of the events'"),
        pytest.param([seats("A1"), seats("A1", event="opera")], 300, 300, id="as asked, up to the smallest maximum"),
        pytest.param([units(1)], None, 600, id="stock alone: the account's"),
        pytest.param([units(1)], 3600, 3600, id="stock alone: up to its maximum"),
    ],
)
def test_hold_lasts(venue: Venue, lines: list[c.RequestLine], asked: int | None, seconds: int) -> None:
    venue.add_event("opera", hold_seconds=120, hold_seconds_max=300)
    venue.decide(hold(*lines, hold_seconds=asked))
    assert venue.reservation(1).lapses_at == START + 1000 * seconds


def test_lapsed_hold_is_taken_whole_with_history_and_message(venue: Venue) -> None:
    venue.add_stock("mug")
    story = play(
        venue,
        """
        0       | anna | holds A1 A2 + 2 tea + 1 mug | held 1
        599.999 | ben  | holds A1                    | inventory-unavailable: A1
        600     | carl | holds A1                    | held 1
        600     |      | A1 held, A2 available, tea 0/0/5, mug 0/0/5, anna expired 2, carl held 1
        """,
    )
    assert venue.history(story.numbers["anna"]) == ["create held", "expire expired"]
    expiry = next(message for message in venue.messages if message.action == "expire")
    assert (expiry.actor, expiry.type, expiry.version) == ("worker", "reservation.expired", 2)
    assert venue.reservation(1).ended_at == START + 600_000


def test_refused_create_gives_up_the_lapsed_holds_that_it_ended(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds A1 + 2 tea | held 1
        600 | ben  | holds A1 + 6 tea | inventory-unavailable: 5 of 6 tea
        600 |      | A1 held, tea 2/0/3, anna held 1
        600 | anna | confirms late    | confirmed 2
        """,
    )


def test_short_stock_ends_as_many_lapsed_holds_as_it_needs_the_longest_over_first(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds 20 s for 2 tea | held 1
        0   | ben  | holds 10 s for 2 tea | held 1
        20  | carl | holds 3 tea          | held 1
        20  |      | anna held 1, ben expired 2, tea 5/0/0
        20  | dora | holds 2 tea          | held 1
        20  |      | anna expired 2, tea 5/0/0
        """,
    )


def test_lapsed_hold_whose_units_are_not_needed_is_left_to_the_sweep(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds A1 + 2 tea | held 1
        600 | ben  | holds A2 + 3 tea | held 1
        600 |      | anna held 1
        600 | anna | is swept         | expired 2
        """,
    )


def test_lapsed_hold_that_gave_its_units_back_in_the_same_batch_is_not_ended_for_them(venue: Venue) -> None:
    venue.decide(hold(seats("A1"), units(2)), hold(seats("B1"), units(3)))
    venue.pass_seconds(600)
    give_back = c.ReleaseReservation(account_id=ACCOUNT, actor="shop", reference=reference(1), lines=(2,))
    outcomes = venue.decide(give_back, hold(units(5)))
    assert [told(outcome) for outcome in outcomes] == ["held 2", "held 1"]
    assert [venue.reservation(number).state for number in (1, 2)] == ["held", "expired"]


def test_units_of_a_lapsed_hold_count_once_for_seat_and_stock(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds A1 + 5 tea | held 1
        600 | ben  | holds A1 + 5 tea | held 1
        600 |      | tea 5/0/0, anna expired 2
        """,
    )


def test_best_available_sees_lapsed_seats_as_free(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds A1 A2 A3 A4 A5 | held 1
        0   | ben  | holds B1 B2 B3 B4 B5 | held 1
        599 | carl | holds best 2         | inventory-unavailable: 0 of 2 best
        600 | carl | holds best 2         | held 1
        600 |      | A1 held, A2 held, A3 available, anna expired 2, ben held 1
        """,
    )


def test_seats_beyond_the_front_rows_are_read_where_none_of_those_fits() -> None:
    venue = Venue(front_rows=1)
    venue.add_event(rows={"A": 2, "B": 2})
    outcomes = venue.decide(hold(best(2)), hold(best(2)), hold(best(2)))
    assert [told(outcome) for outcome in outcomes] == ["held 1", "held 1", "inventory-unavailable: 0 of 2 best"]
    assert [line.place for line in venue.reservation(2).lines] == [label("B1"), label("B2")]


def test_commands_of_one_batch_see_each_other_in_order(venue: Venue) -> None:
    named = {"external_reference": "order-1"}
    release = c.ReleaseReservation(account_id=ACCOUNT, actor="shop", reference=reference(1))
    outcomes = venue.decide(
        hold(seats("A1"), **named), hold(seats("A1")), hold(seats("A2"), **named), release, hold(seats("A1"))
    )
    assert [told(outcome) for outcome in outcomes] == [
        "held 1",
        "inventory-unavailable: A1",
        "external-reference-exists",
        "released 2",
        "held 1",
    ]
    assert [message.version for message in venue.messages] == [1, 2, 1]
    assert not broken(venue)


def test_external_reference_stays_taken_after_expiry(venue: Venue) -> None:
    venue.decide(hold(seats("A1"), external_reference="order-1"))
    venue.pass_seconds(600)
    venue.decide(hold(seats("A1")))
    (outcome,) = venue.decide(hold(seats("A2"), external_reference="order-1"))
    assert isinstance(outcome, ExternalReferenceExists)
    assert outcome.reference == "R0000-00001"
    assert outcome.location == "/v1/reservations/R0000-00001"


def test_same_key_in_one_batch_is_one_decision_with_one_answer(venue: Venue) -> None:
    once = keyed(hold(units(2)), "k-1")
    first, again, other = venue.decide(once, once, keyed(hold(units(3)), "k-1"))
    assert again is first
    assert told(other) == "idempotency-key-reused"
    assert venue.counts() == (2, 0, 3)


def test_key_of_a_request_that_was_invalid_is_as_good_as_new(venue: Venue) -> None:
    outcomes = venue.decide(
        keyed(hold(units(1, "coal")), "k-1"),
        keyed(hold(units(1), hold_seconds=3601), "k-1"),
        keyed(hold(units(1)), "k-1"),
    )
    assert [told(outcome) for outcome in outcomes] == ["not-found", "invalid-request", "held 1"]


def test_refusal_is_kept_under_its_key_although_the_seat_is_free_again(venue: Venue) -> None:
    asked = keyed(hold(seats("A1")), "k-1")
    venue.decide(hold(seats("A1")), asked)
    release = c.ReleaseReservation(account_id=ACCOUNT, actor="shop", reference=reference(1))
    venue.decide(release)
    venue.decide(asked)
    (answer,) = venue.answers
    assert (answer.status, answer.replayed) == (409, True)
    assert venue.seat_state("A1") == "available"
