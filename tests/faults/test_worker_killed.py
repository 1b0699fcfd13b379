"""Rows 12 and 13: `kill -9` of a worker in the middle of a sweep. The next one ends what is left, each hold once.

Delivery of messages to other systems comes later; what a worker publishes by now is positions of the outbox: killed
before or after their COMMIT, no message is missed, and none has two positions.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

import pytest

from tests.accounts import Account, new_account
from tests.api.reading import held, history, messages, read, stock_counts
from tests.conftest import MysqlServer
from tests.faults.conftest import ENVIRONMENT
from tests.faults.fuse import COMMITTED, SEQUENCE, WRITTEN
from tests.faults.fused import Fuse, fused_worker, wait_until_dead
from tests.make import act, put_stock, wait_until
from tests.races.databases import audit_now, mysql_database
from tests.running import RunningService, RunningWorker, start_service, start_worker

UNIT = [{"sku": "NW-001", "quantity": 1}]


class Stand(NamedTuple):
    """A server, and a worker that can be made to kill itself in a sweep."""

    service: RunningService
    worker: RunningWorker
    fuse: Fuse


@pytest.fixture(scope="module")
def stand(mysql_server: MysqlServer) -> Iterator[Stand]:
    with ExitStack() as stack:
        url = stack.enter_context(mysql_database(mysql_server))
        service = stack.enter_context(start_service(url, env=ENVIRONMENT))
        yield Stand(service, *stack.enter_context(fused_worker(url, ENVIRONMENT)))


@pytest.fixture
def account(stand: Stand) -> Iterator[Account]:
    with closing(new_account(stand.service.url, stand.service.database_url)) as account:
        yield account
    audit_now(stand.service.database_url)


@pytest.mark.parametrize("place", ["read", "written", "committed"])
def test_rows_12_and_13_worker_killed_in_a_sweep_ends_each_hold_once(
    stand: Stand, account: Account, place: str
) -> None:
    put_stock(account, on_hand=6)
    stand.fuse.lay(place, signal.SIGKILL, "ExpireReservation")
    made = [held(account, UNIT, hold_seconds=1)["reference"] for _ in range(6)]
    waits = waiting_for_all(account)
    wait_until_dead(stand.worker)
    stand.worker.start()
    wait_until(lambda: {read(account, reference)["state"] for reference in made} == {"expired"}, 30)
    for reference in made:
        changes = history(account, reference)
        assert [(change["version"], change["action"]) for change in changes] == [(1, "create"), (2, "expire")]
    wait_until(lambda: read(account, waits)["state"] == "held", 30)
    assert stock_counts(account) == (6, 0, 0)
    told = [(message["reference"], message["version"]) for message in messages(account) if message["reference"]]
    assert len(told) == len(set(told)) == 2 * len(made) + 2


@pytest.mark.parametrize("place", [WRITTEN, COMMITTED])
def test_row_12_worker_killed_while_it_publishes_leaves_each_message_one_position(
    stand: Stand, account: Account, place: str
) -> None:
    put_stock(account, on_hand=6)
    stand.fuse.lay(place, signal.SIGKILL, SEQUENCE)
    references = [held(account, UNIT)["reference"] for _ in range(6)]
    wait_until_dead(stand.worker)
    stand.worker.start()
    told = [message["reference"] for message in messages(account) if message["reference"]]
    assert told == references
    again = [message["reference"] for message in messages(account) if message["reference"]]
    assert again == told, "positions that were given stay"


def waiting_for_all(account: Account) -> str:
    """The reference of somebody who waits for all that the holds have."""
    response = account.http.post(
        "/v1/reservations",
        json={"lines": [{"sku": "NW-001", "quantity": 6}], "wait": True},
        headers={"Idempotency-Key": "waits"},
    )
    assert response.status_code == 202, response.text
    return response.json()["reference"]


def test_row_13_worker_killed_while_another_sweeps_too_leaves_nothing_undone(stand: Stand, account: Account) -> None:
    put_stock(account, on_hand=30)
    with start_worker(stand.service.database_url, env=ENVIRONMENT):
        made = [held(account, UNIT, hold_seconds=1)["reference"] for _ in range(30)]
        stand.fuse.lay("written", signal.SIGKILL, "ExpireReservation")
        wait_until(lambda: {read(account, reference)["state"] for reference in made} == {"expired"}, 30)
    # The other one may have been faster every time: then the fuse is still there, and burns now.
    if not stand.fuse.has_burnt:
        held(account, UNIT, hold_seconds=1)
    wait_until_dead(stand.worker)
    stand.worker.start()
    assert [len(history(account, reference)) for reference in made] == [2] * 30
    wait_until(lambda: stock_counts(account) == (0, 0, 30), 30)


def test_worker_told_to_end_finishes_its_round_and_leaves_with_0(stand: Stand, account: Account) -> None:
    put_stock(account, on_hand=10)
    with start_worker(stand.service.database_url, env=ENVIRONMENT) as worker:
        reference = held(account, UNIT)["reference"]
        assert act(account, reference, "release").status_code == 200
        assert worker.stop() == 0, worker.log()
