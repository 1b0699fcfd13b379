"""Operators define seats, block them and close the sale while it goes on: no state is lost, no sale is undone."""

from tests.accounts import Account
from tests.api.contract import items, refused
from tests.api.reading import read, seat_states
from tests.make import SEATS, act, hold, put_event
from tests.races.crowd import crowd, statuses, with_status

CATEGORIES = [
    {"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"},
    {"category": "2", "name": "Upper tier", "amount": 9900, "currency": "EUR"},
]


def seat(label: str, category: str, x: float) -> dict[str, object]:
    section, row, number = label.rsplit("-", 2)
    return {"section": section, "row": row, "number": number, "category": category, "x": x, "y": 1.0}


def test_seats_put_again_while_they_are_sold_keep_their_state(callers: list[Account]) -> None:
    put_event(callers[0], categories=CATEGORIES)

    def call(caller: Account, number: int) -> object:
        if number < len(SEATS):
            response = hold(caller, [{"event": "final", "seats": [SEATS[number]]}])
            if response.status_code == 201 and number % 3 == 0:
                assert act(caller, response.json()["reference"], "confirm").status_code == 200
            return response
        again = [seat(label, "2", float(number)) for label in SEATS]
        more = [seat(f"102-A-{number}", "1", 1.0)]
        return caller.http.put("/v1/events/final/seats", json={"seats": again + more})

    answers = crowd(callers, len(SEATS) + 8, call)
    assert statuses(answers) == {201: len(SEATS), 200: 8}
    states = seat_states(callers[0])
    assert [states[label] for label in SEATS] == [
        "confirmed" if number % 3 == 0 else "held" for number in range(len(SEATS))
    ]
    assert sum(label.startswith("102-") for label in states) == 8
    shown = items(callers[0].http.get("/v1/events/final/seats", params={"section": "101"}))["seats"]
    assert {seat["category"] for seat in shown} == {"2"}
    assert len({seat["x"] for seat in shown}) == 1, "one definition was written over a part of another"
    for answer in with_status(answers, 201):
        # What was sold was sold at the price of that moment.
        (line,) = read(callers[0], answer.json()["reference"])["lines"]
        assert line["amount"] == answer.json()["lines"][0]["amount"]


def test_seat_is_blocked_or_sold_and_never_both(callers: list[Account]) -> None:
    put_event(callers[0])

    def call(caller: Account, number: int) -> object:
        label = SEATS[number // 2]
        # Blocker and buyer of one seat are neighbours, in two processes.
        if number % 2:
            return caller.http.post("/v1/events/final/blocks", json={"seats": [label], "reason": "camera"})
        return hold(caller, [{"event": "final", "seats": [label]}])

    answers = crowd(callers, 2 * len(SEATS), call)
    assert set(statuses(answers)) <= {200, 201, 409}
    states = seat_states(callers[0])
    for place, label in enumerate(SEATS):
        sold, blocked = answers[2 * place], answers[2 * place + 1]
        assert sold.is_success != blocked.is_success, (label, sold.text, blocked.text)
        assert states[label] == ("held" if sold.is_success else "blocked")
        refused(blocked if sold.is_success else sold, "inventory-unavailable")


def test_nothing_is_sold_after_the_sale_was_closed(callers: list[Account]) -> None:
    event = put_event(callers[0])
    body = {name: event[name] for name in ("name", "starts_at", "hold_seconds", "hold_seconds_max", "categories")}
    closed_at = 12

    def call(caller: Account, number: int) -> object:
        if number == closed_at:
            return caller.http.put("/v1/events/final", json=body | {"sales": "closed"})
        return hold(caller, [{"event": "final", "seats": [SEATS[number]]}])

    answers = crowd(callers, len(SEATS), call)
    assert answers[closed_at].status_code == 200
    for number, answer in enumerate(answers):
        if number != closed_at and answer.status_code != 201:
            refused(answer, "sales-closed")
    after = crowd(callers, 10, lambda caller, _: hold(caller, [{"event": "final", "seats": [SEATS[closed_at]]}]))
    assert statuses(after) == {409: 10}
    assert seat_states(callers[0])[SEATS[closed_at]] == "available"
