"""Import of stock from a CSV file: each row is a command, like every change of a count (engine.md, 14).

Columns: sku, description, on_hand, price_minor, currency; all of one location. The whole file is judged before the
first command: against itself without a database, then against what is held and confirmed. Importing a file again
changes nothing: rows that say what already is are not sent.

Commands are one transaction each (or share one, as they come), so an import that is interrupted leaves whole rows
done and others not; sending the file again finishes it.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from service.database.store import Store
from service.database.transaction import chunks
from service.idempotency.records import StoredAnswer
from service.imports.counts import ImportCounts, Progress, ignore
from service.imports.csv_rows import Column, FileRefused, Problem, Problems, read_rows, repeated, text, whole_number
from service.inventory.bodies import Amount, OnHand
from service.inventory.stock_queries import StockRecord, select_stock_items
from service.names import Currency, Description, Name
from service.reservations.commands import PutStock
from service.reservations.queries import select_lapsed_units

COLUMNS: Final = (
    Column("sku", Name, text),
    Column("description", Description, text),
    Column("on_hand", OnHand, whole_number),
    Column("price_minor", Amount, whole_number),
    Column("currency", Currency, text),
)

GROUP_COMMANDS: Final = 64
"""Commands that run at once: enough for one batch, far below what the queue takes."""

LEAST_REFUSAL_STATUS: Final = 400


class Engine(Protocol):
    """What an import needs of the engine."""

    def submit(self, command: PutStock, /) -> Awaitable[StoredAnswer]: ...


class StockRow(msgspec.Struct, frozen=True):
    """A good row, with its line."""

    line: int
    sku: str
    description: str
    on_hand: int
    amount: int
    currency: str


class StockPlan(msgspec.Struct, frozen=True):
    """A good file."""

    path: Path
    location: str
    rows: list[StockRow]


def plan_stock(path: Path, *, location: str = "default") -> StockPlan:
    """The file's stock items. Raises FileRefused, which names every bad row."""
    problems = Problems(path)
    seen: dict[Any, int] = {}
    rows: list[StockRow] = []
    for line, row in read_rows(path, COLUMNS, problems):
        earlier = repeated(seen, row["sku"], line)
        if earlier is not None:
            problems.add(line, "sku", f"{row['sku']} stands on line {earlier} already")
        rows.append(StockRow(line, row["sku"], row["description"], row["on_hand"], row["price_minor"], row["currency"]))
    problems.refuse_if_any()
    return StockPlan(path, location, rows)


async def preview_stock(store: Store, account_id: bytes, plan: StockPlan) -> ImportCounts:
    """What `import_stock` would do now. Changes nothing; raises what it would raise."""
    return (await _compare(store, account_id, plan)).counts(len(plan.rows))


async def import_stock(
    engine: Engine,
    store: Store,
    account_id: bytes,
    plan: StockPlan,
    on_progress: Progress = ignore,
    *,
    actor: str = "operator:import",
) -> ImportCounts:
    """Make every stock item be as its row says.

    Raises FileRefused where a row's `on_hand` is below what is held and confirmed: before anything is done, or, for
    units that were claimed meanwhile, at the end, with the other rows done. Raises the engine's refusals.
    """
    difference = await _compare(store, account_id, plan)
    done = len(plan.rows) - len(difference.sent)
    on_progress(done)
    refused: list[Problem] = []
    for part in chunks(difference.sent, GROUP_COMMANDS):
        answers = await asyncio.gather(*(engine.submit(_command(account_id, plan, row, actor)) for row in part))
        refused += [_refusal(row) for row, answer in zip(part, answers, strict=True) if _is_refused(answer)]
        done += len(part)
        on_progress(done)
    if refused:
        raise FileRefused(plan.path, refused, len(refused))
    return difference.counts(len(plan.rows))


class _Difference(msgspec.Struct, frozen=True):
    """The rows that say something new, and how many of them name a new item."""

    sent: list[StockRow]
    created: int

    def counts(self, rows: int) -> ImportCounts:
        return ImportCounts(self.created, len(self.sent) - self.created, rows - len(self.sent))


async def _compare(store: Store, account_id: bytes, plan: StockPlan) -> _Difference:
    """Raises FileRefused for rows that count less than is claimed."""
    problems = Problems(plan.path)
    sent: list[StockRow] = []
    created = 0
    for part in chunks(plan.rows):
        known = await _known(store, account_id, part, plan.location)
        for row in part:
            item = known.get(row.sku)
            if item is None:
                created += 1
            elif row.on_hand < _claimed(item):
                problems.add(row.line, "on_hand", _below_claimed(row, item))
            if item is None or not _is_as(row, item):
                sent.append(row)
    problems.refuse_if_any()
    return _Difference(sent, created)


async def _known(store: Store, account_id: bytes, rows: Sequence[StockRow], location: str) -> dict[str, StockRecord]:
    """The rows' items that are there already; where a row counts less, without holds that its command would end."""
    async with store.snapshot() as reader:  # counts and holds of one moment
        known = await select_stock_items(reader, account_id, [row.sku for row in rows], location)
        short = [row.sku for row in rows if row.sku in known and row.on_hand < _claimed(known[row.sku])]
        lapsed = await select_lapsed_units(reader, account_id, short, location) if short else {}
    return known | {sku: replace(known[sku], held=known[sku].held - units) for sku, units in lapsed.items()}


def _claimed(item: StockRecord) -> int:
    return item.held + item.confirmed


def _is_as(row: StockRow, item: StockRecord) -> bool:
    wanted = (row.description, row.on_hand, row.amount, row.currency)
    return wanted == (item.description, item.on_hand, item.amount, item.currency)


def _below_claimed(row: StockRow, item: StockRecord) -> str:
    return f"{row.on_hand} is below the {item.held} held and {item.confirmed} confirmed units of {row.sku}"


def _command(account_id: bytes, plan: StockPlan, row: StockRow, actor: str) -> PutStock:
    return PutStock(
        account_id=account_id,
        actor=actor,
        sku=row.sku,
        location=plan.location,
        description=row.description,
        on_hand=row.on_hand,
        amount=row.amount,
        currency=row.currency,
    )


def _is_refused(answer: StoredAnswer) -> bool:
    return answer.status >= LEAST_REFUSAL_STATUS


def _refusal(row: StockRow) -> Problem:
    message = f"{row.on_hand} is below what has been claimed meanwhile; the other rows are imported"
    return Problem(row.line, "on_hand", message)
