"""Row 8: the connection to the database dies during COMMIT, in every way there is. One effect, a true answer.

Whoever lost the connection cannot know what became of the transaction; its marker tells (engine.md, ambiguous commit).
"""

from typing import NamedTuple

import pytest

from service.demo.tcp_proxy import COMMIT, Fault, Order, TcpProxy
from tests.accounts import Account
from tests.api.contract import refused
from tests.api.reading import messages, read, references, stock_counts
from tests.faults.conftest import CutOff
from tests.faults.patient import Customers
from tests.make import act, hold, new_idempotency_key, put_event, put_stock, wait_until
from tests.races.metrics import counted

UNIT = [{"sku": "NW-001", "quantity": 1}]


class Way(NamedTuple):
    """Where the connection is cut, and what has become of the transaction then."""

    fault: Fault
    outcome: str
    request_bytes: int = 0
    answer_bytes: int = 0

    def order(self, proxy: TcpProxy) -> Order:
        return proxy.cut_at(COMMIT, self.fault, pattern_bytes=self.request_bytes, answer_bytes=self.answer_bytes)


WAYS = {
    "request-swallowed": Way(Fault.CUT_BEFORE, "rolled_back"),
    "request-cut-in-its-middle": Way(Fault.CUT_BEFORE, "rolled_back", request_bytes=4),
    "answer-swallowed": Way(Fault.CUT_AFTER, "committed"),
    "answer-cut-in-its-head": Way(Fault.CUT_AFTER, "committed", answer_bytes=3),
    "answer-cut-before-its-last-byte": Way(Fault.CUT_AFTER, "committed", answer_bytes=10),
    "request-swallowed-and-the-old-session-lingers": Way(Fault.CUT_CLIENT, "rolled_back"),
}


def ambiguous(cut_off: CutOff, outcome: str) -> float:
    return counted(cut_off.service, "holdfast_commits_ambiguous_total", outcome=outcome)


@pytest.mark.parametrize("way", WAYS)
def test_row_08_create_whose_commit_is_cut_has_one_effect(cut_off: CutOff, customer: Account, way: str) -> None:
    outcome = WAYS[way].outcome
    put_stock(customer, on_hand=10)
    before = ambiguous(cut_off, outcome)
    cut = WAYS[way].order(cut_off.proxy)
    key = new_idempotency_key()
    answer = hold(customer, UNIT, key=key)
    cut.wait_until_done()
    assert answer.status_code == 201, answer.text
    assert answer.headers["Idempotent-Replayed"] == "false"
    assert ambiguous(cut_off, outcome) == before + 1
    again = hold(customer, UNIT, key=key)
    assert again.content == answer.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert references(customer) == [answer.json()["reference"]]
    assert stock_counts(customer) == (1, 0, 9)
    assert [message["type"] for message in messages(customer)].count("reservation.held") == 1


@pytest.mark.parametrize("way", WAYS)
def test_row_08_action_whose_commit_is_cut_is_one_version(cut_off: CutOff, customer: Account, way: str) -> None:
    put_stock(customer, on_hand=10)
    reference = hold(customer, UNIT).json()["reference"]
    cut = WAYS[way].order(cut_off.proxy)
    answer = act(customer, reference, "confirm")
    cut.wait_until_done()
    assert answer.status_code == 200, answer.text
    assert read(customer, reference)["version"] == answer.json()["version"] == 2
    assert stock_counts(customer) == (0, 1, 9)


@pytest.mark.parametrize("way", WAYS)
def test_row_08_plain_use_case_whose_commit_is_cut_has_one_effect(cut_off: CutOff, customer: Account, way: str) -> None:
    put_event(customer, seats=["101-A-1"])
    body = {"seats": [{"section": "101", "row": "A", "number": "2", "category": "1"}]}
    key = {"Idempotency-Key": new_idempotency_key()}
    cut = WAYS[way].order(cut_off.proxy)
    answer = customer.http.put("/v1/events/final/seats", json=body, headers=key)
    cut.wait_until_done()
    assert answer.status_code == 200, answer.text
    again = customer.http.put("/v1/events/final/seats", json=body, headers=key)
    assert again.content == answer.content
    seats = customer.http.get("/v1/events/final/seats").json()["seats"]
    assert [seat["seat"] for seat in seats] == ["101-A-1", "101-A-2"]


@pytest.mark.parametrize("way", WAYS)
def test_row_08_commits_cut_under_load_lose_and_double_nothing(cut_off: CutOff, customer: Account, way: str) -> None:
    with Customers([customer]) as customers:
        customers.wait_for(10)
        # A lingering session is waited for until its lock is broken: fewer of them.
        for _ in range(2 if WAYS[way].fault is Fault.CUT_CLIENT else 4):
            WAYS[way].order(cut_off.proxy).wait_until_done(30)
            customers.wait_for(6)
    customers.settle()


def test_row_08_commit_whose_fate_nobody_can_tell_is_503_and_the_same_key_finds_out(
    cut_off: CutOff, customer: Account
) -> None:
    put_stock(customer, on_hand=10)
    key = new_idempotency_key()
    before = ambiguous(cut_off, "unknown")
    cut = cut_off.proxy.cut_at(COMMIT, Fault.CUT_AFTER)
    # From here on no connection can be had: nobody can be asked what became of the transaction.
    cut_off.proxy.refuse()
    answer = hold(customer, UNIT, key=key)
    cut.wait_until_done()
    problem = refused(answer, "store-unavailable")
    assert problem["retry_with"] == "same_key"
    assert int(answer.headers["Retry-After"]) >= 1
    wait_until(lambda: ambiguous(cut_off, "unknown") == before + 1, 30)
    cut_off.proxy.heal()
    # Other pooled connections may be dead, too; no restart is needed for any of it.
    answers = [hold(customer, UNIT, key=key)]
    wait_until(lambda: answers[-1].status_code == 201 or answers.append(hold(customer, UNIT, key=key)), 30)
    assert answers[-1].headers["Idempotent-Replayed"] == "true"
    assert len(references(customer)) == 1
    assert stock_counts(customer) == (1, 0, 9)
