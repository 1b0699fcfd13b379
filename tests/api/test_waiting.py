"""Waiting for what is taken: pending until everything is free, in order of creation, nobody overtaken who would fit."""

import pytest

from tests.accounts import Account
from tests.api.contract import refused, refused_as_invalid
from tests.api.reading import (
    becomes_held,
    done,
    expired,
    held,
    history,
    let_the_worker_come_by,
    message_types,
    moment,
    pending,
    read,
    references,
    seat_states,
    seats,
    seconds_between,
    stock_counts,
)
from tests.make import act, hold, put_event, put_stock, wait_until

SEAT = [{"event": "final", "seats": ["101-A-1"]}]


def units(quantity: int, sku: str = "NW-001") -> list[dict[str, object]]:
    return [{"sku": sku, "quantity": quantity}]


def test_wait_with_everything_free_is_held_at_once(account: Account) -> None:
    put_event(account)
    response = hold(account, SEAT, wait=True)
    assert response.status_code == 201, response.text
    body = response.json()
    assert (body["state"], body["version"], body.get("wait_expires_at")) == ("held", 1, None)
    assert message_types(account, body["reference"], 1) == ["reservation.held"]


def test_wait_for_a_taken_seat_answers_202_pending(account: Account) -> None:
    put_event(account)
    held(account, SEAT)
    response = hold(account, SEAT, wait=True, wait_seconds=120)
    assert response.status_code == 202, response.text
    body = response.json()
    assert response.headers["Location"] == f"/v1/reservations/{body['reference']}"
    assert response.headers["ETag"] == '"1"'
    assert (body["state"], body["version"]) == ("pending", 1)
    assert (body["hold_expires_at"], body["hold_remaining_s"]) == (None, None)
    assert (body["confirmed_at"], body["ended_at"]) == (None, None)
    assert seconds_between(body["created_at"], body["wait_expires_at"]) == 120
    assert history(account, body["reference"])[0]["to"] == "pending"
    assert message_types(account, body["reference"], 1) == ["reservation.pending"]


def test_wait_is_3600_seconds_unless_said_otherwise(account: Account) -> None:
    put_event(account)
    held(account, SEAT)
    body = pending(account, SEAT)
    assert seconds_between(body["created_at"], body["wait_expires_at"]) == 3600


@pytest.mark.parametrize("seconds", [1, 86_400])
def test_wait_seconds_at_the_bounds_are_taken(account: Account, seconds: int) -> None:
    put_event(account)
    held(account, SEAT)
    body = pending(account, SEAT, wait_seconds=seconds)
    assert seconds_between(body["created_at"], body["wait_expires_at"]) == seconds


@pytest.mark.parametrize("seconds", [0, -1, 86_401, 1.5, "60", True])
def test_wait_seconds_outside_the_bounds_are_invalid(account: Account, seconds: object) -> None:
    put_event(account)
    refused_as_invalid(hold(account, SEAT, wait=True, wait_seconds=seconds), "wait_seconds")
    assert references(account) == []


def test_waiting_claims_nothing_of_what_is_free(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2"])
    put_stock(account, sku="NW-001", on_hand=5)
    held(account, SEAT)
    pending(account, [{"event": "final", "seats": ["101-A-1", "101-A-2"]}, *units(5)])
    assert seat_states(account)["101-A-2"] == "available"
    assert stock_counts(account) == (0, 0, 5)


def test_released_seat_goes_to_the_one_who_waits(account: Account) -> None:
    put_event(account)
    holder = held(account, SEAT)["reference"]
    waiting = pending(account, SEAT, hold_seconds=300)["reference"]
    done(account, holder, "release")
    body = becomes_held(account, waiting)
    assert (body["version"], body.get("wait_expires_at"), body["ended_at"]) == (2, None, None)
    assert body["hold_remaining_s"] in range(290, 301)
    change = history(account, waiting)[-1]
    assert (change["version"], change["from"], change["to"], change["action"]) == (2, "pending", "held", "hold")
    assert seconds_between(change["at"], body["hold_expires_at"]) == 300
    assert message_types(account, waiting, 2) == ["reservation.pending", "reservation.held"]
    assert done(account, waiting, "confirm")["state"] == "confirmed"


@pytest.mark.parametrize("way", ["cancel", "lines released", "expiry"])
def test_unit_given_back_in_any_way_goes_to_the_one_who_waits(account: Account, way: str) -> None:
    put_event(account)
    lines = [{"event": "final", "seats": ["101-A-1", "101-A-2"]}]
    holder = held(account, lines, hold_seconds=1 if way == "expiry" else 600)["reference"]
    waiting = pending(account, SEAT)["reference"]
    if way == "cancel":
        done(account, holder, "confirm")
        done(account, holder, "cancel")
    if way == "lines released":
        done(account, holder, "release", {"lines": [1]})
    becomes_held(account, waiting)
    assert seats(read(account, waiting)) == ["101-A-1"]


@pytest.mark.parametrize("way", ["on_hand raised", "adjusted", "unblocked"])
def test_operator_who_adds_units_serves_the_one_who_waits(account: Account, way: str) -> None:
    if way == "unblocked":
        put_event(account)
        account.http.post("/v1/events/final/blocks", json={"seats": ["101-A-1"], "reason": "camera"})
        waiting = pending(account, SEAT)["reference"]
        account.http.post("/v1/events/final/unblocks", json={"seats": ["101-A-1"]})
    else:
        put_stock(account, sku="NW-001", on_hand=1)
        waiting = pending(account, units(3))["reference"]
        if way == "on_hand raised":
            put_stock(account, sku="NW-001", on_hand=3)
        else:
            delta = {"reference": "delivery-77", "delta": 2, "reason": "delivered"}
            headers = {"Idempotency-Key": "delivery-77"}
            adjusted = account.http.post("/v1/stock/NW-001/adjustments", json=delta, headers=headers)
            assert adjusted.is_success, adjusted.text
    becomes_held(account, waiting)


def test_waiting_over_several_pools_is_held_when_all_are_free(account: Account) -> None:
    put_event(account)
    put_stock(account, sku="NW-001", on_hand=2)
    seat_holder = held(account, SEAT)["reference"]
    stock_holder = held(account, units(2))["reference"]
    waiting = pending(account, [*SEAT, *units(1)])["reference"]
    done(account, seat_holder, "release")
    let_the_worker_come_by(account)
    assert read(account, waiting)["state"] == "pending"
    assert seat_states(account)["101-A-1"] == "available", "a waiting reservation claims nothing"
    done(account, stock_holder, "release")
    becomes_held(account, waiting)
    assert seat_states(account)["101-A-1"] == "held"
    assert stock_counts(account) == (1, 0, 1)


def test_best_available_is_chosen_when_the_wait_ends(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2", "101-A-3"])
    holder = held(account, [{"event": "final", "seats": ["101-A-2", "101-A-3"]}])["reference"]
    waiting = pending(account, [{"event": "final", "best_available": {"quantity": 2}}])["reference"]
    done(account, holder, "release")
    body = becomes_held(account, waiting)
    chosen = sorted(seats(body))
    assert chosen in (["101-A-1", "101-A-2"], ["101-A-2", "101-A-3"]), chosen
    assert body["totals"] == [{"amount": 25000, "currency": "EUR"}]


def test_those_who_wait_are_served_in_order_of_creation(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=3)
    holders = [held(account, units(1))["reference"] for _ in range(3)]
    queue = [pending(account, units(1))["reference"] for _ in range(3)]
    for served, holder in enumerate(holders, start=1):
        done(account, holder, "release")
        becomes_held(account, queue[served - 1])
        states = [read(account, reference)["state"] for reference in queue]
        assert states == ["held"] * served + ["pending"] * (3 - served)


def test_newcomer_does_not_overtake_one_who_waits_and_would_fit(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=2)
    holder = held(account, units(2))["reference"]
    waiting = pending(account, units(2))["reference"]
    done(account, holder, "release")
    refused(hold(account, units(1)), "inventory-unavailable")
    becomes_held(account, waiting)


def test_newcomer_never_gets_a_lapsed_unit_that_someone_waits_for(account: Account) -> None:
    put_event(account)
    held(account, SEAT, hold_seconds=1)
    waiting = pending(account, SEAT)["reference"]

    def newcomer_is_refused_until_the_other_is_held() -> bool:
        answer = hold(account, SEAT)
        assert answer.status_code == 409, f"a newcomer overtook: {answer.text}"
        return read(account, waiting)["state"] == "held"

    wait_until(newcomer_is_refused_until_the_other_is_held)


def test_newcomer_who_waits_too_stands_behind(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=1)
    holder = held(account, units(1))["reference"]
    first = pending(account, units(1))["reference"]
    second = pending(account, units(1))["reference"]
    done(account, holder, "release")
    done(account, becomes_held(account, first)["reference"], "release")
    becomes_held(account, second)


def test_newcomer_takes_what_is_too_little_for_the_one_who_waits(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=3)
    held(account, units(1))
    large = pending(account, units(3))["reference"]
    assert hold(account, units(2)).status_code == 201
    assert read(account, large)["state"] == "pending"


def test_small_one_behind_is_served_before_a_large_one_that_does_not_fit_yet(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=3)
    holders = [held(account, units(1))["reference"] for _ in range(3)]
    large = pending(account, units(3))["reference"]
    small = pending(account, units(1))["reference"]
    done(account, holders[0], "release")
    becomes_held(account, small)
    assert read(account, large)["state"] == "pending"
    assert stock_counts(account) == (3, 0, 0)


def test_wait_that_is_over_expires_without_units(account: Account) -> None:
    put_event(account)
    holder = held(account, SEAT)["reference"]
    waiting = pending(account, SEAT, wait_seconds=1)
    body = expired(account, waiting["reference"])
    assert (body["version"], body.get("wait_expires_at"), body["hold_expires_at"]) == (2, None, None)
    assert moment(body["ended_at"]) >= moment(waiting["wait_expires_at"])
    change = history(account, waiting["reference"])[-1]
    assert (change["from"], change["to"], change["action"], change["actor"]) == (
        "pending",
        "expired",
        "expire",
        "worker",
    )
    types = message_types(account, waiting["reference"], 2)
    assert types == ["reservation.pending", "reservation.expired"]
    assert read(account, holder)["version"] == 1
    assert seat_states(account)["101-A-1"] == "held"


def test_expired_wait_gets_nothing_when_the_seat_is_free_later(account: Account) -> None:
    put_event(account)
    holder = held(account, SEAT)["reference"]
    waiting = pending(account, SEAT, wait_seconds=1)["reference"]
    expired(account, waiting)
    done(account, holder, "release")
    held(account, SEAT)
    assert read(account, waiting)["state"] == "expired"


def test_expired_wait_refuses_confirm_and_extend_with_410_and_the_way_back_with_409(account: Account) -> None:
    put_event(account)
    held(account, SEAT)
    waiting = pending(account, SEAT, wait_seconds=1)["reference"]
    expired(account, waiting)
    statuses = {
        action: act(account, waiting, action).status_code for action in ("confirm", "extend", "release", "cancel")
    }
    assert statuses == {"confirm": 410, "extend": 410, "release": 409, "cancel": 409}


def test_released_wait_is_not_served_any_more(account: Account) -> None:
    put_stock(account, sku="NW-001", on_hand=1)
    holder = held(account, units(1))["reference"]
    gone, next_one = (pending(account, units(1))["reference"] for _ in range(2))
    done(account, gone, "release")
    done(account, holder, "release")
    becomes_held(account, next_one)
    assert read(account, gone)["state"] == "released"


def test_closed_sales_stop_promotions_until_they_open_again(account: Account) -> None:
    put_event(account, sales="open")
    holder = held(account, SEAT)["reference"]
    waiting = pending(account, SEAT)["reference"]
    put_event(account, sales="closed")
    done(account, holder, "release")
    let_the_worker_come_by(account)
    assert read(account, waiting)["state"] == "pending"
    put_event(account, sales="open")
    becomes_held(account, waiting)


def test_closed_sales_refuse_the_wait_too(account: Account) -> None:
    put_event(account, sales="open")
    held(account, SEAT)
    put_event(account, sales="closed")
    refused(hold(account, SEAT, wait=True), "sales-closed")


def test_wait_for_what_does_not_exist_is_404(account: Account) -> None:
    put_event(account)
    refused(hold(account, [{"event": "final", "seats": ["101-Z-99"]}], wait=True), "not-found")
    assert references(account) == []
