"""Row 16: a new version is deployed between try and retry, which makes fingerprints of requests in another way.

Both versions run for a while. A key that the one has answered is replayed by the other, and is no reused key to it;
what it stores itself it compares with its own. Deploys under load are the soak's, on each store.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.accounts import Account, new_account
from tests.api.contract import refused
from tests.api.reading import history, references, stock_counts
from tests.faults.conftest import ENVIRONMENT
from tests.faults.other_version import VERSION
from tests.make import act, hold, new_idempotency_key, put_stock
from tests.races.databases import audit_now
from tests.races.launched import launch_service
from tests.running import RunningService, start_service

LAUNCHER = "tests.faults.other_version"
UNIT = [{"sku": "NW-001", "quantity": 1}]
TWO_UNITS = [{"sku": "NW-001", "quantity": 2}]
OTHER = ENVIRONMENT | {VERSION: "2"}


@pytest.fixture(scope="module")
def versions(fresh_database: str) -> Iterator[dict[str, RunningService]]:
    """A server of today's version and one of another. On SQLite both, too, as while the one takes over."""
    with ExitStack() as stack:
        today = stack.enter_context(start_service(fresh_database, env=ENVIRONMENT))
        other = stack.enter_context(launch_service(LAUNCHER, fresh_database, OTHER))
        yield {"today": today, "other": other}


@pytest.fixture
def callers(versions: dict[str, RunningService]) -> Iterator[dict[str, Account]]:
    today, other = versions["today"], versions["other"]
    with closing(new_account(today.url, today.database_url)) as account:
        yield {"today": account, "other": account.at(other.url)}
    audit_now(today.database_url)


@pytest.mark.parametrize(("first", "then"), [("today", "other"), ("other", "today")])
def test_row_16_answer_of_one_version_is_replayed_by_the_other(
    callers: dict[str, Account], first: str, then: str
) -> None:
    put_stock(callers["today"], on_hand=10)
    key, confirm_key = new_idempotency_key(), new_idempotency_key()
    told = hold(callers[first], UNIT, key=key)
    again = hold(callers[then], UNIT, key=key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true"), again.text
    assert again.content == told.content
    reference = told.json()["reference"]
    confirmed = act(callers[first], reference, "confirm", key=confirm_key)
    assert act(callers[then], reference, "confirm", key=confirm_key).content == confirmed.content
    assert [change["action"] for change in history(callers["today"], reference)] == ["create", "confirm"]
    assert references(callers["today"]) == [reference]
    assert stock_counts(callers["today"]) == (0, 1, 9)


@pytest.mark.parametrize("version", ["today", "other"])
def test_row_16_version_knows_a_reused_key_of_its_own(callers: dict[str, Account], version: str) -> None:
    put_stock(callers["today"], on_hand=10)
    key = new_idempotency_key()
    assert hold(callers[version], UNIT, key=key).status_code == 201
    problem = refused(hold(callers[version], TWO_UNITS, key=key), "idempotency-key-reused")
    assert problem["mismatch"] == ["body"]
    assert stock_counts(callers["today"]) == (1, 0, 9)
