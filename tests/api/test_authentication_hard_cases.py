"""Keys in the database and keys that die at work: a secret is never stored, a revoked key leaves nothing half done."""

from concurrent.futures import ThreadPoolExecutor

import httpx
from sqlalchemy import Connection, MetaData, select, update
from sqlalchemy.ext.asyncio import create_async_engine

from tests.accounts import Account
from tests.api.contract import items, last_success_after, prefix_of, refused, rows
from tests.make import new_idempotency_key, put_stock, wait_until
from tests.running import RunningService

LINES = [{"sku": "NW-001", "quantity": 1}]


def stored_values(connection: Connection) -> list[bytes]:
    """Every value of every table, as bytes; of the long tables of seats and messages, a part."""
    tables = MetaData()
    tables.reflect(connection)
    values: list[bytes] = []
    for table in tables.sorted_tables:
        for row in connection.execute(select(table).limit(5000)):
            values.extend(value if isinstance(value, bytes) else str(value).encode() for value in row)
    return values


async def test_only_a_hash_of_the_secret_is_stored(account: Account, service: RunningService) -> None:
    key = account.new_key(name="box-office", scopes=["inventory:read"])
    _, prefix, secret = key.split("_", 2)
    with account.client(key) as client:
        items(client.get("/v1/me"))
    engine = create_async_engine(service.database_url)
    async with engine.connect() as connection:
        stored = await connection.run_sync(stored_values)
    await engine.dispose()
    assert any(prefix.encode() in value for value in stored), "the key was not found at all"
    assert not any(secret.encode() in value for value in stored), "the secret itself is in the database"


def give_scopes_of(connection: Connection, source: str, target: str) -> None:
    """Take scopes away from a key in force, as only who administers the database can: give it those of another key."""
    tables = MetaData()
    tables.reflect(connection)
    (keys,) = [table for table in tables.sorted_tables if "prefix" in table.c and "scopes" in table.c]
    rows_of = {
        row.prefix if isinstance(row.prefix, str) else row.prefix.decode(): row
        for row in connection.execute(select(keys))
    }
    statement = update(keys).where(keys.c.prefix == rows_of[target].prefix).values(scopes=rows_of[source].scopes)
    assert connection.execute(statement).rowcount == 1


async def test_scope_taken_away_works_for_at_most_two_more_seconds(account: Account, service: RunningService) -> None:
    put_stock(account)
    key = account.new_key(name="till", scopes=["reservations:read", "reservations:write"])
    fewer = account.new_key(name="reader", scopes=["reservations:read"])
    headers = {"Idempotency-Key": new_idempotency_key()}
    with account.client(key) as client:
        assert client.post("/v1/reservations", json={"lines": LINES}, headers=headers).status_code == 201
        engine = create_async_engine(service.database_url)
        async with engine.begin() as connection:
            await connection.run_sync(give_scopes_of, prefix_of(fewer), prefix_of(key))
        await engine.dispose()
        late = last_success_after(
            lambda: client.post("/v1/reservations", json={"lines": LINES}, headers=headers).status_code, 403
        )
        assert late <= 2.0
        response = client.post("/v1/reservations", json={"lines": LINES}, headers=headers)
        assert refused(response, "forbidden")["scope"] == "reservations:write"
        assert "Idempotent-Replayed" not in response.headers
        assert client.get("/v1/reservations").status_code == 200
    assert items(account.http.get("/v1/stock/NW-001"))["held"] == 1


def hold_until_refused(client: httpx.Client) -> list[httpx.Response]:
    """Answers to one hold after another, up to the first that the key is refused, or three hundred."""
    answers = []
    for _ in range(300):
        headers = {"Idempotency-Key": new_idempotency_key()}
        answers.append(client.post("/v1/reservations", json={"lines": LINES}, headers=headers))
        if answers[-1].status_code == 401:
            break
    return answers


def test_key_revoked_while_its_requests_wait_leaves_whole_holds_or_none(account: Account) -> None:
    """Each hold is answered 201 and kept, or 401 and nothing is: the revocation cuts none in two."""
    put_stock(account, on_hand=10_000)
    key = account.new_key(name="lost", scopes=["reservations:write"])
    with account.client(key) as client, ThreadPoolExecutor(8) as threads:
        callers = [threads.submit(hold_until_refused, client) for _ in range(8)]
        wait_until(lambda: items(account.http.get("/v1/stock/NW-001"))["held"] > 0)
        account.revoke(prefix_of(key))
        answers = [answer for caller in callers for answer in caller.result()]
        wait_until(lambda: client.get("/v1/me").status_code == 401)
    assert {answer.status_code for answer in answers} <= {201, 401}
    told = sorted(answer.json()["reference"] for answer in answers if answer.status_code == 201)
    kept = sorted(row["reference"] for row in rows(account.http, "/v1/reservations", "reservations", limit=500))
    assert kept == told
    assert items(account.http.get("/v1/stock/NW-001"))["held"] == len(told)
