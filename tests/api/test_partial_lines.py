"""Giving back some lines: the reservation keeps its state and every line, the last line given back ends it."""

import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import (
    done,
    expired,
    held,
    history,
    message_types,
    moment,
    pending,
    read,
    seat_states,
    sorted_totals,
    stock_counts,
)
from tests.make import act, hold, put_event, put_stock

LINES = [{"event": "final", "seats": ["101-A-1", "101-A-2"]}, {"sku": "NW-001", "quantity": 2}]

# Releasing lines of a held one and cancelling lines of a confirmed one follow the same rules.
WAYS = pytest.mark.parametrize(
    ("before", "action", "state", "ended"),
    [
        pytest.param([], "release", "held", "released", id="release"),
        pytest.param(["confirm"], "cancel", "confirmed", "cancelled", id="cancel"),
    ],
)


def prepared(account: Account, before: list[str]) -> str:
    """Reference of a reservation of two seats at 12500 EUR and two units at 1800 USD, after the steps given."""
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=10, amount=1800, currency="USD")
    reference = held(account, LINES)["reference"]
    for step in before:
        done(account, reference, step)
    return reference


@WAYS
def test_some_lines_given_back_keep_the_state(
    account: Account, before: list[str], action: str, state: str, ended: str
) -> None:
    reference = prepared(account, before)
    version = read(account, reference)["version"]
    response = act(account, reference, action, {"lines": [2]})
    assert response.status_code == 200, response.text
    body = response.json()
    assert (body["state"], body["version"], body["ended_at"]) == (state, version + 1, None), ended
    assert response.headers["ETag"] == f'"{version + 1}"'
    assert seat_states(account)["101-A-1"] == state
    assert seat_states(account)["101-A-2"] == "available"
    assert sum(stock_counts(account)[:2]) == 2


@WAYS
def test_every_line_stays_and_the_given_back_one_is_marked(
    account: Account, before: list[str], action: str, state: str, ended: str
) -> None:
    reference = prepared(account, before)
    body = done(account, reference, action, {"lines": [2]})
    assert [line["line"] for line in body["lines"]] == [1, 2, 3]
    assert [bool(line.get("released_at")) for line in body["lines"]] == [False, True, False]
    assert moment(body["lines"][1]["released_at"]) == moment(history(account, reference)[-1]["at"])
    assert body["lines"][1]["seat"] == "101-A-2"
    assert read(account, reference)["lines"] == body["lines"], (state, ended)


@WAYS
def test_totals_sum_the_lines_that_are_left(
    account: Account, before: list[str], action: str, state: str, ended: str
) -> None:
    reference = prepared(account, before)
    assert sorted_totals(read(account, reference)) == [("EUR", 25000), ("USD", 3600)]
    assert sorted_totals(done(account, reference, action, {"lines": [2]})) == [("EUR", 12500), ("USD", 3600)]
    left = sorted_totals(done(account, reference, action, {"lines": [3]}))
    assert ("EUR", 12500) in left, (state, ended)
    assert ("USD", 3600) not in left
    assert stock_counts(account) == (0, 0, 10)


@WAYS
def test_several_lines_are_one_version_and_one_message(
    account: Account, before: list[str], action: str, state: str, ended: str
) -> None:
    reference = prepared(account, before)
    version = read(account, reference)["version"]
    body = done(account, reference, action, {"lines": [1, 3], "reason": "one is ill"})
    assert body["version"] == version + 1
    change = history(account, reference)[-1]
    assert (change["version"], change["from"], change["to"]) == (version + 1, state, state), ended
    assert (change["action"], change["reason"]) == (action, "one is ill")
    types = message_types(account, reference, version + 1)
    assert types[version:] == ["reservation.line_released"]


@WAYS
def test_last_line_given_back_ends_the_reservation(
    account: Account, before: list[str], action: str, state: str, ended: str
) -> None:
    reference = prepared(account, before)
    done(account, reference, action, {"lines": [1, 2]})
    body = done(account, reference, action, {"lines": [3]})
    assert body["state"] == ended, f"was {state}"
    assert body["ended_at"] is not None
    assert message_types(account, reference, body["version"])[-1] == f"reservation.{ended}"
    assert history(account, reference)[-1]["to"] == ended
    assert set(seat_states(account).values()) == {"available"}
    assert stock_counts(account) == (0, 0, 10)


@WAYS
def test_all_lines_at_once_end_the_reservation(
    account: Account, before: list[str], action: str, state: str, ended: str
) -> None:
    reference = prepared(account, before)
    version = read(account, reference)["version"]
    body = done(account, reference, action, {"lines": [3, 1, 2]})
    assert (body["state"], body["version"]) == (ended, version + 1), f"was {state}"
    assert len(message_types(account, reference, version + 1)) == version + 1


@WAYS
def test_line_already_given_back_is_a_no_op(
    account: Account, before: list[str], action: str, state: str, ended: str
) -> None:
    reference = prepared(account, before)
    first = done(account, reference, action, {"lines": [2]})
    held(account, [{"event": "final", "seats": ["101-A-2"]}])
    again = done(account, reference, action, {"lines": [2]})
    assert again["version"] == first["version"]
    assert again["lines"] == first["lines"]
    assert len(history(account, reference)) == first["version"], (state, ended)
    assert len(message_types(account, reference, first["version"])) == first["version"]
    assert seat_states(account)["101-A-2"] == "held", "the seat belongs to someone else now"


@WAYS
def test_given_back_and_still_kept_lines_together_give_back_the_kept_ones(
    account: Account, before: list[str], action: str, state: str, ended: str
) -> None:
    reference = prepared(account, before)
    first = done(account, reference, action, {"lines": [2]})
    body = done(account, reference, action, {"lines": [2, 3]})
    assert (body["state"], body["version"]) == (state, first["version"] + 1), ended
    assert body["lines"][1]["released_at"] == first["lines"][1]["released_at"]
    assert stock_counts(account) == (0, 0, 10)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([4], id="unknown number"),
        pytest.param([0], id="zero"),
        pytest.param([-1], id="negative number"),
        pytest.param([2, 2], id="repeated number"),
        pytest.param([2, 4], id="known and unknown number"),
        pytest.param(["2"], id="text"),
        pytest.param([2.5], id="fraction"),
        pytest.param([True], id="boolean"),
        pytest.param(2, id="number alone"),
        pytest.param([10**30], id="number beyond any integer"),
    ],
)
def test_bad_line_numbers_are_400_and_give_back_nothing(account: Account, lines: object) -> None:
    reference = prepared(account, [])
    facts = refused(act(account, reference, "release", {"lines": lines}), "invalid-request")
    assert "lines" in facts["errors"][0]["path"], facts["errors"]
    after = read(account, reference)
    assert (after["state"], after["version"]) == ("held", 1)
    assert not any(line.get("released_at") for line in after["lines"])


def test_given_back_seat_can_be_had_by_someone_else(account: Account) -> None:
    reference = prepared(account, [])
    done(account, reference, "release", {"lines": [1]})
    other = held(account, [{"event": "final", "seats": ["101-A-1"]}])["reference"]
    assert hold(account, [{"event": "final", "seats": ["101-A-2"]}]).status_code == 409
    done(account, reference, "release")
    assert read(account, other)["state"] == "held"
    assert seat_states(account)["101-A-1"] == "held"


def test_confirm_takes_only_the_lines_that_are_left(account: Account) -> None:
    reference = prepared(account, [])
    done(account, reference, "release", {"lines": [1, 3]})
    body = done(account, reference, "confirm")
    assert body["state"] == "confirmed"
    assert sorted_totals(body) == [("EUR", 12500)]
    states = seat_states(account)
    assert (states["101-A-1"], states["101-A-2"]) == ("available", "confirmed")
    assert stock_counts(account) == (0, 0, 10)


def test_expiry_gives_back_only_the_lines_that_are_left(account: Account) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}], hold_seconds=2)["reference"]
    done(account, reference, "release", {"lines": [1]})
    held(account, [{"event": "final", "seats": ["101-A-1"]}])
    expired(account, reference)
    states = seat_states(account)
    assert (states["101-A-1"], states["101-A-2"]) == ("held", "available")


@pytest.mark.parametrize(
    ("before", "action"),
    [
        pytest.param(["confirm"], "release", id="release of lines of a confirmed one"),
        pytest.param([], "cancel", id="cancel of lines of a held one"),
    ],
)
def test_wrong_verb_for_the_state_is_a_state_conflict(account: Account, before: list[str], action: str) -> None:
    reference = prepared(account, before)
    version = read(account, reference)["version"]
    refused(act(account, reference, action, {"lines": [2]}), "state-conflict")
    assert read(account, reference)["version"] == version


def test_lines_of_a_waiting_one_cannot_be_given_back(account: Account) -> None:
    prepared(account, [])
    waiting = pending(account, [{"event": "final", "seats": ["101-A-1", "101-B-1"]}])["reference"]
    refused(act(account, waiting, "release", {"lines": [1]}), "state-conflict")
    assert read(account, waiting)["state"] == "pending"


def test_lines_are_given_back_on_the_version_that_if_match_names(account: Account) -> None:
    reference = prepared(account, [])
    done(account, reference, "release", {"lines": [1]})
    refused(act(account, reference, "release", {"lines": [2]}, if_match='"1"'), "version-conflict")
    response = act(account, reference, "release", {"lines": [2]}, if_match='"2"')
    assert response.status_code == 200, response.text
    assert response.json()["version"] == 3
