"""How long a large wish may be overtaken: past a set age nothing overtakes it, unless it could never be met.

At servers whose barrier stands at once, or after a second. On databases of their own: a worker with another setting
would serve the same rows.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from tests.accounts import Account, new_account
from tests.api.contract import last_success_after, refused
from tests.api.reading import becomes_held, done, expired, held, let_the_worker_come_by, pending, read, stock_counts
from tests.make import act, hold, put_event, put_seats, put_stock, wait_until
from tests.running import RunningService, start_service, start_worker

Json = dict[str, Any]

CATEGORIES = [
    {"category": "1", "name": "Lower tier", "amount": 12500, "currency": "EUR"},
    {"category": "2", "name": "Upper tier", "amount": 9900, "currency": "EUR"},
]


@pytest.fixture(scope="module")
def at_once(fresh_database: str) -> Iterator[RunningService]:
    """A server, and a worker, at which nothing ever overtakes who waits."""
    env = {"HOLDFAST_WAITING_BARRIER_SECONDS": "0", "HOLDFAST_SWEEP_INTERVAL_MS": "200"}
    with ExitStack() as stack:
        service = stack.enter_context(start_service(fresh_database, env=env))
        if service.store == "mysql":
            stack.enter_context(start_worker(fresh_database, env=env))
        yield service


@pytest.fixture
def account(at_once: RunningService) -> Iterator[Account]:
    with closing(new_account(at_once.url, at_once.database_url)) as account:
        yield account


def units(quantity: int, sku: str = "NW-001") -> list[Json]:
    return [{"sku": sku, "quantity": quantity}]


def seats(*labels: str) -> list[Json]:
    return [{"event": "final", "seats": list(labels)}]


def best(quantity: int, **narrowed: str) -> list[Json]:
    return [{"event": "final", "best_available": {"quantity": quantity, **narrowed}}]


def may_not_have(account: Account, lines: list[Json]) -> None:
    refused(hold(account, lines), "inventory-unavailable")


def test_newcomer_gets_no_unit_of_what_a_large_wish_waits_for(account: Account) -> None:
    put_stock(account, on_hand=3)
    put_stock(account, sku="NW-002", on_hand=3)
    holder = held(account, units(1))["reference"]
    large = pending(account, units(3))["reference"]
    may_not_have(account, units(1))
    held(account, units(3, sku="NW-002"))
    done(account, holder, "release")
    becomes_held(account, large)
    assert stock_counts(account) == (3, 0, 0)


def test_newcomer_gets_no_seat_that_another_waits_for(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2", "101-A-3"])
    holder = held(account, seats("101-A-1"))["reference"]
    waiting = pending(account, seats("101-A-1", "101-A-2"))["reference"]
    may_not_have(account, seats("101-A-2"))
    assert held(account, best(1))["lines"][0]["seat"] == "101-A-3"
    done(account, holder, "release")
    becomes_held(account, waiting)


def test_newcomer_gets_no_seat_of_the_section_where_a_group_waits(account: Account) -> None:
    put_event(account, seats=["101-A-1", "101-A-2", "101-A-3", "102-A-1"], categories=CATEGORIES)
    put_seats(account, "final", ["101-B-1"], category="2")
    holder = held(account, seats("101-A-2"))["reference"]
    group = pending(account, best(3, section="101", category="1"))["reference"]
    may_not_have(account, seats("101-A-1"))
    may_not_have(account, best(1, section="101", category="1"))
    held(account, seats("102-A-1"))
    held(account, seats("101-B-1"))
    done(account, holder, "release")
    assert len(becomes_held(account, group)["lines"]) == 3


def test_small_wish_behind_a_large_one_is_not_served_before_it(account: Account) -> None:
    put_stock(account, on_hand=3)
    holders = [held(account, units(1))["reference"] for _ in range(3)]
    large = pending(account, units(3))["reference"]
    small = pending(account, units(1))["reference"]
    done(account, holders[0], "release")
    let_the_worker_come_by(account)
    assert [read(account, reference)["state"] for reference in (large, small)] == ["pending", "pending"]
    done(account, holders[1], "release")
    done(account, holders[2], "release")
    done(account, becomes_held(account, large)["reference"], "release")
    becomes_held(account, small)


def test_late_confirm_does_not_overtake_either(account: Account) -> None:
    put_stock(account, on_hand=3)
    late = held(account, units(1), hold_seconds=1)["reference"]
    held(account, units(1))
    large = pending(account, units(3))["reference"]
    expired(account, late)
    refused(act(account, late, "confirm", {"late": "if_available"}), "hold-expired")
    assert read(account, large)["state"] == "pending"
    assert stock_counts(account) == (1, 0, 2)


def confirmed(account: Account, lines: list[Json]) -> None:
    done(account, held(account, lines)["reference"], "confirm")


def blocked(account: Account, label: str) -> None:
    response = account.http.post("/v1/events/final/blocks", json={"seats": [label], "reason": "camera"})
    assert response.status_code == 200, response.text


def nothing_more(_account: Account) -> None:
    pass


# What was done before, and what is then wished for; each wish names something that is free.
NEVER_MET: dict[str, tuple[Callable[[Account], None], list[Json]]] = {
    "more units than there are": (nothing_more, units(4)),
    "more units than are not sold": (lambda account: confirmed(account, units(1)), units(3)),
    "a seat that is sold": (
        lambda account: confirmed(account, seats("101-A-1")),
        seats("101-A-1", "101-A-2") + units(1),
    ),
    "a seat that is blocked": (lambda account: blocked(account, "101-A-1"), seats("101-A-1", "101-A-2") + units(1)),
    "more seats together than a row has": (nothing_more, best(4) + units(1)),
    "a group where a seat of it is sold": (
        lambda account: confirmed(account, seats("101-A-2")),
        best(3, section="101") + units(1),
    ),
    "seats that are chosen twice": (nothing_more, [*seats("101-A-1", "101-A-2"), *best(2), *units(1)]),
    "a sale that is closed": (
        lambda account: blocked(account, "101-A-1"),
        seats("101-A-1", "101-A-2") + units(3),
    ),
}


@pytest.mark.parametrize("wish", NEVER_MET)
def test_wish_that_could_never_be_met_bars_nobody(account: Account, wish: str) -> None:
    put_event(account, seats=["101-A-1", "101-A-2", "101-A-3"])
    put_stock(account, on_hand=3)
    before, lines = NEVER_MET[wish]
    before(account)
    waiting = pending(account, lines)["reference"]
    if wish == "a sale that is closed":
        put_event(account, seats=[], sales="closed")
        unblocked = account.http.post("/v1/events/final/unblocks", json={"seats": ["101-A-1"]})
        assert unblocked.status_code == 200, unblocked.text
    else:
        held(account, seats("101-A-3"))
        if wish != "a group where a seat of it is sold":
            held(account, seats("101-A-2"))
    held(account, units(2))
    assert read(account, waiting)["state"] == "pending"


def test_wish_bars_as_soon_as_it_could_be_met(account: Account) -> None:
    put_stock(account, on_hand=3)
    holder = held(account, units(1))["reference"]
    large = pending(account, units(5))["reference"]
    held(account, units(1))
    put_stock(account, on_hand=6)
    may_not_have(account, units(1))
    done(account, holder, "release")
    becomes_held(account, large)


@pytest.mark.parametrize("end", ["released", "expired"])
def test_wish_that_has_ended_bars_nobody(account: Account, end: str) -> None:
    put_stock(account, on_hand=3)
    held(account, units(1))
    large = pending(account, units(3), **({"wait_seconds": 1} if end == "expired" else {}))["reference"]
    if end == "released":
        done(account, large, "release")
        held(account, units(2))
    else:
        wait_until(lambda: hold(account, units(2)).status_code == 201)
        assert read(account, large)["state"] == "expired"


def test_wish_is_overtaken_until_it_is_as_old_as_the_barrier(at_once: RunningService) -> None:
    env = {"HOLDFAST_WAITING_BARRIER_SECONDS": "1"}
    url = at_once.database_url
    # The other server does nothing at this account: its sweep finds nobody whose wish could be met.
    with start_service(url, env=env) as service, closing(new_account(service.url, url)) as account:
        put_stock(account, on_hand=10_000)
        holder = held(account, units(1))["reference"]
        large = pending(account, units(10_000))["reference"]
        assert last_success_after(lambda: hold(account, units(1)).status_code, refusal=409) < 1
        may_not_have(account, units(1))
        assert read(account, large)["state"] == "pending"
        done(account, holder, "release")
