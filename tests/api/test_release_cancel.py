"""Giving back: release before confirm, cancel after it, each once, with all units free again at once."""

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
SEATS_AND_STOCK = [*SEATS, {"sku": "NW-001", "quantity": 3}]


def test_release_ends_a_hold_and_gives_everything_back(account: Account) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=10)
    reference = held(account, SEATS_AND_STOCK)["reference"]
    response = act(account, reference, "release")
    assert response.status_code == 200, response.text
    assert response.headers["ETag"] == '"2"'
    body = response.json()
    assert (body["state"], body["version"], body["confirmed_at"]) == ("released", 2, None)
    assert (body["hold_expires_at"], body["hold_remaining_s"]) == (None, None)
    assert moment(body["ended_at"]) == moment(history(account, reference)[-1]["at"])
    assert set(seat_states(account).values()) == {"available"}
    assert stock_counts(account) == (0, 0, 10)


def test_cancel_ends_a_confirmed_one_and_gives_everything_back(account: Account) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=10)
    reference = held(account, SEATS_AND_STOCK)["reference"]
    confirmed = done(account, reference, "confirm")
    response = act(account, reference, "cancel")
    assert response.status_code == 200, response.text
    assert response.headers["ETag"] == '"3"'
    body = response.json()
    assert (body["state"], body["version"]) == ("cancelled", 3)
    assert body["confirmed_at"] == confirmed["confirmed_at"], "confirmed_at stays after cancel"
    assert moment(body["ended_at"]) == moment(history(account, reference)[-1]["at"])
    assert set(seat_states(account).values()) == {"available"}
    assert stock_counts(account) == (0, 0, 10)


@pytest.mark.parametrize(
    ("before", "action", "state", "types"),
    [
        pytest.param([], "release", "released", ["held", "released"], id="release"),
        pytest.param(["confirm"], "cancel", "cancelled", ["held", "confirmed", "cancelled"], id="cancel"),
    ],
)
def test_giving_back_is_one_change_with_its_reason_and_one_message(
    account: Account, before: list[str], action: str, state: str, types: list[str]
) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    for step in before:
        done(account, reference, step)
    done(account, reference, action, {"reason": "changed their mind"})
    change = history(account, reference)[-1]
    assert (change["from"], change["to"]) == (types[-2], state)
    assert (change["action"], change["reason"]) == (action, "changed their mind")
    assert [change["version"] for change in history(account, reference)] == list(range(1, len(types) + 1))
    assert message_types(account, reference, len(types)) == [f"reservation.{name}" for name in types]


@pytest.mark.parametrize(
    ("before", "action"), [pytest.param([], "release", id="release"), pytest.param(["confirm"], "cancel", id="cancel")]
)
def test_asking_again_is_200_and_changes_nothing(account: Account, before: list[str], action: str) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    for step in before:
        done(account, reference, step)
    first = done(account, reference, action)
    assert done(account, reference, action) == first
    assert len(history(account, reference)) == first["version"]
    assert len(message_types(account, reference, first["version"])) == first["version"]


def test_asking_again_does_not_give_back_what_someone_else_holds_now(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    done(account, reference, "release")
    held(account, SEATS)
    done(account, reference, "release")
    assert seat_states(account)["101-A-1"] == "held"


def test_release_of_a_waiting_one_ends_it(account: Account) -> None:
    put_event(account)
    holder = held(account, SEATS)["reference"]
    reference = pending(account, SEATS)["reference"]
    body = done(account, reference, "release")
    assert (body["state"], body["version"], body.get("wait_expires_at")) == ("released", 2, None)
    assert body["ended_at"] is not None
    assert message_types(account, reference, 2) == ["reservation.pending", "reservation.released"]
    assert read(account, holder)["state"] == "held"
    assert seat_states(account)["101-A-1"] == "held"


@pytest.mark.parametrize(
    ("before", "action", "state"),
    [
        pytest.param(["confirm"], "release", "confirmed", id="release of a confirmed one"),
        pytest.param([], "cancel", "held", id="cancel of a held one"),
        pytest.param(["release"], "cancel", "released", id="cancel of a released one"),
        pytest.param(["confirm", "cancel"], "release", "cancelled", id="release of a cancelled one"),
    ],
)
def test_other_ways_back_are_state_conflicts(account: Account, before: list[str], action: str, state: str) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    for step in before:
        done(account, reference, step)
    unchanged = read(account, reference)
    facts = refused(act(account, reference, action), "state-conflict")
    assert (facts["state"], facts["action"], facts["version"]) == (state, action, unchanged["version"])
    after = read(account, reference)
    assert (after["state"], after["version"]) == (state, unchanged["version"])


def test_cancel_of_a_waiting_one_is_a_state_conflict(account: Account) -> None:
    put_event(account)
    held(account, SEATS)
    reference = pending(account, SEATS)["reference"]
    refused(act(account, reference, "cancel"), "state-conflict")


@pytest.mark.parametrize("refund", ["original", "credit", "none"])
def test_cancel_takes_each_way_of_refund(account: Account, refund: str) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    done(account, reference, "confirm")
    assert done(account, reference, "cancel", {"refund": refund})["state"] == "cancelled"


@pytest.mark.parametrize(
    ("action", "body"),
    [
        pytest.param("cancel", {"refund": "cash"}, id="unknown way of refund"),
        pytest.param("cancel", {"refund": None, "lines": "all"}, id="lines that are a text"),
        pytest.param("cancel", {"reason": 7}, id="reason that is a number"),
        pytest.param("cancel", {"reason": "x" * 201}, id="reason of 201 characters"),
        pytest.param("cancel", {"late": "never"}, id="member of another action"),
    ],
)
def test_bad_body_is_400_and_changes_nothing(account: Account, action: str, body: dict[str, object]) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    done(account, reference, "confirm")
    refused(act(account, reference, action, body), "invalid-request")
    assert read(account, reference)["state"] == "confirmed"


def test_reason_of_200_characters_of_any_script_is_kept(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    reason = "просто передумал; '\"--" + "é" * 178
    assert len(reason) == 200
    done(account, reference, "release", {"reason": reason})
    assert history(account, reference)[-1]["reason"] == reason


def test_actor_is_the_name_of_the_api_key(account: Account) -> None:
    put_event(account)
    key = account.new_key(name="till-7", scopes=["reservations:read", "reservations:write"])
    reference = held(account, SEATS)["reference"]
    with account.client(key) as till:
        response = till.post(f"/v1/reservations/{reference}/release")
    assert response.status_code == 200, response.text
    assert history(account, reference)[-1]["actor"] == "till-7"


def test_given_back_units_can_be_had_again_at_once(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2"])
    first = held(account, SEATS)["reference"]
    done(account, first, "release")
    second = held(account, SEATS)["reference"]
    done(account, second, "confirm")
    done(account, second, "cancel")
    held(account, SEATS)


def test_ten_releases_at_once_give_the_units_back_once(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    reference = held(account, [{"sku": "NW-001", "quantity": 3}])["reference"]
    answers = at_once([lambda: act(account, reference, "release")] * 10)
    assert [answer.status_code for answer in answers] == [200] * 10, [answer.text for answer in answers]
    assert {answer.json()["version"] for answer in answers} == {2}
    assert stock_counts(account) == (0, 0, 10)
    assert message_types(account, reference, 2) == ["reservation.held", "reservation.released"]


def test_confirm_and_cancel_at_once_end_in_a_state_that_both_answers_explain(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=10)
    reference = held(account, [{"sku": "NW-001", "quantity": 3}])["reference"]
    confirm, cancel = at_once([lambda: act(account, reference, "confirm"), lambda: act(account, reference, "cancel")])
    assert confirm.status_code == 200, confirm.text
    assert cancel.status_code in (200, 409), cancel.text
    state = read(account, reference)["state"]
    assert state == ("cancelled" if cancel.status_code == 200 else "confirmed")
    assert stock_counts(account) == ((0, 0, 10) if state == "cancelled" else (0, 3, 7))
