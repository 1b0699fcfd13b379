"""`GET /v1/hot-rows`: what processes tell of the rows that they fight for, by name, for as long as it is true.

That two real processes tell of one row is in tests/races/test_hot_row.py.
"""

from typing import Any

import pytest

from service.database.store import Store
from service.engine.hot_row_report import KEPT_MS, SHOWN_MS, HotRowReport, purge_hot_rows, replace_hot_rows
from service.engine.hot_rows import HotRows
from service.engine.row_locks import RowLocks
from service.ids import new_id
from tests.accounts import Account, on_store
from tests.api.contract import RFC3339_MILLISECONDS, items, refused, refused_as_invalid
from tests.api.reading import held
from tests.make import put_event, put_stock

Json = dict[str, Any]

PATH = "/v1/hot-rows"
TABLES = {"seats": 5, "event_categories": 4, "stock_items": 6, "reservations": 3}


def hot_rows(account: Account) -> list[Json]:
    answer = items(account.http.get(PATH))
    assert list(answer) == ["hot_rows", "as_of"]
    found: list[Json] = answer["hot_rows"]
    return found


@pytest.fixture
def reference(account: Account) -> str:
    """Of the account's one reservation; there is one row of each kind."""
    put_event(account, seats=["101-A-1"])
    put_stock(account)
    return str(held(account, [{"sku": "NW-001", "quantity": 1}])["reference"])


async def fight(store: Store, account_id: bytes) -> tuple[HotRows, RowLocks]:
    """A process that lost a race for one row of each kind, so often as TABLES says, and for one that is not there."""
    rows = HotRows(threshold=2)
    async with store.read() as reader:
        for table, conflicts in TABLES.items():
            found = await reader.rows(f"SELECT id FROM {table} WHERE account_id = ?", (account_id,))
            for _ in range(conflicts):
                rows.note([(table, bytes(found[0][0])), ("seats", account_id)], ["lane"])
    locks = RowLocks("", 100)
    async with locks.hold(frozenset(rows.among(["lane"]))) as asked:
        assert len(asked) == len(TABLES) + 1
    return rows, locks


def test_what_a_process_fights_for_is_told_by_its_names_until_it_ends(
    account: Account, other_account: Account, reference: str
) -> None:
    seen: list[list[Json]] = []

    async def tell(store: Store) -> None:
        report = HotRowReport(store, *await fight(store, account.id))
        report.start()
        try:
            await report.tell()
            seen.extend([hot_rows(account), hot_rows(other_account)])
        finally:
            await report.stop()

    on_store(account.database_url, tell)
    own, others = seen
    assert others == []
    assert hot_rows(account) == []
    names = ("event", "seat", "category", "sku", "location", "reference")
    assert [(row["kind"], *(row[name] for name in names)) for row in own] == [
        ("stock", None, None, None, "NW-001", "default", None),
        ("seat", "final", "101-A-1", None, None, None, None),
        ("category", "final", None, "1", None, None, None),
        ("reservation", None, None, None, None, None, reference),
    ]
    assert {(row["locks"], row["lock_timeouts"], row["lock_wait_ms"]) for row in own} == {(1, 0, 0)}
    assert all(RFC3339_MILLISECONDS.fullmatch(row["seen_at"]) for row in own)
    assert len({row["process"] for row in own}) == 1


def test_what_dead_processes_told_is_not_shown_and_then_purged(account: Account, reference: str) -> None:
    assert reference

    async def age(store: Store, ages_ms: dict[str, int]) -> None:
        async with store.read() as reader:
            found = await reader.rows("SELECT id FROM stock_items WHERE account_id = ?", (account.id,))
        for process, age_ms in ages_ms.items():
            row = (process.encode(), b"stock_items", bytes(found[0][0]), 4.0, 1, 0, 0, 0)
            await replace_hot_rows(store, process.encode(), [row])
            async with store.begin(new_id()) as transaction:
                sql = "UPDATE hot_rows SET seen_at = seen_at - ? WHERE process = ?"
                await transaction.change(sql, (age_ms, process.encode()))

    async def left(store: Store) -> list[str]:
        while await purge_hot_rows(store):
            continue
        async with store.read() as reader:
            rows = await reader.rows(
                "SELECT h.process FROM hot_rows h JOIN stock_items s ON s.id = h.row_id "
                "WHERE s.account_id = ? ORDER BY h.process",
                (account.id,),
            )
            return [row[0].decode() for row in rows]

    name = account.name
    ages = {f"{name}:1": 0, f"{name}:2": SHOWN_MS + 1, f"{name}:3": KEPT_MS + 1}
    on_store(account.database_url, lambda store: age(store, ages))
    assert [row["process"] for row in hot_rows(account)] == [f"{name}:1"]
    assert on_store(account.database_url, left) == [f"{name}:1", f"{name}:2"]


def test_bad_requests_are_refused(account: Account) -> None:
    for name in ("limit", "cursor", "kind"):
        refused_as_invalid(account.http.get(PATH, params={name: "1"}), name)
    client = account.client(account.new_key(name="clerk", scopes=["inventory:read", "reservations:read"]))
    assert refused(client.get(PATH), "forbidden")["scope"] == "ops"
    refused(account.http.post(PATH), "method-not-allowed")
