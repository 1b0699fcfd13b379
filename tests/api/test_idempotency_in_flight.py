"""The same key many times at the same moment: one effect, everybody gets the one answer."""

from collections import Counter

import httpx
import pytest

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import at_once, held, history, message_types, read, references, stock_counts
from tests.make import act, hold, new_idempotency_key, put_event, put_stock

DUPLICATES = 50
UNIT = [{"sku": "NW-001", "quantity": 1}]


def replayed(answers: list[httpx.Response]) -> Counter[str]:
    return Counter(answer.headers["Idempotent-Replayed"] for answer in answers)


def test_fifty_duplicates_of_a_create_are_one_reservation(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=100)
    key = new_idempotency_key()
    answers = at_once([lambda: hold(account, UNIT, key=key)] * DUPLICATES)
    assert {answer.status_code for answer in answers} == {201}, Counter(answer.status_code for answer in answers)
    assert len({answer.content for answer in answers}) == 1, "replies differ"
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert {answer.headers["ETag"] for answer in answers} == {'"1"'}
    assert replayed(answers) == {"false": 1, "true": DUPLICATES - 1}
    reference = answers[0].json()["reference"]
    assert references(account) == [reference]
    assert stock_counts(account) == (1, 0, 99)
    assert len(history(account, reference)) == 1
    assert message_types(account, reference, 1) == ["reservation.held"]


def test_fifty_duplicates_of_a_refused_create_get_one_refusal(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=0)
    key = new_idempotency_key()
    answers = at_once([lambda: hold(account, UNIT, key=key)] * DUPLICATES)
    assert {answer.status_code for answer in answers} == {409}, Counter(answer.status_code for answer in answers)
    assert len({answer.content for answer in answers}) == 1, "refusals differ"
    assert replayed(answers) == {"false": 1, "true": DUPLICATES - 1}
    refused(answers[0], "inventory-unavailable")


@pytest.mark.parametrize("action", ["confirm", "extend", "release"])
def test_fifty_duplicates_of_an_action_are_one_change(account: Account, action: str) -> None:
    put_stock(account, sku="NW-001", on_hand=100)
    reference = held(account, UNIT)["reference"]
    key = new_idempotency_key()
    answers = at_once([lambda: act(account, reference, action, key=key)] * DUPLICATES)
    assert {answer.status_code for answer in answers} == {200}, Counter(answer.status_code for answer in answers)
    assert len({answer.content for answer in answers}) == 1, "replies differ"
    assert replayed(answers) == {"false": 1, "true": DUPLICATES - 1}
    assert read(account, reference)["version"] == 2
    assert len(history(account, reference)) == 2
    assert len(message_types(account, reference, 2)) == 2


def test_fifty_duplicates_of_an_adjustment_are_one(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=100)
    body = {"reference": "delivery-77", "delta": 5, "reason": "delivered"}
    headers = {"Idempotency-Key": new_idempotency_key()}
    answers = at_once(
        [lambda: account.http.post("/v1/stock/NW-001/adjustments", json=body, headers=headers)] * DUPLICATES
    )
    assert all(answer.is_success for answer in answers), Counter(answer.status_code for answer in answers)
    assert len({answer.content for answer in answers}) == 1, "replies differ"
    assert stock_counts(account) == (0, 0, 105)


def test_one_key_with_two_bodies_at_once_is_one_effect_and_refuses_the_other_body(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=100)
    key = new_idempotency_key()
    quantities = [1, 2] * (DUPLICATES // 2)
    calls = [
        lambda wanted=wanted: hold(account, [{"sku": "NW-001", "quantity": wanted}], key=key) for wanted in quantities
    ]
    answers = at_once(calls)
    statuses = {
        wanted: {answer.status_code for answer, other in zip(answers, quantities, strict=True) if other == wanted}
        for wanted in (1, 2)
    }
    assert sorted(statuses.values(), key=min) == [{201}, {409}], statuses
    for answer in answers:
        if answer.status_code == 409:
            assert refused(answer, "idempotency-key-reused")["mismatch"] == ["body"]
    winner = 1 if statuses[1] == {201} else 2
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert stock_counts(account) == (winner, 0, 100 - winner)


def test_twenty_keys_five_times_each_at_once_are_twenty_reservations(account: Account) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=100)
    keys = [new_idempotency_key() for _ in range(20)]
    answers = at_once([lambda key=key: hold(account, UNIT, key=key) for key in keys * 5])
    assert {answer.status_code for answer in answers} == {201}, Counter(answer.status_code for answer in answers)
    assert replayed(answers) == {"false": 20, "true": 80}
    for place in range(20):
        assert len({answer.content for answer in answers[place::20]}) == 1
    assert len(references(account)) == 20
    assert stock_counts(account) == (20, 0, 80)


def test_last_units_wanted_under_many_keys_many_times_are_sold_once(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=3)
    keys = [new_idempotency_key() for _ in range(10)]
    answers = at_once([lambda key=key: hold(account, UNIT, key=key) for key in keys * 4])
    of_each_key = [{answer.content for answer in answers[place::10]} for place in range(10)]
    assert all(len(contents) == 1 for contents in of_each_key), "a key got two different answers"
    assert Counter(answer.status_code for answer in answers) == {201: 12, 409: 28}
    assert stock_counts(account) == (3, 0, 0)
