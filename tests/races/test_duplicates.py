"""One key, many senders in several processes: one effect, one answer (R3)."""

from collections import Counter

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import held, history, messages, read, references, stock_counts
from tests.make import act, hold, new_idempotency_key, put_stock
from tests.races.crowd import crowd, statuses, with_status

DUPLICATES = 50
UNIT = [{"sku": "NW-001", "quantity": 1}]


def assert_one_answer(answers: list[httpx.Response], status: int) -> None:
    """All are the same bytes, and exactly one of them is not a replay."""
    assert statuses(answers) == {status: len(answers)}
    assert len({answer.content for answer in answers}) == 1, "replies differ"
    assert Counter(answer.headers["Idempotent-Replayed"] for answer in answers) == {
        "false": 1,
        "true": len(answers) - 1,
    }
    assert len({answer.headers["Idempotency-Expires"] for answer in answers}) == 1


def test_fifty_duplicates_of_a_create_are_one_reservation(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=1000)
    keys = [new_idempotency_key() for _ in range(4)]
    for key in keys:
        answers = crowd(callers, DUPLICATES, lambda caller, _, key=key: hold(caller, UNIT, key=key))
        assert_one_answer(answers, 201)
    assert len(references(callers[0])) == len(keys)
    assert stock_counts(callers[0]) == (len(keys), 0, 1000 - len(keys))
    told = [message["type"] for message in messages(callers[0])]
    assert told.count("reservation.held") == len(keys)


def test_four_keys_at_once_are_four_reservations(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=3)
    keys = [new_idempotency_key() for _ in range(4)]
    answers = crowd(callers, DUPLICATES * 2, lambda caller, number: hold(caller, UNIT, key=keys[number // 2 % 4]))
    by_key = [[answers[place] for place in range(len(answers)) if place // 2 % 4 == number] for number in range(4)]
    assert sorted(of_one[0].status_code for of_one in by_key) == [201, 201, 201, 409]
    for of_one in by_key:
        assert_one_answer(of_one, of_one[0].status_code)
    assert stock_counts(callers[0]) == (3, 0, 0)


@pytest.mark.parametrize("action", ["confirm", "extend", "release"])
def test_fifty_duplicates_of_an_action_are_one_version(callers: list[Account], action: str) -> None:
    put_stock(callers[0], on_hand=10)
    reference = held(callers[0], UNIT)["reference"]
    key = new_idempotency_key()
    answers = crowd(callers, DUPLICATES, lambda caller, _: act(caller, reference, action, key=key))
    assert_one_answer(answers, 200)
    assert read(callers[0], reference)["version"] == 2
    assert [change["action"] for change in history(callers[0], reference)] == ["create", action]


def test_fifty_duplicates_with_two_bodies_have_one_effect(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=1000)
    for _ in range(3):
        key = new_idempotency_key()
        answers = crowd(
            callers,
            DUPLICATES,
            lambda caller, number, key=key: hold(caller, [{"sku": "NW-001", "quantity": 1 + number // 2 % 2}], key=key),
        )
        winners = with_status(answers, 201)
        assert_one_answer(winners, 201)
        quantity = winners[0].json()["lines"][0]["quantity"]
        for number, answer in enumerate(answers):
            assert (answer.status_code == 201) == (1 + number // 2 % 2 == quantity)
            if answer.status_code != 201:
                assert refused(answer, "idempotency-key-reused")["mismatch"] == ["body"]
    assert len(references(callers[0])) == 3


def test_one_adjustment_under_fifty_keys_is_made_once(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=10)
    body = {"reference": "delivery-77", "delta": 5, "reason": "delivered"}
    answers = crowd(
        callers,
        DUPLICATES,
        lambda caller, _: caller.http.post(
            "/v1/stock/NW-001/adjustments", json=body, headers={"Idempotency-Key": new_idempotency_key()}
        ),
    )
    assert set(statuses(answers)) <= {200, 201}
    assert len({answer.content for answer in answers}) == 1
    assert stock_counts(callers[0]) == (0, 0, 15)


def test_duplicates_of_a_plain_use_case_make_one_event(callers: list[Account]) -> None:
    body = {
        "name": "Final",
        "starts_at": "2097-06-05T19:00:00Z",
        "hold_seconds": 600,
        "hold_seconds_max": 3600,
        "sales": "open",
        "categories": [{"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"}],
    }
    key = {"Idempotency-Key": new_idempotency_key()}
    answers = crowd(callers, 20, lambda caller, _: caller.http.put("/v1/events/final", json=body, headers=key))
    assert_one_answer(answers, 201)
    without_key = crowd(callers, 20, lambda caller, _: caller.http.put("/v1/events/semifinal", json=body))
    assert statuses(without_key) == {201: 1, 200: 19}
