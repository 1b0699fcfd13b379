"""Idempotency records grow old and are purged, as if the time that they are kept had passed."""

from threading import Event

from service.clock import now_ms
from service.database.store import Store
from service.ids import new_id
from service.reservations.sweep import purge_records
from tests.accounts import Account, on_store


def age_records(account: Account) -> None:
    """All records of the account are past their time."""

    async def age(store: Store) -> None:
        async with store.begin(new_id()) as transaction:
            sql = "UPDATE idempotency_records SET expires_at = ? WHERE account_id = ?"
            await transaction.change(sql, (now_ms() - 1000, account.id))

    on_store(account.database_url, age)


def purge_until(over: Event, account: Account, purged: list[int]) -> None:
    """Purges, as the worker does once a minute, again and again; `purged` gets the number of each time."""

    async def purge(store: Store) -> None:
        while not over.is_set():
            purged.append(await purge_records(store))

    on_store(account.database_url, purge)
