"""The plain implementation that the benchmark compares with does what the service does, only one request at a time.

Both run on one database; each story is told to both, and their answers are compared.
"""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.accounts import Account, new_account
from tests.make import SEATS, act, hold, new_idempotency_key, put_event, put_stock
from tests.races.databases import database
from tests.races.launched import launch_service
from tests.running import audit, start_service
from tests.servers import MysqlServer

CALLERS = 30
REFERENCE = re.compile(r"\b[0-9A-Z]{5}-[0-9A-Z]{5}\b")
CHANGES = {
    "reference", "hold_expires_at", "hold_remaining_s", "created_at", "confirmed_at", "ended_at", "instance",
    "released_at",
}  # fmt: skip


@pytest.fixture(scope="module")
def accounts(mysql_server: MysqlServer) -> Iterator[tuple[Account, Account]]:
    """An account of the real service, and one of the plain implementation on the same database; audited at the end."""
    with ExitStack() as at_end:
        url = at_end.enter_context(database("mysql", mysql_server))
        service = at_end.enter_context(start_service(url))
        plain = at_end.enter_context(launch_service("loadtests.plain", url))
        pair = []
        for server in (service, plain):
            # Inventory is put by the service: the plain implementation has no commands for it.
            account = at_end.enter_context(closing(new_account(service.url, url)))
            put_event(account)
            put_stock(account, on_hand=10)
            put_stock(account, "LAST", on_hand=7)
            pair.append(account.at(server.url))
        yield pair[0], pair[1]
        audit(url)


def shape(response: httpx.Response) -> tuple[object, ...]:
    """Status, headers that clients read, and the body without what differs from one reservation to the next."""

    def known(value: object) -> object:
        if isinstance(value, dict):
            return {name: "…" if name in CHANGES and value[name] is not None else known(value[name]) for name in value}
        if isinstance(value, str):
            return REFERENCE.sub("…", value)
        return [known(each) for each in value] if isinstance(value, list) else value

    headers = {
        name: response.headers.get(name) for name in ("content-type", "etag", "idempotent-replayed", "retry-after")
    }
    headers["location"] = str("location" in response.headers)
    headers["expires"] = str("idempotency-expires" in response.headers)
    return response.status_code, headers, known(response.json())


def seat(label: str) -> dict[str, object]:
    return {"event": "final", "seats": [label]}


def units(quantity: int, sku: str = "NW-001", location: str = "default") -> dict[str, object]:
    return {"sku": sku, "location": location, "quantity": quantity}


HOLDS = {
    "a free seat": {"lines": [seat(SEATS[0])], "customer": "c-77", "metadata": {"channel": "app"}},
    "a seat that is taken": {"lines": [seat(SEATS[0])]},
    "a seat for a time of its own": {"lines": [seat(SEATS[1])], "hold_seconds": 90, "external_reference": "order-1"},
    "a seat for too long": {"lines": [seat(SEATS[2])], "hold_seconds": 80_000},
    "an external reference again": {"lines": [seat(SEATS[3])], "external_reference": "order-1"},
    "no such seat": {"lines": [seat("101-Z-1")]},
    "no such event": {"lines": [{"event": "none", "seats": ["101-A-1"]}]},
    "units of stock": {"lines": [units(3)]},
    "more units than there are": {"lines": [units(8)]},
    "no such SKU": {"lines": [units(1, sku="none")]},
    "no such location": {"lines": [units(1, location="nowhere")]},
    "no line": {"lines": []},
}


def test_holds_are_answered_alike(accounts: tuple[Account, Account]) -> None:
    for what, body in HOLDS.items():
        key = new_idempotency_key()
        first, plain = (hold(account, key=key, **body) for account in accounts)
        assert shape(plain) == shape(first), what
        again, replayed = (hold(account, key=key, **body) for account in accounts)
        assert shape(replayed) == shape(again), what
        if replayed.headers.get("Idempotent-Replayed") == "true":
            assert replayed.content == plain.content, what
        else:
            assert plain.status_code in {400, 404}, what


@pytest.mark.parametrize("line", [seat(SEATS[10]), units(1)], ids=["seat", "stock"])
def test_actions_are_answered_alike(accounts: tuple[Account, Account], line: dict[str, object]) -> None:
    stories = [["confirm", "confirm", "release"], ["release", "release", "confirm"]]
    if "seats" in line:
        stories.reverse()  # a seat given back is free for the next story
    for story in stories:
        references = [hold(account, [line]).json()["reference"] for account in accounts]
        for action in story:
            key = new_idempotency_key()
            told = [
                act(account, reference, action, key=key)
                for account, reference in zip(accounts, references, strict=True)
            ]
            assert shape(told[1]) == shape(told[0]), (action, story)
            again = act(accounts[1], references[1], action, key=key)
            assert again.content == told[1].content
            assert again.headers["Idempotent-Replayed"] == "true"
            unkeyed = [
                act(account, reference, action, if_match='"1"')
                for account, reference in zip(accounts, references, strict=True)
            ]
            assert shape(unkeyed[1]) == shape(unkeyed[0]), ("if-match", action, story)


def test_a_key_with_another_body_is_refused(accounts: tuple[Account, Account]) -> None:
    key = new_idempotency_key()
    for account in accounts:
        assert hold(account, [seat(SEATS[15])], key=key).status_code == httpx.codes.CREATED
    refused = [hold(account, [seat(SEATS[16])], key=key) for account in accounts]
    assert shape(refused[1]) == shape(refused[0])
    assert refused[1].json()["type"] == "/problems/idempotency-key-reused"


def at_once(account: Account, keys: list[str], line: dict[str, object]) -> list[httpx.Response]:
    """One hold a key, all sent at the same moment."""
    together = threading.Barrier(len(keys))

    def ask(key: str) -> httpx.Response:
        together.wait()
        return hold(account, [line], key=key)

    with ThreadPoolExecutor(len(keys)) as threads:
        return list(threads.map(ask, keys))


@pytest.mark.parametrize(
    ("line", "units_there"), [(seat(SEATS[20]), 1), (units(1, sku="LAST"), 7)], ids=["one seat", "seven units"]
)
def test_thirty_callers_get_no_more_than_there_is(
    accounts: tuple[Account, Account], line: dict[str, object], units_there: int
) -> None:
    told = at_once(accounts[1], [new_idempotency_key() for _ in range(CALLERS)], line)
    statuses = [response.status_code for response in told]
    assert statuses.count(201) == units_there, statuses
    assert statuses.count(409) == CALLERS - units_there, statuses


def test_thirty_senders_of_one_key_get_one_answer(accounts: tuple[Account, Account]) -> None:
    told = at_once(accounts[1], [new_idempotency_key()] * CALLERS, seat(SEATS[21]))
    assert {response.status_code for response in told} == {201}
    assert len({response.content for response in told}) == 1
    assert [response.headers["Idempotent-Replayed"] for response in told].count("false") == 1


def test_what_it_does_not_do_it_says(accounts: tuple[Account, Account]) -> None:
    response = hold(accounts[1], [seat(SEATS[22]), seat(SEATS[23])])
    assert response.status_code == httpx.codes.BAD_REQUEST
    assert "plain implementation" in response.text
