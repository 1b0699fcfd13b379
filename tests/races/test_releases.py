"""Operators release the same holds at once, while their owners confirm them: each hold has one end."""

from collections import Counter

from tests.accounts import Account
from tests.api.reading import held, history, read
from tests.make import act, put_stock
from tests.races.crowd import crowd

UNIT = [{"sku": "NW-001", "quantity": 1}]
HOLDS = 60
CALLERS = 40
CONFIRMED = 20
"""Of the holds, those whose owners confirm them meanwhile."""


def test_hold_is_released_by_one_of_many_operators_or_confirmed(account: Account, callers: list[Account]) -> None:
    put_stock(account, on_hand=HOLDS)
    holds = [held(account, UNIT)["reference"] for _ in range(HOLDS)]
    body = {"reservations": [{"reference": reference, "version": 1} for reference in holds]}

    def call(caller: Account, number: int) -> list[tuple[str, str]]:
        """Every second caller is an operator who releases all, the others confirm one each."""
        if number % 2:
            reference = holds[number // 2]
            answer = act(caller, reference, "confirm")
            assert answer.status_code in {200, 409}, answer.text
            return [(reference, "confirmed")] if answer.status_code == 200 else []
        answer = caller.http.post("/v1/reservation-releases", json=body)
        assert answer.status_code == 200, answer.text
        return [(each["reference"], "released") for each in answer.json()["outcomes"] if each["released"]]

    told = Counter(end for ends in crowd(callers, CALLERS, call) for end in ends)
    assert {reference for reference, _ in told} == set(holds)
    assert set(told.values()) == {1}, "an end that two were told"
    for reference, end in told:
        assert read(account, reference)["state"] == end
        assert [change["to"] for change in history(account, reference)] == ["held", end]
    assert sum(end == "confirmed" for _, end in told) <= CONFIRMED
