"""The demonstration's verdict is worth something only if it notices lies: each of these must be found."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from service.demo.calls import Answer
from service.demo.customers import Line, Reservation, Told
from service.demo.found import Change, Found, StockItem
from service.demo.verdict import Verdict, judge

SEATS = {"101-A-1": "confirmed", "101-A-2": "available", "101-A-3": "available"}


def reservation(reference: str, state: str, version: int, order: str, seat: str, **fields: Any) -> Reservation:
    lines = [Line(quantity=1, seat=seat), Line(quantity=1, sku="NW-021")]
    times = {"created_at": "2027-06-01T10:00:00.000Z", "ended_at": None}
    return Reservation(reference, state, version, lines, order, **(times | fields))


def told(customer: str, action: str, subject: str, *answers: Answer) -> Told:
    return Told(customer, action, subject, list(answers))


def success(seen: Reservation, status: int = 200, *, replayed: bool = True) -> Answer:
    return Answer(status, msgspec.json.encode(seen), replayed, f'"{seen.version}"')


def refusal(status: int, slug: str) -> Answer:
    return Answer(status, json.dumps({"type": f"/problems/{slug}", "retryable": False}).encode(), True)


class World:
    """One customer who has confirmed, one who has forgotten and was late, one who was refused; all is well."""

    def __init__(self) -> None:
        held = reservation("AAAAA-AAAAA", "held", 1, "order-1", "101-A-1")
        confirmed = reservation("AAAAA-AAAAA", "confirmed", 2, "order-1", "101-A-1")
        forgotten = reservation("BBBBB-BBBBB", "held", 1, "order-2", "101-A-2")
        expired = reservation("BBBBB-BBBBB", "expired", 2, "order-2", "101-A-2", ended_at="2027-06-01T10:00:08.000Z")
        self.told = [
            told("c-1", "hold", "order-1", success(held, 201), success(held, 201, replayed=False)),
            told("c-2", "hold", "order-2", success(forgotten, 201), success(forgotten, 201)),
            told("c-3", "hold", "order-3", refusal(409, "inventory-unavailable")),
            told("c-1", "confirm", "AAAAA-AAAAA", success(confirmed, replayed=False), success(confirmed)),
            told("c-2", "confirm", "BBBBB-BBBBB", refusal(410, "hold-expired")),
        ]
        self.found = Found(
            reservations={"AAAAA-AAAAA": confirmed, "BBBBB-BBBBB": expired},
            histories={
                "AAAAA-AAAAA": [Change(1, "held"), Change(2, "confirmed")],
                "BBBBB-BBBBB": [Change(1, "held"), Change(2, "expired")],
            },
            seats=dict(SEATS),
            stock={"NW-021": StockItem("NW-021", on_hand=3, held=0, confirmed=1)},
        )

    def judge(self) -> Verdict:
        return judge(self.told, self.found)


def two_first_answers(world: World) -> None:
    answer = world.told[0].answers[1]
    world.told[0].answers.append(answer)


def one_reservation_for_two_holds(world: World) -> None:
    world.told.append(told("c-4", "hold", "order-4", world.told[0].answers[0]))


def seat_confirmed_to_two(world: World) -> None:
    other = reservation("CCCCC-CCCCC", "confirmed", 1, "order-4", "101-A-1", created_at="2027-06-01T11:00:00.000Z")
    world.told.append(told("c-4", "hold", "order-4", success(other, 201)))
    world.found.reservations["CCCCC-CCCCC"] = other
    world.found.histories["CCCCC-CCCCC"] = [Change(1, "confirmed")]


def seat_claimed_by_two_at_one_time(world: World) -> None:
    for line in world.found.reservations["BBBBB-BBBBB"].lines:
        line.seat = line.seat and "101-A-1"


def more_units_claimed_than_there_are(world: World) -> None:
    world.found.stock["NW-021"].on_hand = 1


def two_different_answers(world: World) -> None:
    world.told[2].answers.append(refusal(409, "sales-closed"))


def other_etag(world: World) -> None:
    world.told[3].answers[1] = msgspec.structs.replace(world.told[3].answers[1], etag='"3"')


def success_that_is_nowhere(world: World) -> None:
    del world.found.reservations["AAAAA-AAAAA"]


def success_that_is_not_in_the_history(world: World) -> None:
    world.found.histories["AAAAA-AAAAA"].pop()


def other_seat_than_told(world: World) -> None:
    world.found.reservations["AAAAA-AAAAA"].lines[0].seat = "101-A-3"


def other_owner_than_told(world: World) -> None:
    world.found.reservations["AAAAA-AAAAA"].external_reference = "order-9"


def refused_but_there(world: World) -> None:
    world.found.reservations["BBBBB-BBBBB"].external_reference = "order-3"


def reservation_that_nobody_was_told_of(world: World) -> None:
    world.found.reservations["DDDDD-DDDDD"] = reservation("DDDDD-DDDDD", "released", 2, "order-5", "101-A-3")


def confirmed_but_cancelled_behind_the_back(world: World) -> None:
    world.found.reservations["AAAAA-AAAAA"].state = "cancelled"


def late_confirm_refused_but_done(world: World) -> None:
    world.found.reservations["BBBBB-BBBBB"].state = "confirmed"


def seat_not_confirmed_in_the_venue(world: World) -> None:
    world.found.seats["101-A-1"] = "available"


def seat_confirmed_to_nobody(world: World) -> None:
    world.found.seats["101-A-3"] = "confirmed"


def seat_left_held(world: World) -> None:
    world.found.seats["101-A-2"] = "held"


def unit_left_held(world: World) -> None:
    world.found.stock["NW-021"].held = 1


def unit_confirmed_to_nobody(world: World) -> None:
    world.found.stock["NW-021"].confirmed = 2


DOUBLES = [
    two_first_answers,
    one_reservation_for_two_holds,
    seat_confirmed_to_two,
    seat_claimed_by_two_at_one_time,
    more_units_claimed_than_there_are,
]
UNTRUTHS = [
    two_different_answers,
    other_etag,
    success_that_is_nowhere,
    success_that_is_not_in_the_history,
    other_seat_than_told,
    other_owner_than_told,
    refused_but_there,
    reservation_that_nobody_was_told_of,
    confirmed_but_cancelled_behind_the_back,
    late_confirm_refused_but_done,
    seat_not_confirmed_in_the_venue,
    seat_confirmed_to_nobody,
    seat_left_held,
    unit_left_held,
    unit_confirmed_to_nobody,
]


def test_truth_is_clean() -> None:
    verdict = World().judge()
    assert verdict.is_clean, verdict


@pytest.mark.parametrize("lie", DOUBLES, ids=lambda lie: lie.__name__)
def test_double_is_found(lie: Callable[[World], None]) -> None:
    world = World()
    lie(world)
    assert world.judge().doubles


@pytest.mark.parametrize("lie", UNTRUTHS, ids=lambda lie: lie.__name__)
def test_untruth_is_found(lie: Callable[[World], None]) -> None:
    world = World()
    lie(world)
    assert world.judge().untruths


def test_unit_given_back_in_the_millisecond_in_which_it_is_taken_is_no_double() -> None:
    world = World()
    world.found.stock["NW-021"].on_hand = 1
    expired = world.found.reservations["BBBBB-BBBBB"]
    expired.ended_at = world.found.reservations["AAAAA-AAAAA"].created_at
    expired.created_at = "2027-06-01T09:59:52.000Z"
    assert world.judge().is_clean
