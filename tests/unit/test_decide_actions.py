"""Confirm, extend, release, cancel and the end of time: the two phases of a reservation, one row a step."""

from itertools import product

import pytest

from service.refusals import HoldExpired, InvalidRequest, StateConflict, VersionConflict
from service.reservations import commands as c
from tests.unit.builders import START, Venue, act, best, hold, keyed, label, seats, told, units
from tests.unit.invariants import broken
from tests.unit.stories import play


@pytest.fixture
def venue() -> Venue:
    made = Venue()
    made.add_event(hold_seconds=600, hold_seconds_max=1000)
    made.add_stock()
    return made


STORIES = {
    "a hold is confirmed and cancelled": """
        0 | anna | holds A1 + 2 tea | held 1
        0 |      | A1 held, tea 2/0/3
        1 | anna | confirms         | confirmed 2
        1 |      | A1 confirmed, tea 0/2/3
        2 | anna | cancels          | cancelled 3
        2 |      | A1 available, tea 0/0/5
        """,
    "a hold is released": """
        0 | anna | holds A1 + 2 tea | held 1
        1 | anna | releases         | released 2
        1 |      | A1 available, tea 0/0/5
        """,
    "asking again changes nothing": """
        0 | anna | holds A1   | held 1
        1 | anna | confirms   | confirmed 2
        2 | anna | confirms   | confirmed 2
        3 | anna | cancels    | cancelled 3
        4 | anna | cancels    | cancelled 3
        5 | ben  | holds A1   | held 1
        6 | ben  | releases   | released 2
        7 | ben  | releases   | released 2
        """,
    "a hold is over at the very millisecond of its end": """
        0       | anna | holds A1   | held 1
        0       | ben  | holds A2   | held 1
        0       | carl | holds A3   | held 1
        599.999 | anna | confirms   | confirmed 2
        600     | ben  | confirms   | hold-expired
        600     | ben  | extends    | hold-expired
        600     |      | ben held 1, A2 held
        600     | carl | is swept   | expired 2
        600     |      | A3 available
        """,
    "a sweep that comes too early leaves a hold alone": """
        0       | anna | holds A1   | held 1
        599.999 | anna | is swept   | held 1
        600     | anna | is swept   | expired 2
        601     | anna | is swept   | expired 2
        """,
    "a sweep that comes too late changes nothing of what is confirmed": """
        0   | anna | holds A1   | held 1
        1   | anna | confirms   | confirmed 2
        600 | anna | is swept   | confirmed 2
        """,
    "a late confirm before the sweep is one step": """
        0   | anna | holds A1 + 2 tea | held 1
        600 | anna | confirms late    | confirmed 2
        600 |      | A1 confirmed, tea 0/2/3
        """,
    "a late confirm after the sweep claims its units again": """
        0   | anna | holds A1 + 2 tea | held 1
        600 | anna | is swept         | expired 2
        600 |      | A1 available, tea 0/0/5
        601 | anna | confirms late    | confirmed 3
        601 |      | A1 confirmed, tea 0/2/3
        602 | anna | confirms late    | confirmed 3
        """,
    "a late confirm is refused where one unit is gone": """
        0   | anna | holds A1 + 2 tea | held 1
        600 | ben  | holds A1         | held 1
        600 |      | anna expired 2
        601 | anna | confirms late    | hold-expired
        602 | ben  | releases         | released 2
        603 | anna | confirms late    | confirmed 3
        """,
    "a late confirm is refused where the stock is short": """
        0   | anna | holds A1 + 2 tea | held 1
        600 | anna | is swept         | expired 2
        600 | ben  | holds 4 tea      | held 1
        601 | anna | confirms late    | hold-expired
        601 |      | A1 available, tea 4/0/1, anna expired 2
        """,
    "a late confirm takes the units of another lapsed hold": """
        0    | anna | holds A1 + 3 tea      | held 1
        600  | anna | is swept              | expired 2
        600  | ben  | holds A1 + 3 tea + B1 | held 1
        1199 | anna | confirms late         | hold-expired
        1200 | anna | confirms late         | confirmed 3
        1200 |      | ben expired 2, A1 confirmed, B1 available, tea 0/3/2
        """,
    "a late confirm leaves lines that were given back alone": """
        0   | anna | holds A1 A2 + 2 tea | held 1
        1   | anna | releases lines 1 3  | held 2
        600 | anna | is swept            | expired 3
        600 | ben  | holds A1 + 5 tea    | held 1
        601 | anna | confirms late       | confirmed 4
        601 |      | A2 confirmed, A1 held, tea 5/0/0
        """,
    "some lines are given back, the last one ends it": """
        0 | anna | holds A1 A2 + 2 tea | held 1
        1 | anna | releases line 2     | held 2
        1 |      | A1 held, A2 available, tea 2/0/3
        2 | anna | releases line 2     | held 2
        3 | anna | releases lines 2 3  | held 3
        3 |      | tea 0/0/5
        4 | anna | confirms            | confirmed 4
        5 | anna | cancels line 3      | confirmed 4
        6 | anna | cancels line 1      | cancelled 5
        6 |      | A1 available
        """,
    "several lines are one version": """
        0 | anna | holds A1 A2 A3      | held 1
        1 | anna | releases lines 1 2 3 | released 2
        """,
    "a hold past its time may still be given back": """
        0   | anna | holds A1 | held 1
        600 | anna | releases | released 2
        """,
    "a wait that is over never had units to claim again": """
        0   | anna | holds A1            | held 1
        0   | ben  | waits 60 s for A1   | pending 1
        0   | carl | waits 60 s for A1 + best 1 | pending 1
        60  | ben  | is swept            | expired 2
        60  | carl | is swept            | expired 2
        61  | anna | releases            | released 2
        62  | ben  | confirms late       | hold-expired
        62  | carl | confirms late       | hold-expired
        62  |      | A1 available
        """,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_story(venue: Venue, story: str) -> None:
    play(venue, story)


@pytest.mark.parametrize(
    ("steps", "ends"),
    [
        pytest.param([(0, None)], [600], id="without seconds it takes those of the create, from now: no change"),
        pytest.param([(100, None)], [700], id="without seconds it takes those of the create, from now"),
        pytest.param([(100, 300)], [600], id="it never shortens"),
        pytest.param([(100, 500)], [600], id="to the same end: no change"),
        pytest.param([(100, 501)], [601], id="one second more"),
        pytest.param([(599, 1000)], [1000], id="past the cap: the cap"),
        pytest.param([(500, 900), (999, 600)], [1000, 1000], id="at the cap it stays there"),
    ],
)
def test_extend_moves_the_end(venue: Venue, steps: list[tuple[int, int | None]], ends: list[int]) -> None:
    venue.decide(hold(seats("A1")))
    version, end = 1, START + 600_000
    for (at, seconds), expected in zip(steps, ends, strict=True):
        venue.now = START + 1000 * at
        venue.decide(act(c.ExtendReservation, 1, hold_seconds=seconds))
        version += end != START + 1000 * expected
        end = START + 1000 * expected
        reservation = venue.reservation(1)
        assert (reservation.lapses_at, reservation.version) == (end, version)
    assert not broken(venue)


def test_cap_of_one_that_waited_counts_from_when_it_became_held(venue: Venue) -> None:
    play(
        venue,
        """
        0    | anna | holds A1          | held 1
        0    | ben  | waits 3000 s for A1 | pending 1
        500  | anna | releases          | released 2
        500  |      | ben held 2
        1050 | ben  | extends for 1000 s | held 3
        """,
    )
    assert venue.reservation(2).lapses_at == START + 1_500_000


STATES = {
    "pending": "0 | ben | holds A1 | held 1\n0 | anna | waits for A1 | pending 1",
    "held": "0 | anna | holds A1 | held 1",
    "confirmed": "0 | anna | holds A1 | held 1\n0 | anna | confirms | confirmed 2",
    "released": "0 | anna | holds A1 | held 1\n0 | anna | releases | released 2",
    "cancelled": "0 | anna | holds A1 | held 1\n0 | anna | confirms | confirmed 2\n0 | anna | cancels | cancelled 3",
    "expired": "-600 | anna | holds A1 | held 1\n0 | anna | is swept | expired 2",
}
ANSWERS = {
    #             confirm          extend            release           cancel            sweep
    "pending": ("state-conflict", "state-conflict", "released 2", "state-conflict", "pending 1"),
    "held": ("confirmed 2", "held 2", "released 2", "state-conflict", "held 1"),
    "confirmed": ("confirmed 2", "state-conflict", "state-conflict", "cancelled 3", "confirmed 2"),
    "released": ("state-conflict", "state-conflict", "released 2", "state-conflict", "released 2"),
    "cancelled": ("state-conflict", "state-conflict", "state-conflict", "cancelled 3", "cancelled 3"),
    "expired": ("hold-expired", "hold-expired", "state-conflict", "state-conflict", "expired 2"),
}
ACTIONS = ("confirms", "extends", "releases", "cancels", "is swept")


@pytest.mark.parametrize(("state", "place"), list(product(STATES, range(len(ACTIONS)))), ids=str)
def test_each_action_is_answered_by_state(venue: Venue, state: str, place: int) -> None:
    play(venue, f"{STATES[state]}\n1 | anna | {ACTIONS[place]} | {ANSWERS[state][place]}")


def test_conflict_tells_state_action_and_version(venue: Venue) -> None:
    venue.decide(hold(seats("A1")))
    (outcome,) = venue.decide(act(c.CancelReservation, 1))
    assert isinstance(outcome, StateConflict)
    assert (outcome.state, outcome.action, outcome.version) == ("held", "cancel", 1)


@pytest.mark.parametrize("swept", [False, True])
def test_expired_hold_tells_when_it_was_over(venue: Venue, swept: bool) -> None:
    venue.decide(hold(seats("A1")))
    venue.pass_seconds(700)
    if swept:
        venue.decide(act(c.ExpireReservation, 1))
    (outcome,) = venue.decide(act(c.ConfirmReservation, 1))
    assert isinstance(outcome, HoldExpired)
    assert outcome.expired_at_ms == START + 600_000


@pytest.mark.parametrize("kind", [c.ConfirmReservation, c.ExtendReservation, c.ReleaseReservation, c.CancelReservation])
def test_if_match_acts_only_on_that_version(venue: Venue, kind: type[c.ReservationCommand]) -> None:
    venue.decide(hold(seats("A1")))
    (outcome,) = venue.decide(act(kind, 1, if_match=2))
    assert isinstance(outcome, VersionConflict)
    assert outcome.version == 1
    assert venue.reservation(1).version == 1


def test_if_match_comes_before_already_so_and_404_before_if_match(venue: Venue) -> None:
    venue.decide(hold(seats("A1")), act(c.ConfirmReservation, 1))
    outcomes = venue.decide(
        act(c.ConfirmReservation, 1, if_match=1),
        act(c.ConfirmReservation, 1, if_match=2),
        act(c.ConfirmReservation, 9, if_match=1),
    )
    assert [told(outcome) for outcome in outcomes] == ["version-conflict", "confirmed 2", "not-found"]


@pytest.mark.parametrize("kept", [pytest.param(False, id="in the same batch"), pytest.param(True, id="in a record")])
def test_unknown_reference_comes_before_the_reuse_of_a_key(venue: Venue, kept: bool) -> None:
    venue.decide(hold(seats("A1")))
    first = keyed(act(c.ConfirmReservation, 1), "k-1")
    second = keyed(act(c.ConfirmReservation, 9), "k-1")
    third = keyed(act(c.ConfirmReservation, 1, if_match=7), "k-1")
    batches = [[first], [second], [third]] if kept else [[first, second, third]]
    outcomes = [outcome for batch in batches for outcome in venue.decide(*batch)]
    assert [told(outcome) for outcome in outcomes] == ["confirmed 2", "not-found", "idempotency-key-reused"]


@pytest.mark.parametrize("lines", [(3,), (0,), (1, 1), (1, 3)])
def test_unknown_or_repeated_line_is_invalid(venue: Venue, lines: tuple[int, ...]) -> None:
    venue.decide(hold(seats("A1", "A2")))
    (outcome,) = venue.decide(act(c.ReleaseReservation, 1, lines=lines))
    assert isinstance(outcome, InvalidRequest)
    assert venue.reservation(1).version == 1


def test_given_back_lines_stay_with_their_time(venue: Venue) -> None:
    venue.decide(hold(seats("A1", "A2"), units(2)))
    venue.pass_seconds(7)
    venue.decide(act(c.ReleaseReservation, 1, lines=(1,)))
    assert [(line.place, line.released_at) for line in venue.reservation(1).lines] == [
        (label("A1"), START + 7000),
        (label("A2"), None),
        ("default", None),
    ]
    (told_of,) = [message for message in venue.messages if message.type == "reservation.line_released"]
    assert told_of.version == 2


def test_confirmed_at_stays_after_cancel_and_a_late_confirm_has_no_end(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds A1      | held 1
        600 | anna | is swept      | expired 2
        601 | anna | confirms late | confirmed 3
        """,
    )
    reservation = venue.reservation(1)
    assert (reservation.confirmed_at, reservation.ended_at) == (START + 601_000, None)
    venue.decide(act(c.CancelReservation, 1))
    reservation = venue.reservation(1)
    assert (reservation.confirmed_at, reservation.ended_at) == (START + 601_000, START + 601_000)


def test_late_confirm_stands_behind_those_who_wait(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds A1 A2    | held 1
        0   | ben  | holds A3       | held 1
        100 | carl | waits for A1 + 6 tea | pending 1
        600 | anna | is swept       | expired 2
        601 | anna | confirms late  | confirmed 3
        """,
    )
    play(
        venue,
        """
        700  | dora | holds B1         | held 1
        700  | emil | waits for B1     | pending 1
        1300 | dora | is swept         | expired 2
        1300 |      | emil held 2
        1301 | dora | confirms late    | hold-expired
        """,
    )


def test_refused_late_confirm_gives_up_the_promotions_that_it_made_on_its_way(venue: Venue) -> None:
    play(
        venue,
        """
        0   | anna | holds A1 + 2 tea | held 1
        100 | ben  | holds B1         | held 1
        101 | carl | waits for B1     | pending 1
        600 | anna | is swept         | expired 2
        601 | dora | holds 4 tea      | held 1
        700 | anna | confirms late    | hold-expired
        700 |      | carl pending 1, ben held 1
        700 | ben  | is swept         | expired 2
        700 |      | carl held 2
        """,
    )


def test_best_available_seats_are_held_under_their_labels(venue: Venue) -> None:
    venue.decide(hold(best(2)), act(c.ConfirmReservation, 1))
    assert [line.place for line in venue.reservation(1).lines] == [label("A1"), label("A2")]
    assert venue.seat_state("A2") == "confirmed"
