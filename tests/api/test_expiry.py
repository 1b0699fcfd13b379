"""The end of a hold: over at its very moment, swept within about a second, its units free for whoever comes first."""

from datetime import UTC, datetime, timedelta
from threading import Event, Thread, Timer

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import (
    at_once,
    done,
    expired,
    held,
    history,
    let_the_worker_come_by,
    message_types,
    moment,
    read,
    seat_states,
    seats,
    stock_counts,
)
from tests.make import act, hold, new_idempotency_key, put_event, put_stock, wait_until

SEAT = [{"event": "final", "seats": ["101-A-1"]}]
UNITS = [{"sku": "NW-001", "quantity": 2}]


def lapsed(account: Account, lines: list[dict[str, object]]) -> dict[str, object]:
    """A hold that was over a moment ago by the clock that decides; the sweep may or may not have met it."""
    put_stock(account, sku="clock", on_hand=100_000)
    reservation = held(account, lines, hold_seconds=1)
    end = moment(str(reservation["hold_expires_at"]))
    wait_until(lambda: moment(held(account, [{"sku": "clock", "quantity": 1}])["created_at"]) >= end)
    return reservation


def test_sweep_ends_a_hold_whose_time_is_over(account: Account) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=10)
    created = held(account, [*SEAT, *UNITS], hold_seconds=1)
    body = expired(account, created["reference"])
    assert body["version"] == 2
    assert (body["hold_expires_at"], body["hold_remaining_s"], body["confirmed_at"]) == (None, None, None)
    assert moment(body["ended_at"]) >= moment(created["hold_expires_at"])
    assert seat_states(account)["101-A-1"] == "available"
    assert stock_counts(account) == (0, 0, 10)


def test_sweep_is_a_change_by_the_worker_with_its_message(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT, hold_seconds=1)["reference"]
    expired(account, reference)
    change = history(account, reference)[-1]
    assert (change["version"], change["from"], change["to"]) == (2, "held", "expired")
    assert (change["action"], change["actor"]) == ("expire", "worker")
    assert message_types(account, reference, 2) == ["reservation.held", "reservation.expired"]


def test_hold_shows_its_stored_state_and_no_time_left_until_the_sweep_has_come(account: Account) -> None:
    put_event(account)
    created = held(account, SEAT, hold_seconds=1)
    seen = []

    def expired_at_last() -> bool:
        seen.append(read(account, created["reference"]))
        return seen[-1]["state"] == "expired"

    wait_until(expired_at_last)
    for body in seen[:-1]:
        assert (body["state"], body["version"]) == ("held", 1), body
        assert body["hold_expires_at"] == created["hold_expires_at"]
        assert body["hold_remaining_s"] in (0, 1), body


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(SEAT, id="a seat"),
        pytest.param(UNITS, id="stock"),
        pytest.param([{"event": "final", "best_available": {"quantity": 1}}], id="best available"),
    ],
)
def test_lapsed_units_go_to_a_newcomer_who_ends_the_old_hold_properly(
    account: Account, lines: list[dict[str, object]]
) -> None:
    put_event(account, seats=["101-A-1"])
    put_stock(account, sku="NW-001", on_hand=2)
    old = held(account, [*SEAT, *UNITS], hold_seconds=1)
    answers: list[httpx.Response] = []

    def taken() -> bool:
        answers.append(hold(account, lines))
        return answers[-1].status_code == 201

    wait_until(taken)
    assert {answer.status_code for answer in answers[:-1]} <= {409}
    assert moment(answers[-1].json()["created_at"]) >= moment(old["hold_expires_at"]), "taken before it was over"
    body = read(account, old["reference"])
    assert (body["state"], body["version"]) == ("expired", 2), "the whole old hold ends with the units taken"
    change = history(account, old["reference"])[-1]
    assert (change["to"], change["action"], change["actor"]) == ("expired", "expire", "worker")
    assert message_types(account, old["reference"], 2) == ["reservation.held", "reservation.expired"]


def test_refused_newcomer_leaves_the_units_of_a_running_hold(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT)["reference"]
    assert hold(account, SEAT).status_code == 409
    assert read(account, reference)["version"] == 1


@pytest.mark.parametrize("action", ["confirm", "extend"])
@pytest.mark.parametrize("swept", [pytest.param(False, id="just lapsed"), pytest.param(True, id="swept")])
def test_confirm_and_extend_of_a_hold_that_is_over_are_410(account: Account, action: str, swept: bool) -> None:
    put_event(account)
    reservation = lapsed(account, SEAT)
    reference = str(reservation["reference"])
    if swept:
        expired(account, reference)
    facts = refused(act(account, reference, action), "hold-expired")
    assert facts["expired_at"] == reservation["hold_expires_at"]
    assert read(account, reference)["state"] in ("held", "expired")


@pytest.mark.parametrize("action", ["release", "cancel"])
def test_release_and_cancel_of_an_expired_one_are_409(account: Account, action: str) -> None:
    put_event(account)
    reference = held(account, SEAT, hold_seconds=1)["reference"]
    before = expired(account, reference)
    facts = refused(act(account, reference, action), "state-conflict")
    assert facts["state"] == "expired"
    assert read(account, reference) == before


def test_refused_actions_change_nothing_of_an_expired_one(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT, hold_seconds=1)["reference"]
    before = expired(account, reference)
    for action, body in (("confirm", {"late": "never"}), ("extend", {"hold_seconds": 600}), ("release", None)):
        assert act(account, reference, action, body).status_code in (409, 410), action
    assert read(account, reference) == before
    assert len(history(account, reference)) == 2
    assert message_types(account, reference, 2) == ["reservation.held", "reservation.expired"]


@pytest.mark.parametrize("swept", [pytest.param(False, id="just lapsed"), pytest.param(True, id="swept")])
def test_late_confirm_takes_the_units_that_are_still_free(account: Account, swept: bool) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=10)
    reference = str(lapsed(account, [*SEAT, *UNITS])["reference"])
    if swept:
        expired(account, reference)
    body = done(account, reference, "confirm", {"late": "if_available"})
    assert (body["state"], body["ended_at"], body["hold_expires_at"]) == ("confirmed", None, None)
    assert body["confirmed_at"] is not None
    assert seat_states(account)["101-A-1"] == "confirmed"
    assert stock_counts(account) == (0, 2, 8)
    changes = history(account, reference)
    assert (changes[-1]["to"], changes[-1]["action"]) == ("confirmed", "confirm")
    assert changes[-1]["from"] == changes[-2]["to"]
    assert [change["version"] for change in changes] == list(range(1, body["version"] + 1))
    assert message_types(account, reference, body["version"])[-1] == "reservation.confirmed"


@pytest.mark.parametrize("taken", ["the seat", "the stock"])
def test_late_confirm_is_refused_when_one_unit_is_gone(account: Account, taken: str) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=2)
    reservation = held(account, [*SEAT, *UNITS], hold_seconds=1)
    reference = reservation["reference"]
    before = expired(account, reference)
    held(account, SEAT if taken == "the seat" else [{"sku": "NW-001", "quantity": 1}])
    counts, states = stock_counts(account), seat_states(account)
    facts = refused(act(account, reference, "confirm", {"late": "if_available"}), "hold-expired")
    assert facts["expired_at"] == reservation["hold_expires_at"]
    assert read(account, reference) == before
    assert (stock_counts(account), seat_states(account)) == (counts, states)


def test_late_confirm_asked_twice_is_one_change(account: Account) -> None:
    put_event(account)
    reference = held(account, SEAT, hold_seconds=1)["reference"]
    expired(account, reference)
    answers = at_once([lambda: act(account, reference, "confirm", {"late": "if_available"})] * 10)
    assert [answer.status_code for answer in answers] == [200] * 10, [answer.text for answer in answers]
    assert {answer.json()["version"] for answer in answers} == {3}
    assert [change["to"] for change in history(account, reference)] == ["held", "expired", "confirmed"]


def test_late_confirm_leaves_lines_given_back_before_the_end_alone(account: Account) -> None:
    put_event(account)
    lines = [{"event": "final", "seats": ["101-A-1", "101-A-2"]}]
    reference = held(account, lines, hold_seconds=2)["reference"]
    done(account, reference, "release", {"lines": [2]})
    expired(account, reference)
    done(account, reference, "confirm", {"late": "if_available"})
    states = seat_states(account)
    assert (states["101-A-1"], states["101-A-2"]) == ("confirmed", "available")


def test_two_late_confirms_of_one_seat_have_one_winner(account: Account) -> None:
    put_event(account, seats=["101-A-1"])
    first = held(account, SEAT, hold_seconds=1)["reference"]
    expired(account, first)
    second = held(account, SEAT, hold_seconds=1)["reference"]
    expired(account, second)
    late = {"late": "if_available"}
    answers = at_once([lambda ref=ref: act(account, ref, "confirm", late) for ref in (first, second)])
    assert sorted(answer.status_code for answer in answers) == [200, 410], [answer.text for answer in answers]
    states = sorted(read(account, reference)["state"] for reference in (first, second))
    assert states == ["confirmed", "expired"]


def test_what_is_no_hold_any_more_does_not_expire(account: Account) -> None:
    put_event(account)
    lines = [{"event": "final", "seats": [f"101-A-{number}"]} for number in (1, 2, 3)]
    confirmed, released, extended = (held(account, [line], hold_seconds=2)["reference"] for line in lines)
    done(account, confirmed, "confirm")
    done(account, released, "release")
    done(account, extended, "extend", {"hold_seconds": 300})
    expired(account, held(account, [{"event": "final", "seats": ["101-A-4"]}], hold_seconds=2)["reference"])
    let_the_worker_come_by(account)
    states = [read(account, reference)["state"] for reference in (confirmed, released, extended)]
    assert states == ["confirmed", "released", "held"]


def test_seats_of_expired_holds_are_best_available_again(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2"])
    both = [{"event": "final", "best_available": {"quantity": 2}}]
    first = held(account, both, hold_seconds=1)
    expired(account, first["reference"])
    assert sorted(seats(held(account, both))) == sorted(seats(first))


def test_confirm_around_the_very_millisecond_of_expiry_is_either_before_it_or_410(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=60)
    reservations = [held(account, [{"sku": "NW-001", "quantity": 1}], hold_seconds=1) for _ in range(30)]
    answers: dict[str, httpx.Response] = {}
    threads = [
        confirm_at_the_end(account, reservation, place - 15, answers) for place, reservation in enumerate(reservations)
    ]
    for thread in threads:
        thread.join()
    for reservation in reservations:
        answer, end = answers[reservation["reference"]], moment(reservation["hold_expires_at"])
        if answer.status_code == 200:
            assert moment(answer.json()["confirmed_at"]) < end, "over when now has reached hold_expires_at"
        else:
            assert answer.status_code == 410, answer.text
            assert refused(answer, "hold-expired")["expired_at"] == reservation["hold_expires_at"]
            expired(account, reservation["reference"])
    confirmed = sum(answer.status_code == 200 for answer in answers.values())
    assert stock_counts(account) == (0, confirmed, 60 - confirmed)


def confirm_at_the_end(
    account: Account, reservation: dict[str, object], milliseconds: int, answers: dict[str, httpx.Response]
) -> Thread:
    """A started thread that confirms so many milliseconds after the end of the hold (before it, if negative)."""
    reference = str(reservation["reference"])
    when = moment(str(reservation["hold_expires_at"])) + timedelta(milliseconds=milliseconds)

    def confirm() -> None:
        answers[reference] = act(account, reference, "confirm")

    timer = Timer(max(0.0, (when - datetime.now(UTC)).total_seconds()), confirm)
    timer.start()
    return timer


def test_sweep_confirm_and_newcomer_at_once_lose_no_unit(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=1)
    unit = [{"sku": "NW-001", "quantity": 1}]
    reference = held(account, unit, hold_seconds=1)["reference"]
    over, newcomers = Event(), []

    def come_until_it_is_over() -> None:
        while not over.is_set():
            newcomers.append(hold(account, unit))

    crowd = [Thread(target=come_until_it_is_over) for _ in range(3)]
    for newcomer in crowd:
        newcomer.start()
    wait_until(lambda: any(answer.status_code == 201 for answer in newcomers))
    late = act(account, reference, "confirm", {"late": "if_available"}, key=new_idempotency_key())
    over.set()
    for newcomer in crowd:
        newcomer.join()
    assert late.status_code == 410, late.text
    assert sum(answer.status_code == 201 for answer in newcomers) == 1
    assert read(account, reference)["state"] == "expired"
    assert stock_counts(account) == (1, 0, 0)
