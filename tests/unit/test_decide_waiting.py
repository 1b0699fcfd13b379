"""Waiting: served in order of creation by whatever frees units, overtaken only while young, never for nothing."""

import pytest

from service.refusals import InventoryUnavailable
from service.reservations import commands as c
from service.reservations.decide import WaitingServed
from service.reservations.wanted import read_wanted
from tests.unit.builders import ACCOUNT, START, Venue, act, best, hold, identifier, label, put_stock, seats, told, units
from tests.unit.invariants import broken
from tests.unit.stories import play


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.add_event(rows={"A": 5, "B": 5}, categories={"B": "2"})
    made.add_stock("tea", on_hand=3)
    made.add_stock("mug", on_hand=1)
    return made


def test_pending_claims_nothing_and_keeps_what_it_wants(venue: Venue) -> None:
    venue.decide(hold(seats("A1")))
    wanted = (seats("A1", "A2"), best(2, number=2), best(1, category="2", number=3), units(2, number=4))
    (outcome,) = venue.decide(hold(*wanted, wait=True, wait_seconds=120))
    assert told(outcome) == "pending 1"
    reservation = venue.reservation(2)
    assert (reservation.lapses_at, reservation.held_at) == (START + 120_000, None)
    assert read_wanted(reservation.wanted) == wanted
    assert [(line.number, line.place, line.amount) for line in reservation.lines] == [
        (1, label("A1"), 100),
        (2, label("A2"), 100),
        (3, None, None),
        (4, None, None),
        (5, None, 200),
        (6, "default", 200),
    ]
    assert set(reservation.pools) == {identifier("final=1"), identifier("final=2"), identifier("tea@default")}
    assert venue.counts() == (0, 0, 3)
    assert venue.seat_state("A2") == "available"


def test_promotion_is_a_change_by_the_worker_with_seats_and_prices_chosen(venue: Venue) -> None:
    venue.decide(hold(seats("A1", "A2", "A3", "A4", "A5", "B1", "B2", "B3", "B4")))
    venue.decide(hold(best(2), units(1), wait=True, hold_seconds=90))
    venue.pass_seconds(10)
    venue.decide(act(c.ReleaseReservation, 1, lines=(8, 9)))
    reservation = venue.reservation(2)
    assert (reservation.state, reservation.version) == ("held", 2)
    assert (reservation.held_at, reservation.lapses_at) == (START + 10_000, START + 100_000)
    assert (reservation.wanted, reservation.pools) == (None, ())
    assert [(line.place, line.amount) for line in reservation.lines] == [
        (label("B3"), 200),
        (label("B4"), 200),
        ("default", 100),
    ]
    promotion = venue.messages[-1]
    assert (promotion.type, promotion.actor, promotion.action) == ("reservation.held", "worker", "hold")


FREES = {
    "release": "1 | anna | releases | released 2",
    "some lines": "1 | anna | releases line 1 | held 2",
    "cancel": "1 | anna | confirms | confirmed 2\n1 | anna | cancels | cancelled 3",
    "cancel of some lines": "1 | anna | confirms | confirmed 2\n1 | anna | cancels line 1 | confirmed 3",
    "sweep": "600 | anna | is swept | expired 2",
    "a newcomer who ends the lapsed hold": "600 | carl | holds A2 | held 1",
    "a block that ends the lapsed hold": "600 | operator | blocks A2 | BlockDecided",
    "the worker": "600 | worker | serves final | WaitingServed",
}


@pytest.mark.parametrize("frees", FREES.values(), ids=FREES)
def test_who_waits_is_served_by_the_decision_that_frees_units(venue: Venue, frees: str) -> None:
    play(
        venue,
        f"""
        0 | anna | holds A1 A2   | held 1
        0 | ben  | waits for A1  | pending 1
        {frees}
        601 |    | A1 held, ben held 2
        """,
    )


def test_raised_stock_and_unblocked_seats_serve_who_waits(venue: Venue) -> None:
    play(
        venue,
        """
        0 | operator | blocks A1 A2      | BlockDecided
        0 | anna     | waits for A1      | pending 1
        0 | ben      | waits for 5 tea   | pending 1
        1 | operator | unblocks A1       | BlockDecided
        1 |          | anna held 2
        2 | operator | sets tea to 4     | StockDecided
        2 |          | ben pending 1
        3 | operator | adds 1 tea as d-1 | AdjustmentDecided
        3 |          | ben held 2, tea 5/0/0
        """,
    )


def test_order_of_creation_decides_who_is_served(venue: Venue) -> None:
    play(
        venue,
        """
        0 | anna | holds 3 tea     | held 1
        1 | ben  | waits for 1 tea | pending 1
        2 | carl | waits for 1 tea | pending 1
        3 | dora | waits for 2 tea | pending 1
        4 | anna | releases        | released 2
        4 |      | ben held 2, carl held 2, dora pending 1, tea 2/0/1
        5 | ben  | releases        | released 3
        5 |      | dora held 2
        """,
    )


def test_creation_by_the_databases_clock_counts_before_the_order_of_ids(venue: Venue) -> None:
    """Ids are made by hosts, whose clocks may differ."""
    venue.decide(hold(units(3)))
    venue.pass_seconds(10)
    venue.decide(hold(units(1), wait=True))
    venue.pass_seconds(-5)
    venue.decide(hold(units(1), wait=True))
    venue.pass_seconds(5)
    venue.decide(put_stock(4))
    assert (venue.reservation(2).state, venue.reservation(3).state) == ("pending", "held")


def test_newcomer_does_not_overtake_one_who_waits_and_would_fit(venue: Venue) -> None:
    """The hold is over, and nobody has come by: the newcomer's own decision serves the other first."""
    play(
        venue,
        """
        0   | anna | holds A1       | held 1
        1   | ben  | waits for A1   | pending 1
        600 | carl | holds A1 + 1 tea | inventory-unavailable: A1
        600 |      | ben pending 1, anna held 1
        600 | dora | holds A2       | held 1
        600 |      | ben held 2, anna expired 2
        """,
    )


def test_large_one_is_overtaken_before_60_s_and_not_after(venue: Venue) -> None:
    play(
        venue,
        """
        0      | anna | holds 1 tea       | held 1
        0      | ben  | waits for 3 tea   | pending 1
        59.998 | carl | holds 20 s for 1 tea | held 1
        59.999 | carl | releases          | released 2
        60     | dora | holds 1 tea       | inventory-unavailable: 0 of 1 tea
        60     | emil | waits for 1 tea   | pending 1
        61     | anna | releases          | released 2
        61     |      | ben held 2, emil pending 1
        """,
    )


def test_old_one_keeps_its_seats_and_its_area_and_nothing_else(venue: Venue) -> None:
    play(
        venue,
        """
        0  | anna | holds A1 B1              | held 1
        0  | ben  | waits for A1 A2          | pending 1
        0  | carl | waits for best 5 of 2    | pending 1
        60 | dora | holds A2                 | inventory-unavailable: A2
        60 | dora | holds B5                 | inventory-unavailable: B5
        60 | dora | holds best 1 of 2        | inventory-unavailable: 0 of 1 best
        60 | dora | holds best 2 of 1        | held 1
        60 |      | A3 held, A2 available
        60 | emil | holds A5 + 3 tea         | held 1
        """,
    )


def test_old_one_keeps_as_many_units_of_each_line_as_it_wants_and_leaves_the_rest_on_sale(venue: Venue) -> None:
    """What is missing is A1; tea and neighbours in category 2 there are, and enough of them."""
    play(
        venue,
        """
        0  | anna | holds A1                       | held 1
        0  | ben  | waits for A1 + 1 tea + best 2 of 2 | pending 1
        60 | dora | holds 3 tea                    | inventory-unavailable: 2 of 3 tea
        60 | dora | holds 2 tea                    | held 1
        60 | emil | holds 1 tea                    | inventory-unavailable: 0 of 1 tea
        60 | emil | holds best 3 of 2              | held 1
        60 | eva  | holds best 1 of 2              | inventory-unavailable: 0 of 1 best
        61 | anna | releases                       | released 2
        61 |      | ben held 2, tea 3/0/0
        """,
    )


def test_two_old_ones_with_one_wish_each_keep_their_own_units(venue: Venue) -> None:
    play(
        venue,
        """
        0  | anna | holds A1 A2                | held 1
        0  | ben  | waits for best 5 of 1 + 1 tea  | pending 1
        1  | carl | waits for best 5 of 1 + 1 tea  | pending 1
        61 | dora | holds 2 tea                | inventory-unavailable: 1 of 2 tea
        61 | dora | holds 1 tea                | held 1
        61 | emil | holds 1 tea                | inventory-unavailable: 0 of 1 tea
        62 | anna | releases                   | released 2
        62 |      | ben held 2, carl pending 1
        62 | ben  | releases                   | released 3
        62 |      | carl held 2
        """,
    )


def test_who_waits_behind_an_old_one_does_not_overtake_it_either(venue: Venue) -> None:
    play(
        venue,
        """
        0  | anna | holds 1 tea     | held 1
        0  | ben  | waits for 3 tea | pending 1
        1  | carl | holds 2 tea     | held 1
        2  | dora | waits for 1 tea | pending 1
        61 | carl | releases        | released 2
        61 |      | ben pending 1, dora pending 1, tea 1/0/2
        62 | anna | releases        | released 2
        62 |      | ben held 2, dora pending 1
        """,
    )


def test_one_who_waits_elsewhere_does_not_overtake_an_old_one_where_both_wait(venue: Venue) -> None:
    """What is freed is a mug; but who wants it wants tea, too, and there ben was before."""
    play(
        venue,
        """
        0  | anna | holds 1 tea             | held 1
        0  | eva  | holds 1 mug             | held 1
        0  | ben  | waits for 3 tea         | pending 1
        1  | carl | waits for 1 tea + 1 mug | pending 1
        61 | eva  | releases                | released 2
        61 |      | carl pending 1, tea 1/0/2, mug 0/0/1
        62 | anna | releases                | released 2
        62 |      | ben held 2, carl pending 1
        """,
    )


NEVER = {
    "a confirmed seat": ("holds A1", "waits for A1 + 1 tea"),
    "more neighbours than there can be": ("holds A3", "waits for best 3 of 1 + 1 tea"),
    "more stock than is not confirmed": ("holds 1 tea", "waits for 3 tea"),
}


@pytest.mark.parametrize(("takes", "wish"), NEVER.values(), ids=NEVER)
def test_wish_that_can_never_be_met_bars_nobody(venue: Venue, takes: str, wish: str) -> None:
    play(
        venue,
        f"""
        0  | anna | {takes}            | held 1
        0  | anna | confirms           | confirmed 2
        0  | ben  | {wish}             | pending 1
        99 | carl | holds 2 tea + best 2 of 1 | held 1
        """,
    )


def test_two_groups_that_can_never_both_be_seated_bar_nobody(venue: Venue) -> None:
    """Each of them could be, alone."""
    play(
        venue,
        """
        0  | anna | holds A1            | held 1
        0  | anna | confirms            | confirmed 2
        0  | ben  | waits for best 3 of 1 + best 2 of 1 | pending 1
        99 | carl | holds A2 A3         | held 1
        """,
    )


def test_wish_that_only_a_confirmed_one_stands_against_bars_again_after_its_cancel(venue: Venue) -> None:
    play(
        venue,
        """
        0  | anna | holds A1        | held 1
        0  | anna | confirms        | confirmed 2
        0  | ben  | waits for A1 A2 | pending 1
        90 | carl | holds A2        | held 1
        91 | anna | cancels         | cancelled 3
        91 |      | A1 available
        92 | dora | holds A1        | inventory-unavailable: A1
        93 | carl | releases        | released 2
        93 |      | ben held 2
        """,
    )


def test_closed_sales_stop_promotions_and_bar_nobody_from_stock(venue: Venue) -> None:
    venue.decide(hold(seats("A1"), units(1)), hold(seats("A1"), units(3), wait=True))
    venue.set_sales("closed")
    venue.pass_seconds(90)
    outcomes = venue.decide(act(c.ReleaseReservation, 1), hold(units(1)))
    assert [told(outcome) for outcome in outcomes] == ["released 2", "held 1"]
    venue.set_sales("open")
    venue.decide(act(c.ReleaseReservation, 3))
    assert told_state(venue, 2) == "held 2"
    assert not broken(venue)


def told_state(venue: Venue, number: int) -> str:
    reservation = venue.reservation(number)
    return f"{reservation.state} {reservation.version}"


def test_wait_that_is_over_is_ended_and_passed_by(venue: Venue) -> None:
    play(
        venue,
        """
        0  | anna | holds 3 tea            | held 1
        0  | ben  | waits 90 s for 3 tea   | pending 1
        1  | carl | waits for 1 tea        | pending 1
        90 | dora | holds 1 mug            | held 1
        90 |      | ben pending 1
        90 | anna | releases               | released 2
        90 |      | ben expired 2, carl held 2
        """,
    )
    assert venue.reservation(2).ended_at == START + 90_000


def test_one_unit_is_promised_to_one_of_two_who_wait(venue: Venue) -> None:
    """Two decisions of one batch that free nothing but the same seat do not promote twice."""
    venue.decide(hold(seats("A1")), hold(seats("A1"), wait=True), hold(seats("A1"), wait=True))
    serve = c.PromoteWaiting(account_id=ACCOUNT, actor="worker", pool_id=identifier("final=1"), event="final")
    outcomes = venue.decide(act(c.ReleaseReservation, 1), serve, serve)
    assert [outcome.promoted for outcome in outcomes if isinstance(outcome, WaitingServed)] == [0, 0]
    assert [told_state(venue, number) for number in (2, 3)] == ["held 2", "pending 1"]
    assert [message.type for message in venue.messages].count("reservation.held") == 2


def test_promotion_that_frees_more_serves_those_who_wait_for_that_too(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds 700 s for A1   | held 1
        0   | ben  | holds A2 + 1 mug     | held 1
        1   | carl | waits for A1 A2      | pending 1
        2   | dora | waits for 1 mug      | pending 1
        700 | anna | releases             | released 2
        700 |      | carl held 2, ben expired 2, dora held 2, mug 1/0/0
        """,
    )


def test_newcomer_who_waits_with_everything_free_is_held_at_once(venue: Venue) -> None:
    (outcome,) = venue.decide(hold(seats("A1"), wait=True))
    assert told(outcome) == "held 1"
    assert venue.reservation(1).lapses_at == START + 600_000


def test_refused_newcomer_promotes_nobody(venue: Venue) -> None:
    """It is refused whole; who waits is served by the next decision, or the worker."""
    venue.decide(hold(units(3)), hold(units(1), wait=True))
    venue.pass_seconds(600)
    told_before = list(venue.messages)
    (outcome,) = venue.decide(hold(units(3)))
    assert isinstance(outcome, InventoryUnavailable)
    assert venue.messages == told_before
    serve = c.PromoteWaiting(
        account_id=ACCOUNT, actor="worker", pool_id=identifier("tea@default"), sku="tea", location="default"
    )
    assert venue.decide(serve) == [WaitingServed(1)]
