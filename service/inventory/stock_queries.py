"""SQL of looking at stock items. They are changed by commands alone (`reservations/write.py`)."""

from collections.abc import Sequence

import msgspec

from service.database.transaction import Row, Transaction, padded


class StockRecord(msgspec.Struct, frozen=True):
    """A row of stock_items, as it is shown."""

    stock_item_id: bytes
    sku: str
    location: str
    description: str
    on_hand: int
    held: int
    confirmed: int
    amount: int
    currency: str
    definition_version: int


SELECT_STOCK = """
SELECT id, sku, location, description, on_hand, held, confirmed, amount, currency, definition_version
FROM stock_items WHERE account_id = ?"""

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


async def select_stock(reader: Transaction, account_id: bytes, after: bytes, limit: int) -> list[StockRecord]:
    """Stock items created after the one whose id is `after`."""
    rows = await reader.rows(f"{SELECT_STOCK} AND id > ? ORDER BY id LIMIT ?", (account_id, after, limit))
    return [_stock_record(row) for row in rows]


def _stock_record(row: Row) -> StockRecord:
    stock_item_id, sku, location, description, on_hand, held, confirmed, amount, currency, version = row
    return StockRecord(
        bytes(stock_item_id),
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
