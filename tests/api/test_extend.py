"""Extend: the hold's end moves, counted from now, never nearer, never beyond the cap."""

import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import (
    done,
    held,
    history,
    message_types,
    moment,
    pending,
    read,
    seconds_between,
)
from tests.make import act, put_event, put_stock

SEATS = [{"event": "final", "seats": ["101-A-1"]}]


def test_extend_counts_from_now_and_is_a_new_version(account: Account) -> None:
    put_event(account, hold_seconds=60, hold_seconds_max=3600)
    reference = held(account, SEATS)["reference"]
    response = act(account, reference, "extend", {"hold_seconds": 600})
    assert response.status_code == 200, response.text
    assert response.headers["ETag"] == '"2"'
    body = response.json()
    assert (body["state"], body["version"]) == ("held", 2)
    assert body["hold_remaining_s"] in (599, 600)
    change = history(account, reference)[-1]
    assert seconds_between(change["at"], body["hold_expires_at"]) == 600
    assert read(account, reference)["hold_expires_at"] == body["hold_expires_at"]


def test_extend_is_one_change_and_one_message(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS, hold_seconds=60)["reference"]
    done(account, reference, "extend", {"hold_seconds": 600, "reason": "still typing"})
    change = history(account, reference)[-1]
    assert (change["version"], change["from"], change["to"]) == (2, "held", "held")
    assert (change["action"], change["reason"]) == ("extend", "still typing")
    assert message_types(account, reference, 2) == ["reservation.held", "reservation.extended"]


def test_extend_past_the_cap_answers_200_with_the_cap(account: Account) -> None:
    put_event(account, hold_seconds=60, hold_seconds_max=100)
    created = held(account, SEATS)
    body = done(account, created["reference"], "extend", {"hold_seconds": 3000})
    assert seconds_between(created["created_at"], body["hold_expires_at"]) == 100


def test_extend_at_the_cap_stays_at_the_cap(account: Account) -> None:
    put_event(account, hold_seconds=60, hold_seconds_max=100)
    reference = held(account, SEATS)["reference"]
    first = done(account, reference, "extend", {"hold_seconds": 100})
    again = done(account, reference, "extend", {"hold_seconds": 100})
    assert again["hold_expires_at"] == first["hold_expires_at"]


def test_smallest_maximum_of_the_events_is_the_cap(account: Account) -> None:
    put_event(account, "final", seats=["101-A-1"], hold_seconds=60, hold_seconds_max=3600)
    put_event(account, "semi", seats=["101-A-1"], hold_seconds=60, hold_seconds_max=200)
    created = held(account, [*SEATS, {"event": "semi", "seats": ["101-A-1"]}])
    body = done(account, created["reference"], "extend", {"hold_seconds": 3600})
    assert seconds_between(created["created_at"], body["hold_expires_at"]) == 200


def test_stock_alone_is_capped_at_3600_seconds(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=5)
    created = held(account, [{"sku": "NW-001", "quantity": 1}], hold_seconds=60)
    body = done(account, created["reference"], "extend", {"hold_seconds": 7200})
    assert seconds_between(created["created_at"], body["hold_expires_at"]) == 3600


def test_extend_never_shortens(account: Account) -> None:
    put_event(account, hold_seconds=600)
    created = held(account, SEATS)
    body = done(account, created["reference"], "extend", {"hold_seconds": 10})
    assert body["hold_expires_at"] == created["hold_expires_at"]


@pytest.mark.parametrize("seconds", [pytest.param(None, id="default"), pytest.param(300, id="chosen")])
def test_extend_without_a_body_takes_the_seconds_of_the_create(account: Account, seconds: int | None) -> None:
    put_event(account, hold_seconds=120, hold_seconds_max=3600)
    chosen = {} if seconds is None else {"hold_seconds": seconds}
    reference = held(account, SEATS, **chosen)["reference"]
    body = done(account, reference, "extend")
    change = history(account, reference)[-1]
    assert seconds_between(change["at"], body["hold_expires_at"]) == (seconds or 120)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"hold_seconds": 0}, id="zero"),
        pytest.param({"hold_seconds": -1}, id="negative"),
        pytest.param({"hold_seconds": "600"}, id="text"),
        pytest.param({"hold_seconds": 600.5}, id="half a second"),
        pytest.param({"hold_seconds": True}, id="boolean"),
        pytest.param({"seconds": 600}, id="unknown member"),
        pytest.param([600], id="array"),
    ],
)
def test_bad_body_is_400_and_the_hold_stays_as_it_was(account: Account, body: object) -> None:
    put_event(account)
    before = held(account, SEATS)
    facts = refused(account.http.post(f"/v1/reservations/{before['reference']}/extend", json=body), "invalid-request")
    assert facts["errors"], "no error is named"
    after = read(account, before["reference"])
    assert (after["version"], after["hold_expires_at"]) == (1, before["hold_expires_at"])


@pytest.mark.parametrize(
    ("actions", "state"),
    [
        pytest.param(["confirm"], "confirmed", id="confirmed"),
        pytest.param(["release"], "released", id="released"),
        pytest.param(["confirm", "cancel"], "cancelled", id="cancelled"),
    ],
)
def test_extend_of_one_that_is_no_hold_is_a_state_conflict(account: Account, actions: list[str], state: str) -> None:
    put_event(account)
    reference = held(account, SEATS)["reference"]
    for action in actions:
        done(account, reference, action)
    before = read(account, reference)
    facts = refused(act(account, reference, "extend", {"hold_seconds": 600}), "state-conflict")
    assert (facts["state"], facts["action"], facts["version"]) == (state, "extend", before["version"])
    assert read(account, reference) == before


def test_extend_of_a_waiting_one_is_a_state_conflict(account: Account) -> None:
    put_event(account)
    held(account, SEATS)
    reference = pending(account, SEATS)["reference"]
    refused(act(account, reference, "extend", {"hold_seconds": 600}), "state-conflict")


def test_extend_on_a_stale_version_is_412_and_moves_nothing(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS, hold_seconds=60)["reference"]
    extended = done(account, reference, "extend", {"hold_seconds": 300})
    refused(act(account, reference, "extend", {"hold_seconds": 600}, if_match='"1"'), "version-conflict")
    assert read(account, reference)["hold_expires_at"] == extended["hold_expires_at"]


def test_confirmed_at_is_not_touched_by_what_came_before(account: Account) -> None:
    put_event(account)
    reference = held(account, SEATS, hold_seconds=60)["reference"]
    extended = done(account, reference, "extend", {"hold_seconds": 300})
    assert extended["confirmed_at"] is None
    confirmed = done(account, reference, "confirm")
    assert moment(confirmed["confirmed_at"]) == moment(history(account, reference)[-1]["at"])
