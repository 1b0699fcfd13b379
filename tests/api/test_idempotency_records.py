"""`GET /v1/idempotency-records`: everything that an account knows of a key's text, whoever sent it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.accounts.queries import select_keys
from service.database.store import Store
from service.idempotency.records import KeyedRequest
from service.idempotency.scope import scope_hash
from service.reservations.command_engine import CommandEngine
from service.reservations.commands import CreateReservation, StockLine
from tests.accounts import Account, on_store
from tests.api.contract import items, refused, refused_as_invalid
from tests.api.foreign_locks import stock_locked
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until

Json = dict[str, Any]

PATH = "/v1/idempotency-records"
UNIT = [{"sku": "NW-001", "quantity": 1}]


@pytest.fixture
def stocked(account: Account) -> Account:
    put_stock(account, "NW-001", on_hand=100)
    return account


def found(account: Account, key: str, *principals: str) -> list[Json]:
    query = [("key", key), *(("principal", principal) for principal in principals)]
    answer = items(account.http.get(PATH, params=query))
    assert list(answer) == ["records"]
    records: list[Json] = answer["records"]
    return records


def test_key_that_nobody_sent_has_no_records(stocked: Account) -> None:
    assert found(stocked, new_idempotency_key()) == []


def test_key_is_found_in_every_operation_and_under_every_name(stocked: Account) -> None:
    key = new_idempotency_key()
    first = hold(stocked, UNIT, key=key)
    reference = first.json()["reference"]
    act(stocked, reference, "extend", {"hold_seconds": 900}, key=key)
    with_key = {"Idempotency-Key": key}
    stocked.http.put("/v1/stock/NW-009", json={"on_hand": 1, "amount": 1, "currency": "EUR"}, headers=with_key)
    other = stocked.new_key(name="phone")
    stocked.client(other).post("/v1/reservations", json={"lines": UNIT}, headers=with_key)
    records = found(stocked, key)
    assert [(record["principal"], record["method"], record["route"], record["status"]) for record in records] == [
        ("default", "POST", "/v1/reservations", 201),
        ("default", "POST", "/v1/reservations/{reference}/extend", 200),
        ("default", "PUT", "/v1/stock/{sku}", 201),
        ("phone", "POST", "/v1/reservations", 201),
    ]
    assert {record["state"] for record in records} == {"completed"}
    assert records[0]["location"] == first.headers["Location"]
    assert records[0]["expires_at"] == first.headers["Idempotency-Expires"]
    timeline = items(stocked.http.get(f"/v1/reservations/{reference}/timeline"))["entries"]
    assert [entry["keys"][0]["key_id"] for entry in timeline] == [record["key_id"] for record in records[:2]]


def test_key_is_found_in_either_spelling_and_no_other(stocked: Account) -> None:
    hold(stocked, UNIT, key="Spelled-1")
    assert len(found(stocked, "Spelled-1")) == len(found(stocked, '"Spelled-1"')) == 1
    assert found(stocked, "spelled-1") == []


def test_refusals_that_are_kept_are_found(stocked: Account) -> None:
    key = new_idempotency_key()
    hold(stocked, [{"sku": "NW-001", "quantity": 1000}], key=key)
    assert [(record["status"], record["location"]) for record in found(stocked, key)] == [(409, None)]


def test_key_of_a_name_that_was_revoked_is_found(stocked: Account) -> None:
    key, api_key = new_idempotency_key(), stocked.new_key(name="former")
    headers = {"Idempotency-Key": key}
    assert stocked.client(api_key).post("/v1/reservations", json={"lines": UNIT}, headers=headers).is_success

    async def prefix(store: Store) -> str:
        async with store.read() as reader:
            return next(one.prefix for one in await select_keys(reader, stocked.id) if one.name == "former")

    stocked.revoke(on_store(stocked.database_url, prefix))
    assert [record["principal"] for record in found(stocked, key)] == ["former"]


def test_others_are_found_where_they_are_named(stocked: Account) -> None:
    key = new_idempotency_key()
    for name in ("operator:ann", "operator:bob"):
        scope = scope_hash(stocked.id, name, "POST", "/v1/reservations", key)
        request = KeyedRequest(account_id=stocked.id, scope_hash=scope, fingerprint=bytes(96), keep_ms=60_000)
        command = CreateReservation(
            account_id=stocked.id, actor=name, key=request, lines=(StockLine(1, "NW-001", "default", 1),)
        )

        async def submit(store: Store, command: CreateReservation = command) -> None:
            engine = CommandEngine(store, store.settings)
            await engine.start()
            assert (await engine.submit(command)).status == 201
            await engine.drain()

        on_store(stocked.database_url, submit)
    assert found(stocked, key) == []
    assert [record["principal"] for record in found(stocked, key, "operator:ann")] == ["operator:ann"]
    both = found(stocked, key, "operator:bob", "operator:ann", "operator:zoe", "default")
    assert [record["principal"] for record in both] == ["operator:ann", "operator:bob"]


def test_request_that_is_running_is_in_progress(stocked: Account) -> None:
    key = new_idempotency_key()
    with ThreadPoolExecutor(1) as thread:
        with stock_locked(stocked):
            answer = thread.submit(hold, stocked, UNIT, key=key)
            wait_until(lambda: bool(found(stocked, key)))
            [running] = found(stocked, key)
        assert answer.result().status_code == 201
    assert (running["state"], running["status"], running["expires_at"]) == ("in_progress", None, None)
    assert [record["state"] for record in found(stocked, key)] == ["completed"]


def test_another_account_has_its_own(stocked: Account, other_account: Account) -> None:
    key = new_idempotency_key()
    hold(stocked, UNIT, key=key)
    assert found(other_account, key) == []


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({}, "key"),
        ({"key": "a", "method": "POST"}, "method"),
        ({"key": "a", "principal": ""}, "principal"),
        ({"key": "a", "principal": "a\nb"}, "principal"),
        ({"key": "a", "principal": "n" * 301}, "principal"),
        ({"key": "a", "principal": [f"operator:{number}" for number in range(21)]}, "principal"),
        ({"key": ["a", "b"]}, "key"),
        ({"key": "a", "limit": "1"}, "limit"),
    ],
)
def test_bad_query_is_invalid_and_named(account: Account, query: dict[str, Any], named: str) -> None:
    refused_as_invalid(account.http.get(PATH, params=query), named)


@pytest.mark.parametrize("key", ["", "two words", "ä", "k" * 256, '"open'])
def test_text_that_is_no_key_is_refused_as_such(account: Account, key: str) -> None:
    refused(account.http.get(PATH, params={"key": key}), "idempotency-key-invalid")


def test_looking_needs_the_scope_of_operators(stocked: Account) -> None:
    scopes = ["reservations:read", "reservations:write", "inventory:read"]
    client = stocked.client(stocked.new_key(name="clerk", scopes=scopes))
    assert refused(client.get(PATH, params={"key": "a"}), "forbidden")["scope"] == "ops"
