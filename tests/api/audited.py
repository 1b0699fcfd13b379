"""A small database with a reservation of every kind, made by real commands, then freed of its unique keys and CHECKs.

So every offence can be planted in it, also those that the schema would refuse.
"""

import os
import re
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import make_url

from service.accounts.use_cases import create_account, create_key
from service.database.store import Store
from service.database.transaction import Transaction
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
    MendCategory,
    MendSeat,
    PutStock,
    ReleaseReservation,
    SeatsLine,
    StockLine,
)
from tests.servers.mysql import execute

SEATS = "section,row,seat,category,price_minor,currency,x,y\n" + "".join(
    f"101,A,{number},1,12500,EUR,,\n" for number in range(1, 11)
)

UNIQUE = (
    ("reservations", "uq_reservations__account_id_reference"),
    ("reservations", "uq_reservations__account_id_external_reference"),
    ("reservation_lines", "uq_reservation_lines__seat_id_live"),
    ("idempotency_records", "uq_idempotency_records__scope_hash"),
    ("messages", "uq_messages__subject_id_version"),
)
CHECKS = (
    ("reservation_lines", "ck_reservation_lines__quantity"),
    ("stock_items", "ck_stock_items__held"),
    ("stock_items", "ck_stock_items__on_hand"),
)


async def fill(store: Store, directory: Path) -> None:
    """A reservation in every state, each with its name as external reference, of the account `one`; one of `two`."""
    engine = CommandEngine(store, store.settings)
    await engine.start()
    try:
        one, two = [_Operator(store, engine, await _account(store, name, directory)) for name in ("one", "two")]
        await two.done(two.put_stock("few", 5))
        await two.hold("held", "1", few=1)
        await _fill(one)
    finally:
        await engine.drain()
    await sequence(store)


async def _account(store: Store, name: str, directory: Path) -> bytes:
    account = await create_account(store, name)
    await create_key(store, account.id, "default", None)
    path = directory / "seats.csv"
    path.write_text(SEATS)
    await import_seats(store, account.id, "final", plan_seats(path), name="Final", starts_at="2097-06-05T19:00:00Z")
    return account.id


class _Operator:
    """Runs commands of one account, keyed as a client's would be."""

    def __init__(self, store: Store, engine: CommandEngine, account_id: bytes) -> None:
        self.store = store
        self.engine = engine
        self.account_id = account_id

    async def done(self, command: Command, *, refused: bool = False) -> dict[str, Any]:
        answer = await self.engine.submit(command)
        assert (answer.status >= 400) == refused, answer.body
        shown: dict[str, Any] = msgspec.json.decode(answer.body)
        return shown

    async def hold(self, name: str, *seats: str, wait: bool = False, refused: bool = False, **stock: int) -> str:
        """The stored reference."""
        lines: list[SeatsLine | StockLine] = []
        if seats:
            lines.append(SeatsLine(1, "final", tuple(f"101-A-{seat}" for seat in seats)))
        lines += [StockLine(number, sku, "default", count) for number, (sku, count) in enumerate(stock.items(), 2)]
        command = CreateReservation(
            account_id=self.account_id,
            actor="tests",
            key=self.key(),
            lines=tuple(lines),
            external_reference=name,
            wait=wait,
        )
        return str((await self.done(command, refused=refused)).get("reference", "")).replace("-", "")

    def key(self) -> KeyedRequest:
        return KeyedRequest(self.account_id, os.urandom(32), os.urandom(96), 3_600_000)

    def put_stock(self, sku: str, on_hand: int) -> PutStock:
        return PutStock(
            account_id=self.account_id,
            actor="tests",
            key=self.key(),
            sku=sku,
            location="default",
            description=sku,
            on_hand=on_hand,
            amount=100,
            currency="EUR",
        )

    async def act(self, kind: type[Any], reference: str, **facts: Any) -> None:
        await self.done(kind(account_id=self.account_id, actor="tests", key=self.key(), reference=reference, **facts))

    async def let_lapse(self, reference: str) -> None:
        """As if its time had passed; then the sweep comes."""
        async with self.store.begin(new_id()) as transaction:
            sql = "UPDATE reservations SET lapses_at = created_at WHERE reference = ?"
            await transaction.change(sql, (reference.encode(),))
        await self.act(ExpireReservation, reference)

    async def mend(self, spoil: str, kind: type[Any], name: str) -> None:
        """A counter that is wrong by `spoil`, and its mend."""
        async with self.store.begin(new_id()) as transaction:
            known = await literals(transaction)
            assert await transaction.change(spoil.format(**known)) == 1
        row_id = bytes.fromhex(known[name][2:-1])
        mended = await self.done(kind(account_id=self.account_id, actor="operator:tests", row_id=row_id))
        assert len(mended["changes"]) == 1


async def _fill(one: _Operator) -> None:
    await one.done(one.put_stock("few", 5))
    adjustment = AdjustStock(
        account_id=one.account_id, actor="tests", key=one.key(), sku="few", location="default", reference="d-1", delta=1
    )
    await one.done(adjustment)
    await one.hold("held", "1", "2", few=2)
    await one.act(ConfirmReservation, await one.hold("confirmed", "3", few=1))
    await one.act(ReleaseReservation, await one.hold("part", "4", "5"), lines=(2,))
    await one.act(ReleaseReservation, await one.hold("released", "6"))
    cancelled = await one.hold("cancelled", "7")
    await one.act(ConfirmReservation, cancelled)
    await one.act(CancelReservation, cancelled)
    await one.let_lapse(await one.hold("expired", "8"))
    late = await one.hold("late", "9")
    await one.let_lapse(late)
    await one.act(ConfirmReservation, late, late="if_available")
    await one.done(
        BlockSeats(account_id=one.account_id, actor="tests", event="final", seats=("101-A-10",), blocked=True)
    )
    await one.hold("refused", "1", refused=True)
    await one.hold("pending", "1", wait=True, few=5)
    await one.mend("UPDATE seats SET state = 1 WHERE id = {released_seat}", MendSeat, "released_seat")
    await one.mend("UPDATE event_categories SET waiters = 3 WHERE id = {category}", MendCategory, "category")


def unguard(url: str) -> None:
    """Drop the unique keys and CHECKs that offences are planted behind."""
    if url.startswith("sqlite"):
        _unguard_sqlite(make_url(url).database or "")
        return
    for table, name in UNIQUE:
        execute(url, f"ALTER TABLE {table} DROP INDEX {name}")
    for table, name in CHECKS:
        execute(url, f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def _unguard_sqlite(path: str) -> None:
    """SQLite cannot drop a constraint: the tables are made again without them."""
    with sqlite3.connect(path) as database:
        for table in sorted({table for table, _ in (*UNIQUE, *CHECKS)}):
            (made,) = database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            bare = re.sub(r",\s*CONSTRAINT \"?(uq|ck)_[^\n]*?(?=,?\s*\n)", "", made)
            database.execute(f"ALTER TABLE {table} RENAME TO guarded")
            database.execute(bare)
            database.execute(f"INSERT INTO {table} SELECT * FROM guarded")
            database.execute("DROP TABLE guarded")
    database.close()


async def literals(reader: Transaction) -> dict[str, str]:
    """SQL literals of the identifiers that offences name."""
    known: dict[str, str] = {}
    for name, sql in LOOKUPS.items():
        rows = await reader.rows(sql.format(**known))
        assert len(rows) == 1, (name, len(rows))
        known[name] = f"x'{bytes(rows[0][0]).hex()}'"
    return known


def _text(value: str) -> str:
    return f"x'{value.encode().hex()}'"


def _reservation(name: str) -> str:
    return f"SELECT id FROM reservations WHERE account_id = {{one}} AND external_reference = {_text(name)}"


def _seat(number: int) -> str:
    return f"SELECT id FROM seats WHERE event_id = {{event}} AND seat = {_text(f'101-A-{number}')}"


LOOKUPS = {
    "one": f"SELECT id FROM accounts WHERE name = {_text('one')}",
    "two": f"SELECT id FROM accounts WHERE name = {_text('two')}",
    "event": "SELECT id FROM events WHERE account_id = {one}",
    "other_event": "SELECT id FROM events WHERE account_id = {two}",
    "category": "SELECT id FROM event_categories WHERE account_id = {one}",
    "stock": "SELECT id FROM stock_items WHERE account_id = {one}",
    "other_stock": "SELECT id FROM stock_items WHERE account_id = {two}",
    **{
        name: _reservation(name)
        for name in ("held", "confirmed", "part", "released", "cancelled", "expired", "late", "pending")
    },
    "other": "SELECT id FROM reservations WHERE account_id = {two}",
    "held_seat": _seat(1),
    "confirmed_seat": _seat(3),
    "released_seat": _seat(6),
    "other_seat": f"SELECT id FROM seats WHERE event_id = {{other_event}} AND seat = {_text('101-A-1')}",
    "held_batch": "SELECT batch_id FROM messages WHERE subject_id = {held}",
    "other_batch": "SELECT batch_id FROM messages WHERE subject_id = {other}",
    "held_record": "SELECT id FROM idempotency_records WHERE message_batch_id = {held_batch} AND message_ordinal = 0",
    "refused_record": "SELECT id FROM idempotency_records WHERE status = 409",
    "adjustment": "SELECT id FROM stock_adjustments WHERE account_id = {one}",
    "key": "SELECT id FROM api_keys WHERE account_id = {one}",
}
"""By name, as SQL with the names before it in braces."""
