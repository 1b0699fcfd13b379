"""What a command weighs in a batch: rows and bytes, before it is decided. Actions weigh what their reservation has."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.accounts.use_cases import create_account
from service.database.migrations import upgrade
from service.database.store import Store
from service.idempotency.records import StoredAnswer
from service.ids import parse_reference
from service.reservations import commands as c
from service.reservations.command_engine import CommandEngine
from service.settings import Settings
from tests.unit.builders import ACCOUNT, act, adjust_stock, best, block, hold, put_stock, seats, units

LINES = 40
ROWS_MAX = 100

WEIGHTS = {
    "seats": (hold(seats("A1", "A2", "A3")), 3),
    "best available": (hold(best(7)), 7),
    "units are one row, however many": (hold(units(500), units(2, "milk")), 2),
    "a block": (block("A1", "A2"), 2),
    "a count": (adjust_stock(3, "delivery"), 1),
    "an action on an unknown reservation": (act(c.ConfirmReservation, 1), c.LINES_GUESSED),
    "a promotion, of as many as it looks at": (
        c.PromoteWaiting(account_id=ACCOUNT, actor="worker", pool_id=b"p" * 16, event="final", oldest=300),
        300,
    ),
}


@pytest.mark.parametrize(("command", "rows"), WEIGHTS.values(), ids=WEIGHTS)
def test_command_weighs_about_the_rows_that_it_touches(command: c.Command, rows: int) -> None:
    assert c.weight(command) == rows


def test_size_counts_every_text_that_the_client_sent() -> None:
    labels = tuple(f"{'section ' * 4}-A-{number}" for number in range(100))
    texts = {"external_reference": "order" * 50, "customer": "c" * 64, "metadata": b"m" * 4000, "reason": "r" * 200}
    bare = hold(seats("A1"))
    full = c.CreateReservation(account_id=ACCOUNT, actor="default", lines=(c.SeatsLine(1, "final", labels),), **texts)
    sent = sum(map(len, labels)) + sum(map(len, texts.values()))
    assert sent < c.size(full) < sent + 1000
    assert 100 < c.size(bare) < 1000
    assert c.size(block(*(f"A{number}" for number in range(1000)))) > 5000


@asynccontextmanager
async def engine(settings: Settings) -> AsyncIterator[tuple[CommandEngine, Store]]:
    store = Store(settings)
    made = CommandEngine(store, settings)
    await made.start()
    try:
        yield made, store
    finally:
        await made.drain()
        await store.close()


async def batches(engine: CommandEngine, store: Store, commands: Sequence[c.Command]) -> int:
    """In how many transactions these commands, sent at once, were done; all of them succeed."""

    async def count() -> int:
        async with store.read() as reader:
            return int((await reader.rows("SELECT COUNT(*) FROM batches"))[0][0])

    before = await count()
    answers: list[StoredAnswer] = await asyncio.gather(*map(engine.submit, commands))
    assert {answer.status for answer in answers} <= {200, 201}, answers
    return await count() - before


async def test_actions_on_large_reservations_share_no_batch_beyond_its_rows(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite+aiosqlite:///{tmp_path / 'weights.sqlite3'}", batch_rows_max=ROWS_MAX)
    await upgrade(settings)
    skus = [f"sku-{number}" for number in range(LINES)]
    async with engine(settings) as (first, store):
        account_id = (await create_account(store, "shop")).id
        put = [put_stock(1000, sku=sku, account_id=account_id) for sku in skus]
        await batches(first, store, put)
        large = hold(*(units(1, sku) for sku in skus), account_id=account_id)
        references = [await reference_of(first, large) for _ in range(6)]
        confirms = [
            act(c.ConfirmReservation, 0, reference=reference, account_id=account_id) for reference in references
        ]
        assert await batches(first, store, confirms) == len(confirms) / (ROWS_MAX // LINES)
    async with engine(settings) as (second, store):
        cancels = [act(c.CancelReservation, 0, reference=reference, account_id=account_id) for reference in references]
        assert await batches(second, store, cancels) == 1, "a process that has just started knows none of them"


async def reference_of(engine: CommandEngine, create: c.Command) -> str:
    answer = await engine.submit(create)
    assert answer.status == 201, answer.body
    return parse_reference((answer.location or "").rpartition("/")[2])
