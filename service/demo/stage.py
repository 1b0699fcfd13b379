"""The stage: a new account with a key, a real venue and a warehouse, made as an operator makes them.

By the service's own use cases and imports, in this process, while the server serves the same database.
"""

from pathlib import Path
from typing import Final

import msgspec

import service
from service.accounts.queries import AccountRecord
from service.accounts.use_cases import AccountExists, create_account, create_key, list_accounts
from service.clock import now_ms, to_rfc3339
from service.database.store import Store
from service.imports.counts import Progress
from service.imports.seats import SeatsPlan, import_seats
from service.imports.stock import StockPlan, import_stock
from service.names import seat_label
from service.reservations.command_engine import CommandEngine

SAMPLES: Final = Path(service.__file__).parent / "samples"
SEATS_FILE: Final = SAMPLES / "stadium-seats.csv"
STOCK_FILE: Final = SAMPLES / "stock.csv"

EVENT: Final = "final"
EVENT_NAME: Final = "Final"
KEY_NAME: Final = "demo"
STARTS_IN_MS: Final = 60 * 86_400_000


class Stage(msgspec.Struct, frozen=True):
    """What there is to be had: the seats' labels from the front, the units of each stock item that has any."""

    seats: list[str]
    units: dict[str, int]


def stage_of(venue: SeatsPlan, warehouse: StockPlan) -> Stage:
    return Stage(
        seats=[seat_label(seat.section, seat.row, seat.number) for seat in venue.seats],
        units={row.sku: row.on_hand for row in warehouse.rows if row.on_hand},
    )


async def new_account(store: Store) -> tuple[AccountRecord, str]:
    """An account of a name that is free, and its key with every scope."""
    number = len(await list_accounts(store)) + 1
    while True:
        try:
            account = await create_account(store, f"demo-{number}")
        except AccountExists:
            number += 1
        else:
            return account, (await create_key(store, account.id, KEY_NAME)).key


async def load_venue(store: Store, account: AccountRecord, plan: SeatsPlan, on_progress: Progress) -> None:
    """The event with all its seats, in one transaction."""
    starts_at = to_rfc3339(now_ms() + STARTS_IN_MS)
    await import_seats(store, account.id, EVENT, plan, name=EVENT_NAME, starts_at=starts_at, on_progress=on_progress)


async def load_stock(store: Store, account: AccountRecord, plan: StockPlan, on_progress: Progress) -> None:
    """Each item is a command, and so goes through an engine; this process has its own."""
    engine = CommandEngine(store, store.settings)
    await engine.start()
    try:
        await import_stock(engine, store, account.id, plan, on_progress)
    finally:
        await engine.drain()
