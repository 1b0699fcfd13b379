"""Many callers want what only one can have: R1, R2, and a refused caller keeps nothing."""

import random
from collections import Counter

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import references, seat_states, seats, stock_counts
from tests.make import SEATS, hold, new_idempotency_key, put_event, put_stock
from tests.races.crowd import crowd, statuses, with_status

CALLERS = 50
ROUNDS = 3


def test_last_unit_goes_to_one_of_fifty_callers(callers: list[Account]) -> None:
    for place in range(ROUNDS):
        sku = f"last-{place}"
        put_stock(callers[0], sku=sku, on_hand=1)
        answers = crowd(callers, CALLERS, lambda caller, _, sku=sku: hold(caller, [{"sku": sku, "quantity": 1}]))
        assert statuses(answers) == {201: 1, 409: CALLERS - 1}
        assert stock_counts(callers[0], sku) == (1, 0, 0)
        for answer in with_status(answers, 409):
            unavailable = refused(answer, "inventory-unavailable")["unavailable"]
            assert unavailable == [{"line": 1, "sku": sku, "location": "default", "requested": 1, "available": 0}]


def test_last_seat_goes_to_one_of_fifty_callers(callers: list[Account]) -> None:
    put_event(callers[0])
    for place in range(ROUNDS):
        lines = [{"event": "final", "seats": [SEATS[place]]}]
        answers = crowd(callers, CALLERS, lambda caller, _, lines=lines: hold(caller, lines))
        assert statuses(answers) == {201: 1, 409: CALLERS - 1}
        assert seat_states(callers[0])[SEATS[place]] == "held"


def test_refused_caller_is_refused_again_under_its_key_and_served_under_a_new_one(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=1)
    unit = [{"sku": "NW-001", "quantity": 1}]
    keys = [new_idempotency_key() for _ in range(CALLERS)]
    first = crowd(callers, CALLERS, lambda caller, number: hold(caller, unit, key=keys[number]))
    put_stock(callers[0], on_hand=CALLERS)
    # The other server process has the retry of each.
    again = crowd([*callers[1:], callers[0]], CALLERS, lambda caller, number: hold(caller, unit, key=keys[number]))
    assert [answer.content for answer in again] == [answer.content for answer in first]
    assert {answer.headers["Idempotent-Replayed"] for answer in again} == {"true"}
    answers = crowd(callers, CALLERS, lambda caller, _: hold(caller, unit))
    assert statuses(answers) == {201: CALLERS - 1, 409: 1}


def test_hundred_seats_in_two_orders_go_whole_to_one_caller_and_no_deadlock_is_told(callers: list[Account]) -> None:
    labels = [f"{section}-{row}-{number}" for section in ("N", "S") for row in "ABCDE" for number in range(1, 11)]
    for place in range(ROUNDS):
        event = f"final-{place}"
        put_event(callers[0], event, seats=labels)
        orders = [labels, labels[::-1]]
        answers = crowd(
            callers,
            8,
            # Half of the pairs of callers in each process, both orders in each.
            lambda caller, number, event=event, orders=orders: hold(
                caller, [{"event": event, "seats": orders[number // 2 % 2]}]
            ),
        )
        assert statuses(answers) == {201: 1, 409: 7}
        (winner,) = with_status(answers, 201)
        assert sorted(seats(winner.json())) == sorted(labels)
        assert Counter(seat_states(callers[0], event).values()) == {"held": 100}
        for answer in with_status(answers, 409):
            (line,) = refused(answer, "inventory-unavailable")["unavailable"]
            assert sorted(line["seats"]) == sorted(labels)


def test_overlapping_baskets_are_sold_whole_or_not_at_all(callers: list[Account]) -> None:
    put_event(callers[0])
    put_stock(callers[0], on_hand=1000)
    chance = random.Random(7)
    baskets = [chance.sample(SEATS, 3) for _ in range(CALLERS)]
    answers = crowd(
        callers,
        CALLERS,
        lambda caller, number: hold(
            caller, [{"sku": "NW-001", "quantity": 2}, {"event": "final", "seats": baskets[number]}]
        ),
    )
    counted = statuses(answers)
    assert set(counted) == {201, 409}, counted
    sold = [label for answer in with_status(answers, 201) for label in seats(answer.json())]
    assert len(sold) == len(set(sold)) == 3 * counted[201]
    assert {label for label, state in seat_states(callers[0]).items() if state == "held"} == set(sold)
    assert stock_counts(callers[0]) == (2 * counted[201], 0, 1000 - 2 * counted[201])
    for basket, answer in zip(baskets, answers, strict=True):
        if answer.status_code == 409:
            assert set(basket) & set(sold), "refused, though nobody has any of its seats"


def test_best_available_pairs_fill_the_rows_without_a_gap(callers: list[Account]) -> None:
    put_event(callers[0])
    pair = [{"event": "final", "best_available": {"quantity": 2, "section": "101"}}]
    answers = crowd(callers, 20, lambda caller, _: hold(caller, pair))
    assert statuses(answers) == {201: 15, 409: 5}
    pairs = [seats(answer.json()) for answer in with_status(answers, 201)]
    assert sorted(label for both in pairs for label in both) == sorted(SEATS)
    for first, second in pairs:
        assert first.rpartition("-")[0] == second.rpartition("-")[0]
        assert int(second.rpartition("-")[2]) - int(first.rpartition("-")[2]) == 1


def test_external_reference_belongs_to_one_of_forty_callers_with_keys_of_their_own(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=1000)
    unit = [{"sku": "NW-001", "quantity": 1}]
    for place in range(ROUNDS):
        name = f"order-{place}"
        answers = crowd(callers, 40, lambda caller, _, name=name: hold(caller, unit, external_reference=name))
        assert statuses(answers) == {201: 1, 409: 39}
        reference = with_status(answers, 201)[0].json()["reference"]
        for answer in with_status(answers, 409):
            assert refused(answer, "external-reference-exists")["reference"] == reference
            assert answer.headers["Location"] == f"/v1/reservations/{reference}"
        assert references(callers[0], external_reference=name) == [reference]
    assert stock_counts(callers[0]) == (ROUNDS, 0, 1000 - ROUNDS)
