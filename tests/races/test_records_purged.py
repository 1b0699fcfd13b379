"""Old idempotency records are purged while their requests are sent again (reliability.md, row 17)."""

from threading import Event, Thread

from service.clock import now_ms
from service.database.store import Store
from service.ids import new_id
from service.reservations.sweep import purge_records
from tests.accounts import Account, on_store
from tests.api.contract import refused
from tests.api.reading import references, stock_counts
from tests.make import hold, new_idempotency_key, put_stock
from tests.races.crowd import crowd

UNIT = [{"sku": "NW-001", "quantity": 1}]
CALLERS = 40


def age_records(account: Account) -> None:
    """As if the time that records are kept had passed."""

    async def age(store: Store) -> None:
        async with store.begin(new_id()) as transaction:
            sql = "UPDATE idempotency_records SET expires_at = ? WHERE account_id = ?"
            await transaction.change(sql, (now_ms() - 1000, account.id))

    on_store(account.database_url, age)


def purge_until(over: Event, account: Account, purged: list[int]) -> None:
    async def purge(store: Store) -> None:
        while not over.is_set():
            purged.append(await purge_records(store))

    on_store(account.database_url, purge)


def test_retries_against_the_purge_replay_or_meet_the_natural_key(callers: list[Account]) -> None:
    put_stock(callers[0], on_hand=1000)
    keys = [new_idempotency_key() for _ in range(CALLERS)]

    def send(caller: Account, number: int) -> object:
        return hold(caller, UNIT, key=keys[number], external_reference=f"order-{number}")

    first = crowd(callers, CALLERS, send)
    assert {answer.status_code for answer in first} == {201}
    age_records(callers[0])
    over, purged = Event(), list[int]()
    purge = Thread(target=purge_until, args=(over, callers[0], purged))
    purge.start()
    again = crowd(callers, CALLERS, send)
    over.set()
    purge.join()
    assert sum(purged) >= CALLERS
    for before, answer in zip(first, again, strict=True):
        if answer.status_code == 201:
            assert answer.content == before.content
            assert answer.headers["Idempotent-Replayed"] == "true"
        else:
            problem = refused(answer, "external-reference-exists")
            assert problem["reference"] == before.json()["reference"]
    assert len(references(callers[0], limit=500)) == CALLERS
    assert stock_counts(callers[0]) == (CALLERS, 0, 1000 - CALLERS)
