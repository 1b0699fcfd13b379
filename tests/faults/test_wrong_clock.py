"""Row 18: a host's clock is wrong by hours, on the MySQL family. Expiry is unchanged: the database's clock decides."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import pytest

from tests.accounts import Account, new_account
from tests.api.contract import refused
from tests.api.reading import becomes_held, expired, held, history, messages, moment, pending, read, stock_counts
from tests.conftest import MysqlServer
from tests.faults.conftest import ENVIRONMENT
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until
from tests.races.databases import audit_now, mysql_database
from tests.races.launched import launch_service, launch_worker
from tests.running import start_service

LAUNCHER = "tests.faults.wrong_clock"
UNIT = [{"sku": "NW-001", "quantity": 1}]
HOURS = {"six-hours-fast": 6, "six-hours-slow": -6}


def wrong_by(hours: int) -> dict[str, str]:
    return ENVIRONMENT | {"HOLDFAST_TEST_CLOCK_OFFSET_S": str(hours * 3600)}


@pytest.fixture(scope="module")
def servers(mysql_server: MysqlServer) -> Iterator[dict[str, Any]]:
    """A right server, and by name one that is fast and one that is slow; the only worker is fast."""
    with ExitStack() as stack:
        url = stack.enter_context(mysql_database(mysql_server))
        found = {"right": stack.enter_context(start_service(url, env=ENVIRONMENT))}
        for name, hours in HOURS.items():
            found[name] = stack.enter_context(launch_service(LAUNCHER, url, wrong_by(hours)))
        stack.enter_context(launch_worker(LAUNCHER, url, wrong_by(6)))
        yield found


@pytest.fixture
def right(servers: dict[str, Any]) -> Iterator[Account]:
    """A new account, at the server whose clock is right."""
    with closing(new_account(servers["right"].url, servers["right"].database_url)) as account:
        put_stock(account, on_hand=10)
        yield account
    audit_now(servers["right"].database_url)


@pytest.fixture(params=HOURS)
def wrong(request: pytest.FixtureRequest, servers: dict[str, Any], right: Account) -> Account:
    """The account at a server whose clock is wrong."""
    return right.at(servers[request.param].url)


def test_row_18_hold_made_by_a_wrong_host_ends_when_it_should(right: Account, wrong: Account) -> None:
    lasting = held(wrong, UNIT, hold_seconds=60)
    assert moment(lasting["hold_expires_at"]) - moment(lasting["created_at"]) == timedelta(seconds=60)
    assert lasting["hold_remaining_s"] == 60
    ending = held(wrong, UNIT, hold_seconds=1)
    early, late = moment(held(right, UNIT)["created_at"]), moment(held(wrong, UNIT)["created_at"])
    assert early - timedelta(minutes=1) < late < early + timedelta(minutes=1)
    expired(wrong, ending["reference"])
    refused(act(wrong, ending["reference"], "confirm"), "hold-expired")
    assert act(wrong, lasting["reference"], "confirm").status_code == 200
    assert stock_counts(right) == (2, 1, 7)


def test_row_18_hold_made_by_a_right_host_is_judged_by_a_wrong_one_as_it_should(right: Account, wrong: Account) -> None:
    ending, lasting = held(right, UNIT, hold_seconds=1), held(right, UNIT, hold_seconds=60)
    shown = read(wrong, lasting["reference"])
    assert 0 < shown["hold_remaining_s"] <= 60
    assert act(wrong, lasting["reference"], "extend", {"hold_seconds": 120}).status_code == 200
    # Nobody but the worker, whose clock is fast, comes by: it must not take the minute for over.
    expired(right, ending["reference"])
    assert read(right, lasting["reference"])["state"] == "held"
    assert act(wrong, lasting["reference"], "confirm").status_code == 200
    assert [change["action"] for change in history(right, ending["reference"])] == ["create", "expire"]


def test_row_18_answer_stored_by_a_wrong_host_is_kept_and_replayed(right: Account, wrong: Account) -> None:
    key = new_idempotency_key()
    first = hold(wrong, UNIT, key=key)
    again = hold(right, UNIT, key=key)
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    kept = moment(first.headers["Idempotency-Expires"]) - moment(first.json()["created_at"])
    assert timedelta(hours=71) < kept < timedelta(hours=73)


def test_row_18_who_waits_by_a_wrong_host_keeps_the_place_in_the_queue(right: Account, wrong: Account) -> None:
    put_stock(right, sku="one", on_hand=1)
    one = [{"sku": "one", "quantity": 1}]
    has = held(right, one)["reference"]
    callers = [right, wrong, right, wrong]
    queue = [pending(caller, one)["reference"] for caller in callers]
    for place, reference in enumerate(queue):
        assert act(right, has, "release").status_code == 200
        has = becomes_held(right, reference)["reference"]
        assert {read(right, other)["state"] for other in queue[place + 1 :]} <= {"pending"}


def test_row_18_messages_of_wrong_and_right_hosts_come_oldest_first_without_a_gap(
    right: Account, wrong: Account
) -> None:
    reference = held(wrong, UNIT)["reference"]
    for caller, action in [(right, "extend"), (wrong, "extend"), (right, "confirm"), (wrong, "cancel")]:
        assert act(caller, reference, action).status_code == 200

    def versions() -> list[int]:
        return [message["version"] for message in messages(wrong) if message["reference"] == reference]

    wait_until(lambda: len(versions()) == len(history(right, reference)))
    assert versions() == list(range(1, len(versions()) + 1))
