"""A small database with a reservation of every kind, made by real commands, and then without its unique keys and CHECKs.

So every offence can be planted in it, also those that the schema would refuse. Rows are named as in `NAMES`.
"""

import asyncio
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import make_url

from service.accounts.use_cases import create_account, create_key
from service.database.store import Store, open_store
from service.idempotency.records import KeyedRequest
from service.ids import new_id
from service.imports.seats import import_seats, plan_seats
from service.outbox.sequencer import sequence
from service.reservations.command_engine import CommandEngine
from service.reservations.commands import (
    AdjustStock,
    BlockSeats,
    CancelReservation,
    Command,
    ConfirmReservation,
    CreateReservation,
    ExpireReservation,
    PutStock,
    ReleaseReservation,
    RequestLine,
    SeatsLine,
    StockLine,
)
from service.settings import Settings
from tests.own_loop import run_in_own_loop
from tests.polling import wait_until
from tests.servers.mysql import execute

SEATS = "section,row,seat,category,price_minor,currency,x,y\n" + "".join(
    f"101,A,{number},{1 + number % 2},12500,EUR,,\n" for number in range(1, 11)
)
KEEP_MS = 3_600_000

NAMES = {
    "account": "SELECT id FROM accounts WHERE name = x'{one}'",
    "other_account": "SELECT id FROM accounts WHERE name = x'{two}'",
    "event": "SELECT id FROM events WHERE account_id = {account}",
    "other_event": "SELECT id FROM events WHERE account_id = {other_account}",
    "stock": "SELECT id FROM stock_items WHERE account_id = {account} AND sku = x'{few}'",
    "other_stock": "SELECT id FROM stock_items WHERE account_id = {other_account}",
    "held": "SELECT id FROM reservations WHERE account_id = {account} AND external_reference = x'{held}'",
    "confirmed": "SELECT id FROM reservations WHERE account_id = {account} AND external_reference = x'{confirmed}'",
    "released": "SELECT id FROM reservations WHERE account_id = {account} AND external_reference = x'{released}'",
    "expired": "SELECT id FROM reservations WHERE account_id = {account} AND external_reference = x'{expired}'",
    "pending": "SELECT id FROM reservations WHERE account_id = {account} AND external_reference = x'{pending}'",
    "other_held": "SELECT id FROM reservations WHERE account_id = {other_account}",
    "held_seat": "SELECT id FROM seats WHERE event_id = {event} AND seat = x'{101-A-1}'",
    "confirmed_seat": "SELECT id FROM seats WHERE event_id = {event} AND seat = x'{101-A-3}'",
    "free_seat": "SELECT id FROM seats WHERE event_id = {event} AND seat = x'{101-A-6}'",
    "held_record": "SELECT k.id FROM idempotency_records k JOIN messages m ON m.batch_id = k.message_batch_id "
    "AND m.ordinal = k.message_ordinal WHERE m.subject_id = {held}",
    "refused_record": "SELECT id FROM idempotency_records WHERE status = 409",
}
"""Identifiers by name, as SQL that may use the names before it; texts in braces are spelled in hexadecimal."""


class Ended(Exception):  # noqa: N818 - how a planted offence is taken back
    """The transaction is to leave no trace."""


class AuditedDatabase:
    """The database at `url`, and SQL literals of its rows' identifiers by name."""

    def __init__(self, url: str) -> None:
        self.settings = Settings.from_environment({"HOLDFAST_DATABASE_URL": url})
        self._fill()
        self._unguard()
        self.literals = run_in_own_loop(self.on_store(_literals))

    async def on_store(self, work: Callable[[Store], Any]) -> Any:
        store = await open_store(self.settings)
        try:
            return await work(store)
        finally:
            await store.close()

    def _fill(self) -> None:
        accounts = run_in_own_loop(self.on_store(_make_accounts))
        run_in_own_loop(self._submit([*_first_commands(*accounts)]))
        for name in ("expired", "late"):
            wait_until(lambda: run_in_own_loop(self._expire(accounts[0], name)), what=f"{name} is over")  # noqa: B023
        late = self._reference(accounts[0], "late")
        run_in_own_loop(
            self._submit([ConfirmReservation(account_id=accounts[0], actor="tests", reference=late, late="if_available")])
        )
        run_in_own_loop(self.on_store(sequence))

    async def _submit(self, commands: list[Command]) -> list[dict[str, Any]]:
        """One after the other; each must succeed, except for a hold that is meant to be refused."""

        async def submit(store: Store) -> list[dict[str, Any]]:
            engine = CommandEngine(store, self.settings)
            await engine.start()
            try:
                answers = []
                for command in commands:
                    answer = await engine.submit(await _named(store, command))
                    refused = isinstance(command, CreateReservation) and command.external_reference == "refused"
                    assert (answer.status >= 400) == refused, answer.body
                    answers.append(msgspec.json.decode(answer.body))
                return answers
            finally:
                await engine.drain()

        return await self.on_store(submit)

    async def _expire(self, account_id: bytes, name: str) -> bool:
        command = ExpireReservation(account_id=account_id, actor="worker", reference=name)
        return (await self._submit([command]))[0]["state"] == "expired"

    def _reference(self, account_id: bytes, name: str) -> str:
        return run_in_own_loop(self.on_store(lambda store: _reference(store, account_id, name)))

    def _unguard(self) -> None:
        if self.settings.is_sqlite:
            _unguard_sqlite(Path(make_url(self.settings.database_url).database or ""))
        else:
            _unguard_mysql(self.settings.database_url)


async def _make_accounts(store: Store) -> tuple[bytes, bytes]:
    ids = []
    for name in ("one", "two"):
        account = await create_account(store, name)
        await create_key(store, account.id, "default", None)
        path = Path(store.settings.database_url.rpartition("/")[2] + ".csv")
        path = await asyncio.to_thread(_write_seats, path)
        plan = plan_seats(path)
        path.unlink()
        await import_seats(store, account.id, "final", plan, name="Final", starts_at="2097-06-05T19:00:00Z")
        ids.append(account.id)
    return ids[0], ids[1]
