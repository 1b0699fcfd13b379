"""Confirm: a held reservation becomes confirmed, once, and asking again for what already is so changes nothing."""

import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import (
    at_once,
    done,
    held,
    history,
    message_types,
    moment,
    pending,
    read,
    seat_states,
    stock_counts,
)
from tests.make import act, put_event, put_stock

SEATS = [{"event": "final", "seats": ["101-A-1", "101-A-2"]}]


def test_confirm_answers_200_with_the_confirmed_reservation(account: Account) -> None:
    put_event(account)
    before = held(account, SEATS, customer="c-77", external_reference="order-9001", metadata={"channel": "app"})
    response = act(account, before["reference"], "confirm")
    assert response.status_code == 200, response.text
    assert response.headers["ETag"] == '"2"'
    body = response.json()
    assert (body["reference"], body["state"], body["version"]) == (before["reference"], "confirmed", 2)
    assert (body["hold_expires_at"], body["hold_remaining_s"], body["ended_at"]) == (None, None, None)
    assert moment(body["confirmed_at"]) >= moment(body["created_at"])
    for kept in ("lines", "totals", "customer", "external_reference", "metadata", "created_at"):
        assert body[kept] == before[kept], kept
    assert read(account, before["reference"]) == body


def test_confirm_moves_every_unit_from_held_to_confirmed(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2", "101-A-3"])
    put_stock(account, sku="NW-001", on_hand=10)
    reference = held(account, [*SEATS, {"sku": "NW-001", "quantity": 4}])["reference"]
    done(account, reference, "confirm")
    assert seat_states(account) == {"101-A-1": "confirmed", "101-A-2": "confirmed", "101-A-3": "available"}
    assert stock_counts(account) == (0, 4, 6)
    total = account.http.get("/v1/events/final/availability").json()["total"]
    assert (total["available"], total["held"], total["confirmed"]) == (1, 0, 2)


def test_confirm_is_one_version_in_the_history_and_one_message(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    done(account, reference, "confirm", {"reason": "paid in cash"})
    change = history(account, reference)[-1]
    assert (change["version"], change["from"], change["to"]) == (2, "held", "confirmed")
    assert (change["action"], change["reason"]) == ("confirm", "paid in cash")
    assert message_types(account, reference, 2) == ["reservation.held", "reservation.confirmed"]


@pytest.mark.parametrize("late", ["never", "if_available"])
def test_confirm_of_a_running_hold_does_not_care_how_late_it_might_be(account: Account, late: str) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    body = done(account, reference, "confirm", {"late": late})
    assert (body["state"], body["version"]) == ("confirmed", 2)


def test_confirm_of_a_confirmed_one_is_200_and_changes_nothing(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    first = done(account, reference, "confirm")
    again = act(account, reference, "confirm")
    assert again.status_code == 200, again.text
    assert again.headers["ETag"] == '"2"'
    assert again.json() == first
    assert len(history(account, reference)) == 2
    assert message_types(account, reference, 2) == ["reservation.held", "reservation.confirmed"]


@pytest.mark.parametrize(
    ("actions", "state"),
    [
        pytest.param(["release"], "released", id="released"),
        pytest.param(["confirm", "cancel"], "cancelled", id="cancelled"),
    ],
)
def test_confirm_of_an_ended_one_is_a_state_conflict(account: Account, actions: list[str], state: str) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    for action in actions:
        done(account, reference, action)
    before = read(account, reference)
    facts = refused(act(account, reference, "confirm"), "state-conflict")
    assert (facts["state"], facts["action"], facts["version"]) == (state, "confirm", before["version"])
    assert read(account, reference) == before
    assert set(seat_states(account).values()) == {"available"}


def test_confirm_of_a_waiting_one_is_a_state_conflict(account: Account) -> None:
    put_event(account)
    held(account, SEATS)
    reference = pending(account, SEATS)["reference"]
    facts = refused(act(account, reference, "confirm"), "state-conflict")
    assert facts["state"] == "pending"
    assert read(account, reference)["version"] == 1


def test_confirm_acts_on_the_version_that_if_match_names(account: Account) -> None:
    put_event(account)
    created = held(account, SEATS)
    done(account, created["reference"], "extend", {"hold_seconds": 900})
    response = act(account, created["reference"], "confirm", if_match='"2"')
    assert response.status_code == 200, response.text
    assert response.headers["ETag"] == '"3"'


def test_confirm_on_a_stale_version_is_412_and_tells_the_present_one(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    done(account, reference, "extend", {"hold_seconds": 900})
    answer = act(account, reference, "confirm", if_match='"1"')
    assert refused(answer, "version-conflict")["version"] == 2
    assert answer.headers["ETag"] == '"2"'
    assert read(account, reference)["state"] == "held"


def test_confirm_of_another_accounts_reservation_is_404(account: Account, other_account: Account) -> None:
    put_event(other_account)
    reference = held(other_account, SEATS)["reference"]
    refused(act(account, reference, "confirm"), "not-found")
    assert read(other_account, reference)["state"] == "held"


def test_twenty_confirms_at_once_are_one_change(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    answers = at_once([lambda: act(account, reference, "confirm")] * 20)
    assert [answer.status_code for answer in answers] == [200] * 20, [answer.text for answer in answers]
    assert {answer.json()["version"] for answer in answers} == {2}
    assert [change["to"] for change in history(account, reference)] == ["held", "confirmed"]
    assert message_types(account, reference, 2) == ["reservation.held", "reservation.confirmed"]


def test_confirm_and_release_at_once_have_one_winner(account: Account) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=10)
    for _ in range(5):
        reference = held(account, [{"sku": "NW-001", "quantity": 2}])["reference"]
        confirm, release = at_once(
            [lambda ref=reference: act(account, ref, "confirm"), lambda ref=reference: act(account, ref, "release")]
        )
        assert sorted([confirm.status_code, release.status_code]) == [200, 409], (confirm.text, release.text)
        body = read(account, reference)
        assert body["state"] == ("confirmed" if confirm.status_code == 200 else "released")
        assert body["version"] == 2
        if body["state"] == "confirmed":
            done(account, reference, "cancel")
        assert stock_counts(account) == (0, 0, 10)
