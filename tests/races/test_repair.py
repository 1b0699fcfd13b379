"""Counters are mended while many callers move them: every mend is right, each wrong counter is mended once."""

from collections import Counter
from functools import partial

import pytest

from service.database.errors import Conflict
from service.database.store import Store
from service.database.transaction import Transaction
from service.ids import new_id
from service.reservations import commands as c
from service.reservations.attempt import ReservationDomain
from service.reservations.command_engine import CommandEngine
from service.reservations.counted import select_stock
from tests.accounts import Account, on_store
from tests.api.reading import at_once, held, messages, stock_counts
from tests.make import put_event, put_stock
from tests.races.conftest import Processes
from tests.races.databases import audit_now, verdict
from tests.races.test_between_statements import Watched, interrupted
from tests.races.traffic import STOCK, Traffic
from tests.running import run_cli

THREADS = 32
UNITS = 4
COUNTED_TOO_MANY = (
    # Upwards alone, and below what is on hand: traffic that met a count below zero would fail, and rightly.
    "UPDATE stock_items SET held = held + ? WHERE account_id = ? AND held + confirmed + ? <= on_hand"
)
SEATS_TAKEN_BY_NOBODY = "UPDATE seats SET state = 1 WHERE account_id = ? AND state = 0 AND number < x'36'"


def spoil(account: Account) -> tuple[int, int]:
    """How many stock items and seats are wrong now."""

    async def change(store: Store) -> tuple[int, int]:
        async with store.begin(new_id()) as transaction:
            items = await transaction.change(COUNTED_TOO_MANY, (UNITS, account.id, UNITS))
            return items, await transaction.change(SEATS_TAKEN_BY_NOBODY, (account.id,))

    return on_store(account.database_url, change)


def test_counters_are_mended_once_while_callers_move_them(processes: Processes, callers: list[Account]) -> None:
    account = callers[0]
    repair = partial(run_cli, "audit", "--repair", "--yes", database_url=processes.database_url)
    with Traffic(callers, threads=THREADS, seed=21) as traffic:
        untouched = repair()  # the control: what moves is not wrong
        mended_before = mends(account)
        items, seats = spoil(account)
        both = at_once([repair, repair])
    assert (untouched.returncode, mended_before) == (0, Counter()), untouched.stdout + untouched.stderr
    assert untouched.stdout.startswith("Every counter that can be mended is right.\n")
    assert [done.returncode for done in both] == [0, 0], [done.stdout + done.stderr for done in both]
    assert traffic.counts["hold 201"] > THREADS
    mended = mends(account)
    assert mended["stock.mended"] == items
    # A seat that was being held just then was right after all.
    assert 0 < mended["seat.mended"] <= seats
    assert sum(stock_counts(account, "traffic")) == STOCK
    audit_now(processes.database_url)


def mends(account: Account) -> Counter[str]:
    """How many mends were told, by type."""
    return Counter(message["type"] for message in messages(account) if message["type"].endswith(".mended"))


class Unlocked(Watched):
    """Locks no row: what is left are the versions."""

    async def lock(self, table: str, ids: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("words", ["stock_items i", "UPDATE stock_items"], ids=["before the sums", "before the write"])
def test_hold_between_two_statements_of_a_mend_makes_it_decide_anew(unswept: Account, words: str) -> None:
    """The lock is ignored on purpose: that no stale sum is written must not rest on it."""
    put_event(unswept)
    put_stock(unswept, on_hand=9)
    held(unswept, [{"sku": "NW-001", "quantity": 2}])
    line = c.StockLine(1, "NW-001", "default", 3)
    create = c.CreateReservation(account_id=unswept.id, actor="default", lines=(line,))

    async def race(store: Store) -> list[bytes]:
        async with store.begin(new_id()) as transaction:
            # After the hold of 3 the count is 5, which are the units that are held then: it would pass for right.
            assert await transaction.change("UPDATE stock_items SET held = 5 WHERE account_id = ?", (unswept.id,)) == 1
            rows = await transaction.rows("SELECT id FROM stock_items WHERE account_id = ?", (unswept.id,))
        mend = c.MendStock(account_id=unswept.id, actor="operator:anna", row_id=bytes(rows[0][0]))
        engine = CommandEngine(store, store.settings)
        await engine.start()
        domain, batch_id = ReservationDomain(60), new_id()

        async def unlocked(begun: Transaction) -> None:
            transaction = interrupted(begun, words, partial(engine.submit, create), Unlocked)
            await domain.attempt(transaction, [mend], batch_id, frozenset())

        with pytest.raises(Conflict):
            async with store.begin(batch_id) as begun:
                await unlocked(begun)
        answer = await engine.submit(mend)
        await engine.drain()
        async with store.read() as reader:
            (counted,) = await select_stock(reader, [mend.row_id])
        assert (counted.changes, counted.held) == ((), 5)
        return [answer.body]

    assert on_store(unswept.database_url, race) == [b'{"changes":[{"counter":"held","now":8,"should_be":5}]}']
    assert verdict(unswept.database_url).clean
