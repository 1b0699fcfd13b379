"""Operators change a stock item's count while it is sold: never below what is claimed, never above what there is."""

import random
from threading import Event, Thread
from typing import Self

from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import read, stock_counts
from tests.make import act, hold, new_idempotency_key, put_stock
from tests.races.crowd import crowd, statuses, with_status

ON_HAND = 30


def adjust(caller: Account, number: int, delta: int) -> object:
    body = {"reference": f"count-{number}", "delta": delta}
    headers = {"Idempotency-Key": new_idempotency_key()}
    return caller.http.post("/v1/stock/NW-001/adjustments", json=body, headers=headers)


class Watcher:
    """Reads the stock item over and over: whatever it sees at any moment must add up."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._over = Event()
        self.seen: list[tuple[int, int, int]] = []
        self._thread = Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.is_set():
            self.seen.append(stock_counts(self._account))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def test_adjustments_against_holds_never_go_below_what_is_claimed(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=ON_HAND)
    chance = random.Random(3)
    deltas = {number: chance.choice([-3, -2, -1, 1]) for number in range(0, 48, 2)}

    def call(caller: Account, number: int) -> object:
        # Every second pair of callers adjusts, so that both servers do both.
        if number % 4 < 2:
            return hold(caller, [{"sku": "NW-001", "quantity": 2}])
        return adjust(caller, number, deltas.setdefault(number, -1))

    with Watcher(callers[-1]) as watcher:
        answers = crowd(callers, 48, call)
    assert set(statuses(answers)) <= {200, 201, 409}
    on_hand = ON_HAND + sum(
        deltas[number] for number, answer in enumerate(answers) if number % 4 >= 2 and answer.is_success
    )
    held = 2 * sum(answer.is_success for number, answer in enumerate(answers) if number % 4 < 2)
    assert stock_counts(callers[0]) == (held, 0, on_hand - held)
    assert on_hand >= held
    assert all(available >= 0 for _, _, available in watcher.seen), watcher.seen
    for number, answer in enumerate(answers):
        if answer.status_code == 409:
            refused(answer, "inventory-unavailable" if number % 4 < 2 else "state-conflict")


def test_count_put_down_while_units_are_claimed_keeps_every_claim(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=ON_HAND)
    body = {"description": "Chai", "amount": 1800, "currency": "USD"}

    def call(caller: Account, number: int) -> object:
        if number % 4 < 2:
            return hold(caller, [{"sku": "NW-001", "quantity": 1}])
        return caller.http.put("/v1/stock/NW-001", json=body | {"on_hand": 5 + number // 4})

    with Watcher(callers[-1]) as watcher:
        answers = crowd(callers, 48, call)
    assert set(statuses(answers)) <= {200, 201, 409}
    item = callers[0].http.get("/v1/stock/NW-001").json()
    held = sum(answer.status_code == 201 for answer in answers)
    assert item["held"] == held <= item["on_hand"]
    assert all(available >= 0 for _, _, available in watcher.seen), watcher.seen


def test_units_given_back_and_claimed_at_once_add_up(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=20)
    made = crowd(callers, 20, lambda caller, _: hold(caller, [{"sku": "NW-001", "quantity": 1}]))
    references = [answer.json()["reference"] for answer in made]
    verbs = ["release", "confirm"]

    def call(caller: Account, number: int) -> object:
        if number < 40:
            return act(caller, references[number // 2], verbs[number % 2 if number // 2 % 2 else 1 - number % 2])
        return hold(caller, [{"sku": "NW-001", "quantity": 1}])

    answers = crowd(callers, 48, call)
    assert set(statuses(answers)) <= {200, 201, 409}
    states = [read(callers[0], reference)["state"] for reference in references]
    assert set(states) <= {"released", "confirmed"}
    held = len(with_status(answers[40:], 201))
    confirmed = states.count("confirmed")
    assert stock_counts(callers[0]) == (held, confirmed, 20 - held - confirmed)
