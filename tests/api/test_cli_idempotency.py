"""`holdfast idempotency purge` deletes what is past its time and nothing else, asks first, and may be repeated."""

import json

import pytest

from service.database.store import Store
from service.database.transaction import Transaction
from service.database.transactional import transactional
from service.idempotency.records import COLUMNS
from service.ids import new_id
from tests.accounts import on_store
from tests.conftest import NewStore
from tests.races.databases import StoreName
from tests.running import run_cli

PAST, KEPT = 1_203, 3
"""More than two parts of a purge."""


@transactional
async def insert_records(transaction: Transaction) -> None:
    now = await transaction.now_ms()
    account_id = new_id()
    columns = ("id", "name", "created_at", "hold_seconds", "hold_seconds_max")
    await transaction.insert("accounts", columns, [(account_id, b"purged", now, 600, 3600)])
    rows = [
        (new_id(), account_id, place.to_bytes(32), 1, bytes(96), 1, 2 if place < PAST else now + 3_600_000, 204)
        for place in range(PAST + KEPT)
    ]
    await transaction.insert("idempotency_records", (*COLUMNS[:8], "body"), [(*row, b"{}") for row in rows])


async def count_records(store: Store) -> int:
    async with store.read() as reader:
        return int((await reader.rows("SELECT COUNT(*) FROM idempotency_records"))[0][0])


@pytest.mark.parametrize("store", ["sqlite", "mysql"])
def test_only_records_past_their_time_are_purged_and_nobody_is_taken_by_surprise(
    new_store: NewStore, store: StoreName
) -> None:
    url = new_store(store)
    on_store(url, insert_records)

    def purge(*options: str, code: int = 0) -> str:
        done = run_cli("idempotency", "purge", *options, database_url=url)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    assert json.loads(purge("--dry-run", "--json")) == {"due": PAST, "purged": 0, "dry_run": True}
    assert "Delete 1,203 records that are past their time? Nobody can be asked here: say --yes" in purge(code=2)
    assert "say --yes" in purge("--json", code=2)
    assert on_store(url, count_records) == PAST + KEPT
    assert json.loads(purge("--yes", "--json")) == {"due": PAST, "purged": PAST, "dry_run": False}
    assert on_store(url, count_records) == KEPT
    assert purge() == "No record is past its time.\n"


def test_purge_has_no_reason_to_give() -> None:
    done = run_cli("idempotency", "purge", "--reason", "disk", env={"COLUMNS": "200"})
    assert (done.returncode, "No such option" in done.stderr) == (2, True)
