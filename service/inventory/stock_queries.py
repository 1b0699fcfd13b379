"""SQL of looking at stock items. They are changed by commands alone (`reservations/write.py`)."""

from collections.abc import Sequence

import msgspec

from service.database.drivers import Row
from service.database.transaction import Transaction, padded


class StockRecord(msgspec.Struct, frozen=True):
    """A row of stock_items, as it is shown."""

    sku: str
    location: str
    description: str
    on_hand: int
    held: int
    confirmed: int
    amount: int
    currency: str
    definition_version: int

    @property
    def available(self) -> int:
        return self.on_hand - self.held - self.confirmed


SELECT_STOCK = """
SELECT sku, location, description, on_hand, held, confirmed, amount, currency, definition_version
FROM stock_items WHERE account_id = ?"""

# MySQL finds no range in (sku, location) > (?, ?); `sku >= ?` is one.
SELECT_STOCK_PAGE = f"{SELECT_STOCK} AND sku >= ? AND (sku > ? OR location > ?) ORDER BY sku, location LIMIT ?"

SELECT_HAS_SKU = "SELECT 1 FROM stock_items WHERE account_id = ? AND sku = ? LIMIT 1"


async def select_stock_item(reader: Transaction, account_id: bytes, sku: str, location: str) -> StockRecord | None:
    rows = await reader.rows(
        f"{SELECT_STOCK} AND sku = ? AND location = ?", (account_id, sku.encode(), location.encode())
    )
    return _stock_record(rows[0]) if rows else None


async def select_stock_items(
    reader: Transaction, account_id: bytes, skus: Sequence[str], location: str
) -> dict[str, StockRecord]:
    """By SKU, those that are in stock at the location. At most as many as one list holds."""
    places, values = padded([sku.encode() for sku in skus])
    sql = f"{SELECT_STOCK} AND location = ? AND sku IN ({places})"
    rows = await reader.rows(sql, (account_id, location.encode(), *values))
    return {record.sku: record for record in map(_stock_record, rows)}


async def select_has_sku(reader: Transaction, account_id: bytes, sku: str) -> bool:
    """Whether the SKU is in stock at any location, be it with a count of 0."""
    return bool(await reader.rows(SELECT_HAS_SKU, (account_id, sku.encode())))


async def select_stock(
    reader: Transaction, account_id: bytes, after: tuple[str, ...] | None, limit: int, only_sku: str | None = None
) -> list[StockRecord]:
    """The first stock items, of one SKU or of all, whose names follow `after`, in the order of their bytes."""
    sku, location = (name.encode() for name in after or ("", ""))
    if only_sku is not None:
        of_sku = f"{SELECT_STOCK} AND sku = ? AND location > ? ORDER BY location LIMIT ?"
        rows = await reader.rows(of_sku, (account_id, only_sku.encode(), location, limit))
    else:
        rows = await reader.rows(SELECT_STOCK_PAGE, (account_id, sku, sku, location, limit))
    return [_stock_record(row) for row in rows]


def _stock_record(row: Row) -> StockRecord:
    sku, location, description, on_hand, held, confirmed, amount, currency, version = row
    return StockRecord(
        sku.decode(),
        location.decode(),
        description.decode(),
        on_hand,
        held,
        confirmed,
        amount,
        currency.decode(),
        version,
    )
