"""Blocks: seats that the operator takes out of sale and puts back, all of a call or none, as often as it is sent."""

from typing import Any

import pytest

from tests.accounts import Account
from tests.api.contract import items, refused, refused_as_invalid
from tests.api.reading import at_once, done, held, read, seat_states
from tests.make import hold, new_idempotency_key, put_event

Json = dict[str, Any]
BLOCKS = "/v1/events/final/blocks"
UNBLOCKS = "/v1/events/final/unblocks"


def block(account: Account, *seats: str) -> Json:
    return items(account.http.post(BLOCKS, json={"seats": list(seats), "reason": "camera"}))


def unblock(account: Account, *seats: str) -> Json:
    return items(account.http.post(UNBLOCKS, json={"seats": list(seats)}))


def states(account: Account, *seats: str) -> list[str]:
    found = seat_states(account)
    return [found[seat] for seat in seats]


def test_blocked_seat_cannot_be_held(account: Account) -> None:
    put_event(account)
    block(account, "101-A-1")
    assert states(account, "101-A-1", "101-A-2") == ["blocked", "available"]
    body = refused(hold(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}]), "inventory-unavailable")
    assert body["unavailable"] == [{"line": 1, "event": "final", "seats": ["101-A-1"]}]
    assert states(account, "101-A-1", "101-A-2") == ["blocked", "available"]


def test_blocked_seat_is_not_among_the_best_available(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2", "101-A-3"])
    block(account, "101-A-2")
    reservation = held(account, [{"event": "final", "best_available": {"quantity": 2, "together": False}}])
    assert sorted(line["seat"] for line in reservation["lines"]) == ["101-A-1", "101-A-3"]
    refused(hold(account, [{"event": "final", "best_available": {"quantity": 1}}]), "inventory-unavailable")


def test_unblocked_seat_is_sold_again(account: Account) -> None:
    put_event(account)
    block(account, "101-A-1", "101-A-2")
    unblock(account, "101-A-1")
    assert states(account, "101-A-1", "101-A-2") == ["available", "blocked"]
    assert hold(account, [{"event": "final", "seats": ["101-A-1"]}]).status_code == 201


def test_block_and_unblock_are_idempotent(account: Account) -> None:
    put_event(account)
    for _ in range(2):
        block(account, "101-A-1", "101-A-2")
        assert states(account, "101-A-1", "101-A-2") == ["blocked", "blocked"]
    block(account, "101-A-2", "101-A-3")
    assert states(account, "101-A-1", "101-A-2", "101-A-3") == ["blocked", "blocked", "blocked"]
    for _ in range(2):
        unblock(account, "101-A-1", "101-A-2", "101-A-3")
        assert states(account, "101-A-1", "101-A-2", "101-A-3") == ["available", "available", "available"]


@pytest.mark.parametrize("state", ["held", "confirmed"])
def test_block_of_a_taken_seat_is_refused_and_blocks_none_of_its_call(account: Account, state: str) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-2"]}])["reference"]
    if state == "confirmed":
        done(account, reference, "confirm")
    response = account.http.post(BLOCKS, json={"seats": ["101-A-1", "101-A-2", "101-A-3"], "reason": "camera"})
    assert response.status_code == 409, response.text
    assert states(account, "101-A-1", "101-A-2", "101-A-3") == ["available", state, "available"]
    assert read(account, reference)["state"] == state


def test_unblock_leaves_a_held_seat_with_its_holder(account: Account) -> None:
    put_event(account)
    reference = held(account, [{"event": "final", "seats": ["101-A-1"]}])["reference"]
    account.http.post(UNBLOCKS, json={"seats": ["101-A-1"]})
    assert states(account, "101-A-1") == ["held"]
    assert read(account, reference)["version"] == 1


def test_released_seat_can_be_blocked(account: Account) -> None:
    put_event(account)
    done(account, held(account, [{"event": "final", "seats": ["101-A-1"]}])["reference"], "release")
    block(account, "101-A-1")
    assert states(account, "101-A-1") == ["blocked"]


def test_block_that_names_an_unknown_seat_blocks_none_of_its_call(account: Account) -> None:
    put_event(account)
    response = account.http.post(BLOCKS, json={"seats": ["101-A-1", "101-Z-99"], "reason": "camera"})
    assert response.status_code in {400, 404}, response.text
    assert states(account, "101-A-1") == ["available"]


def test_block_with_a_key_replays_its_first_answer(account: Account) -> None:
    put_event(account)
    headers = {"Idempotency-Key": new_idempotency_key()}
    body = {"seats": ["101-A-1"], "reason": "camera"}
    first = account.http.post(BLOCKS, json=body, headers=headers)
    unblock(account, "101-A-1")
    again = account.http.post(BLOCKS, json=body, headers=headers)
    assert first.is_success, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (first.headers["Idempotent-Replayed"], again.headers["Idempotent-Replayed"]) == ("false", "true")
    assert states(account, "101-A-1") == ["available"], "a replay blocked the seat once more"


def test_blocks_of_an_event_that_is_not_there_are_not_found(account: Account) -> None:
    for path in (BLOCKS, UNBLOCKS):
        body = refused(account.http.post(path, json={"seats": ["101-A-1"]}), "not-found")
        assert (body["kind"], body["name"]) == ("event", "final")


BAD_BODIES: dict[str, tuple[Any, str]] = {
    "one seat that is no list": ({"seats": "101-A-1"}, "seats"),
    "a seat that is a number": ({"seats": [1]}, "seats"),
    "a seat that is null": ({"seats": [None]}, "seats"),
    "a label without a number": ({"seats": ["101-A"]}, "seats"),
    "a label that is empty": ({"seats": [""]}, "seats"),
    "a label with a trailing space": ({"seats": ["101-A-1 "]}, "seats"),
    "no seats": ({"reason": "camera"}, "seats"),
    "a reason that is a number": ({"seats": ["101-A-1"], "reason": 7}, "reason"),
    "an unknown member": ({"seats": ["101-A-1"], "colour": "red"}, "colour"),
}


@pytest.mark.parametrize(("body", "path"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_bad_block_is_invalid_and_blocks_nothing(account: Account, body: Json, path: str) -> None:
    put_event(account)
    refused_as_invalid(account.http.post(BLOCKS, json=body), path)
    assert states(account, "101-A-1") == ["available"]


def test_block_and_hold_of_one_seat_at_once_have_one_winner(account: Account) -> None:
    put_event(account)
    seats = [f"101-A-{number}" for number in range(1, 11)]
    calls = [lambda seat=seat: hold(account, [{"event": "final", "seats": [seat]}]) for seat in seats]
    calls += [lambda seat=seat: account.http.post(BLOCKS, json={"seats": [seat], "reason": "camera"}) for seat in seats]
    answers = at_once(calls)
    found = seat_states(account)
    for seat, held_, blocked in zip(seats, answers[:10], answers[10:], strict=True):
        assert (held_.status_code == 201) != blocked.is_success, f"{seat}: {held_.status_code}, {blocked.status_code}"
        assert found[seat] == ("held" if held_.status_code == 201 else "blocked")
