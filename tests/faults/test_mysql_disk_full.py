"""Row 19 on the MySQL family: the server's disk fills up. 503, nothing half done; all works once there is room."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import asyncmy
import pytest

from tests.accounts import Account, new_account
from tests.api.reading import references, stock_counts
from tests.faults.conftest import ENVIRONMENT
from tests.faults.patient import Customers, is_retryable
from tests.faults.small_disk import SmallDisk, is_started_again, mysql_on_small_disk
from tests.make import hold, new_idempotency_key, put_stock, wait_until
from tests.races.databases import audit_now, mysql_database
from tests.running import RunningService, start_service
from tests.servers.find import PrivateMysql
from tests.servers.mysql import execute

UNIT = [{"sku": "NW-001", "quantity": 1}]
# A row of its own size: so large that a few of them need a page more.
METADATA = {"note": "x" * 3_500}
HOLDS_MAX = 5_000
GROWTH_BYTES = 300_000
SPACE_WITHIN_S = 90
"""MySQL looks once a minute whether there is space for its binary log, and keeps its sessions waiting so long."""


class Stand(NamedTuple):
    """A server of the service, the server of its database, and the disk of that."""

    service: RunningService
    server: PrivateMysql
    disk: SmallDisk


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with ExitStack() as stack:
        server, disk = stack.enter_context(mysql_on_small_disk())
        url = stack.enter_context(mysql_database(server))
        yield Stand(stack.enter_context(start_service(url, env=ENVIRONMENT)), server, disk)


@pytest.fixture
def account(stand: Stand) -> Iterator[Account]:
    with closing(new_account(stand.service.url, stand.service.database_url)) as account:
        yield account
    audit_now(stand.service.database_url)


def test_row_19_full_disk_is_503_and_what_was_refused_is_done_once_there_is_room(
    stand: Stand, account: Account
) -> None:
    put_stock(account, on_hand=100_000)
    stand.disk.fill()
    key, held = hold_until_full(account)
    assert is_retryable(hold(account, UNIT, key=key, metadata=METADATA)), "503, or the first one is still waiting"
    # Whoever only reads is served, unless the database's server has ended itself.
    shown = account.http.get("/v1/stock/NW-001")
    assert shown.json()["held"] == held if shown.status_code == 200 else not stand.server.answers()
    stand.disk.make_room()
    answers = [hold(account, UNIT, key=key, metadata=METADATA)]

    def is_final() -> bool:
        if is_retryable(answers[-1]):
            is_started_again(stand.server)
            answers.append(hold(account, UNIT, key=key, metadata=METADATA))
        return not is_retryable(answers[-1])

    wait_until(is_final, SPACE_WITHIN_S)
    assert answers[-1].status_code == 201, answers[-1].text
    assert answers[-1].headers["Idempotent-Replayed"] == "false", "nothing was stored while there was no room"
    assert answers[-1].json()["reference"] in references(account)
    assert stock_counts(account) == (held + 1, 0, 100_000 - held - 1)


def hold_until_full(account: Account) -> tuple[str, int]:
    """The key of the first hold that was refused because there was no room for it, and how many there was room for."""
    for done in range(HOLDS_MAX):
        key = new_idempotency_key()
        answer = hold(account, UNIT, key=key, metadata=METADATA)
        if answer.status_code == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            return key, done
        assert answer.status_code == 201, answer.text
    raise AssertionError(f"{HOLDS_MAX} holds, and the disk is not full")


def test_row_19_disk_that_is_full_now_and_then_under_load_loses_and_doubles_nothing(
    stand: Stand, account: Account
) -> None:
    with Customers([account]) as customers:
        for _ in range(2):
            refused_before = customers.tries_refused
            stand.disk.fill()
            wait_until(lambda before=refused_before: customers.tries_refused > before, SPACE_WITHIN_S)
            stand.disk.make_room()
            until = customers.answered + 10
            wait_until(lambda: is_started_again(stand.server) or customers.answered >= until, SPACE_WITHIN_S)  # noqa: B023
            customers.wait_for(10)
    customers.settle()


def test_disk_of_who_may_mount_nothing_is_full_and_has_room_again() -> None:
    """The other way to fill it: without rights to mount, the server's files are kept from growing."""
    with mysql_on_small_disk(may_mount=False) as (server, disk):
        url = server.new_database()
        grow = f"INSERT INTO grows VALUES (REPEAT('x', {GROWTH_BYTES}))"
        execute(url, "CREATE TABLE grows (text LONGTEXT)", grow)
        disk.fill()
        with pytest.raises(asyncmy.errors.OperationalError, match="is full"):
            execute(url, grow)
        assert execute(url, "SELECT COUNT(*) FROM grows") == [(1,)]
        disk.make_room()
        execute(url, grow)
        assert execute(url, "SELECT COUNT(*) FROM grows") == [(2,)]
