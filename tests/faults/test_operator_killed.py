"""An operator's release killed or interrupted in the middle, and two at once: nothing is lost, nothing done twice."""

import json
import signal
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.accounts import Account, new_account
from tests.api.reading import at_once, held, history, read, seconds_since, stock_counts
from tests.faults.conftest import ENVIRONMENT
from tests.faults.fuse import COMMITTED, READ, WRITTEN
from tests.faults.fused import LAUNCHER, fuse
from tests.make import put_stock, wait_until
from tests.races.databases import audit_now
from tests.running import RunningService, start_service
from tests.shell import Operator

UNIT = [{"sku": "NW-001", "quantity": 1}]
BATCH = 4
HOLDS = 10
RELEASE = ("holds", "release", "--sku", "NW-001", "--older-than", "1s", "--batch", str(BATCH), "--yes", "--json")


@pytest.fixture(scope="module")
def service(fresh_database: str) -> Iterator[RunningService]:
    with start_service(fresh_database, env=ENVIRONMENT) as service:
        yield service


@pytest.fixture
def account(service: RunningService) -> Iterator[Account]:
    with closing(new_account(service.url, service.database_url)) as account:
        put_stock(account, on_hand=100)
        yield account
    audit_now(service.database_url)


@pytest.fixture
def operator(account: Account) -> Operator:
    return Operator(account.name, account.database_url)


def old_holds(account: Account, count: int) -> list[str]:
    """References of holds that are older than a second."""
    holds = [held(account, UNIT) for _ in range(count)]
    wait_until(lambda: seconds_since(holds[-1]["created_at"]) > 1)
    return [each["reference"] for each in holds]


def ends(account: Account, references: list[str]) -> list[str]:
    """The state of each, whose history must be that of one end at most."""
    for reference in references:
        assert [change["action"] for change in history(account, reference)] in (["create"], ["create", "release"])
    return [read(account, reference)["state"] for reference in references]


@pytest.mark.parametrize(
    ("place", "number", "code", "done"),
    [
        (READ, signal.SIGKILL, -signal.SIGKILL, 0),
        (WRITTEN, signal.SIGKILL, -signal.SIGKILL, 0),
        (COMMITTED, signal.SIGKILL, -signal.SIGKILL, BATCH),
        (COMMITTED, signal.SIGINT, 130, BATCH),
    ],
)
def test_release_that_is_broken_off_goes_on_where_it_was(
    account: Account, operator: Operator, place: str, number: signal.Signals, code: int, done: int
) -> None:
    holds = old_holds(account, HOLDS)
    with fuse() as its_fuse:
        its_fuse.lay(place, number, "ReleaseReservation")
        broken = operator.run(*RELEASE, module=LAUNCHER, env=its_fuse.environment)
        assert its_fuse.has_burnt
    assert broken.returncode == code, broken.stderr
    assert ends(account, holds).count("released") == done
    if number is signal.SIGINT:
        told = json.loads(broken.stdout)
        assert told["interrupted"] is True
        assert told["released"] <= done, "what it was not told, it does not claim"
    again = json.loads(operator.run(*RELEASE).stdout)
    assert (again["matched"], again["released"], again["interrupted"]) == (HOLDS - done, HOLDS - done, False)
    assert set(ends(account, holds)) == {"released"}
    assert stock_counts(account) == (0, 0, 100)


def test_two_operators_at_once_release_each_hold_once(account: Account, operator: Operator) -> None:
    holds = old_holds(account, 40)
    both = at_once([lambda: operator.run(*RELEASE), lambda: operator.run(*RELEASE)])
    assert [each.returncode for each in both] == [0, 0], [each.stderr for each in both]
    told = [json.loads(each.stdout) for each in both]
    assert sum(each["released"] for each in told) == len(holds)
    assert set(ends(account, holds)) == {"released"}
