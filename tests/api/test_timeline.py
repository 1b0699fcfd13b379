"""The timeline of a reservation: what happened, which message tells of it, and which key asked for it."""

from typing import Any

import pytest

from service.database.store import Store
from service.idempotency.scope import scope_hash
from service.idempotency.search import FIRST_PART, key_id
from service.ids import new_id
from service.reservations.timeline import select_timeline
from tests.accounts import Account, on_store
from tests.api.contract import items, pages, refused, refused_as_invalid
from tests.api.reading import done, expired, held, history, messages, read, unused_reference
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until

Json = dict[str, Any]

CREATE = "/v1/reservations"
UNIT = [{"sku": "NW-001", "quantity": 1}]
PAIR = [{"sku": "NW-001", "quantity": 1}, {"sku": "NW-002", "quantity": 1}]


def timeline(account: Account, reference: str, **query: str | int) -> Json:
    return items(account.http.get(f"/v1/reservations/{reference}/timeline", params=query))


def named(account: Account, method: str, route: str, key: str, principal: str = "default") -> str:
    return key_id(scope_hash(account.id, principal, method, route, key))


@pytest.fixture
def stocked(account: Account) -> Account:
    put_stock(account, "NW-001", on_hand=100)
    put_stock(account, "NW-002", on_hand=100)
    return account


def test_timeline_tells_each_change_with_its_message_and_its_key(stocked: Account) -> None:
    made, asked = new_idempotency_key(), new_idempotency_key()
    reference = hold(stocked, PAIR, key=made).json()["reference"]
    done(stocked, reference, "extend", {"hold_seconds": 900, "reason": "still typing"})
    act(stocked, reference, "release", {"lines": [1]}, key=asked)
    done(stocked, reference, "confirm")
    told = timeline(stocked, reference)
    assert list(told) == ["reservation", "entries", "next_cursor"]
    assert told["next_cursor"] is None
    entries = told["entries"]
    shared = ("version", "from", "to", "action", "actor", "at", "reason")
    assert [{name: entry[name] for name in shared} for entry in entries] == [
        {name: change[name] for name in shared} for change in history(stocked, reference)
    ]
    assert [[key["key_id"] for key in entry["keys"]] for entry in entries] == [
        [named(stocked, "POST", CREATE, made)],
        [],
        [named(stocked, "POST", f"{CREATE}/{{reference}}/release", asked)],
        [],
    ]
    assert [key["status"] for entry in entries for key in entry["keys"]] == [201, 200]
    assert all(key["first_seen_at"] < key["expires_at"] for entry in entries for key in entry["keys"])


def test_timeline_begins_with_the_reservation_as_it_is_now(stocked: Account) -> None:
    reference = held(stocked, UNIT)["reference"]
    done(stocked, reference, "confirm")
    assert timeline(stocked, reference.lower())["reservation"] == read(stocked, reference)


def test_messages_are_those_of_the_account_and_are_sequenced_soon(stocked: Account) -> None:
    reference = held(stocked, UNIT, hold_seconds=1)["reference"]
    expired(stocked, reference)
    ids = [message["id"] for message in messages(stocked) if message["reference"] == reference]
    entries = timeline(stocked, reference)["entries"]
    assert [entry["message"]["id"] for entry in entries] == ids
    assert [entry["message"]["type"] for entry in entries] == ["reservation.held", "reservation.expired"]
    wait_until(lambda: all(entry["message"]["sequenced"] for entry in timeline(stocked, reference)["entries"]))
    assert [len(entry["keys"]) for entry in entries] == [1, 0]


def test_answers_that_changed_nothing_are_no_part_of_it(stocked: Account) -> None:
    reference = held(stocked, UNIT)["reference"]
    act(stocked, reference, "confirm", key=new_idempotency_key())
    act(stocked, reference, "confirm", key=new_idempotency_key())
    act(stocked, reference, "release", key=new_idempotency_key())
    assert [len(entry["keys"]) for entry in timeline(stocked, reference)["entries"]] == [1, 1]


def test_pages_are_the_whole_timeline_cut_in_pieces(stocked: Account) -> None:
    reference = held(stocked, UNIT)["reference"]
    for seconds in range(1000, 1005):
        act(stocked, reference, "extend", {"hold_seconds": seconds}, key=new_idempotency_key())
    whole = timeline(stocked, reference)["entries"]
    assert [entry["version"] for entry in whole] == [1, 2, 3, 4, 5, 6]
    for limit in (1, 4, 6):
        path = f"/v1/reservations/{reference}/timeline"
        cut = list(pages(stocked.http, path, "entries", limit=limit))
        assert [entry for page in cut for entry in page] == whole
        assert all(0 < len(page) <= limit for page in cut)


def test_page_ends_early_where_looking_for_keys_has_cost_enough(stocked: Account) -> None:
    reference = held(stocked, UNIT)["reference"]
    for seconds in range(1000, 1004):
        act(stocked, reference, "extend", {"hold_seconds": seconds}, key=new_idempotency_key())
    whole = timeline(stocked, reference)["entries"]

    async def look(store: Store) -> list[list[int]]:
        async with store.snapshot() as reader:
            sql = "SELECT id FROM reservations WHERE account_id = ? AND reference = ?"
            found = await reader.rows(sql, (stocked.id, reference.replace("-", "").encode()))
            cut: list[list[int]] = []
            more, after = True, 0
            while more:
                entries, more = await select_timeline(reader, stocked.id, bytes(found[0][0]), after, 100, FIRST_PART)
                cut.append([len(entry.keys) for entry in entries])
                after = entries[-1].version
            return cut

    cut = on_store(stocked.database_url, look)
    assert [count for page in cut for count in page] == [len(entry["keys"]) for entry in whole]
    assert len(cut) > 1
    assert all(cut)


def test_record_is_found_behind_many_others_of_the_same_moment(stocked: Account) -> None:
    reference = held(stocked, UNIT)["reference"]
    found = timeline(stocked, reference)["entries"][0]["keys"]

    async def crowd(store: Store) -> None:
        """Put so many records between the batch and its record that the first part does not reach it."""
        async with store.begin(new_id()) as transaction:
            sql = "SELECT message_batch_id FROM idempotency_records WHERE account_id = ?"
            batch = bytes((await transaction.rows(sql, (stocked.id,)))[0][0])
            columns = (
                *("id", "account_id", "scope_hash", "fingerprint_version", "fingerprint"),
                *("first_seen_at", "expires_at", "status", "body"),
            )
            behind = int.from_bytes(batch) + 1
            rows = [
                (
                    *((behind + place).to_bytes(16), stocked.id, stocked.id + (behind + place).to_bytes(16), 1),
                    *(bytes(96), 0, 0, 200, b"{}"),
                )
                for place in range(3 * FIRST_PART)
            ]
            await transaction.insert("idempotency_records", columns, rows)

    async def disperse(store: Store) -> None:
        """Records of nobody would be an offence to the auditor."""
        async with store.begin(new_id()) as transaction:
            await transaction.change(
                "DELETE FROM idempotency_records WHERE account_id = ? AND expires_at = 0", (stocked.id,)
            )

    on_store(stocked.database_url, crowd)
    crowded = timeline(stocked, reference)["entries"][0]["keys"]
    on_store(stocked.database_url, disperse)
    assert crowded == found


def test_purged_records_are_gone(stocked: Account) -> None:
    reference = held(stocked, UNIT)["reference"]

    async def purge(store: Store) -> None:
        async with store.begin(new_id()) as transaction:
            await transaction.change("DELETE FROM idempotency_records WHERE account_id = ?", (stocked.id,))

    on_store(stocked.database_url, purge)
    assert [entry["keys"] for entry in timeline(stocked, reference)["entries"]] == [[]]


def test_bad_requests_are_refused(stocked: Account, other_account: Account) -> None:
    reference = held(stocked, UNIT)["reference"]
    path = f"/v1/reservations/{reference}/timeline"
    for query, name in (
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "all"}, "limit"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "next"}, "cursor"),
        ({"after": "1"}, "after"),
    ):
        refused_as_invalid(stocked.http.get(path, params=query), name)
    refused_as_invalid(stocked.http.get("/v1/reservations/nonsense/timeline"), "reference")
    unknown = refused(stocked.http.get(f"/v1/reservations/{unused_reference()}/timeline"), "not-found")
    assert unknown["kind"] == "reservation"
    refused(other_account.http.get(path), "not-found")
    key = stocked.new_key(name="reader", scopes=["reservations:read"])
    assert refused(stocked.client(key).get(path), "forbidden")["scope"] == "ops"
