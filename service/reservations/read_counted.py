"""What mends need: their rows, and then what those must count.

The rows are locked first. A hot item changes many times a second, and a mend that only compared versions might lose to
its traffic for ever; locked, it waits for its turn and then wins. That nothing stale is written does not rest on the
lock but on the versions: that of the row as it was read, of the sums, and the UPDATE's guard are one and the same.
"""

from collections.abc import Sequence
from typing import Final

from service.database.errors import Conflict
from service.reservations.commands import MendCategory, MendCommand, MendSeat, MendStock
from service.reservations.counted import SELECTS
from service.reservations.load import Loader

TABLES: Final[dict[str, type[MendCommand]]] = {
    "stock_items": MendStock,
    "event_categories": MendCategory,
    "seats": MendSeat,
}


async def read_counted(load: Loader, mends: Sequence[MendCommand]) -> None:
    """The rows that these commands mend, and what they must count. Raises Conflict where a row moved in between."""
    ids = {table: sorted({mend.row_id for mend in mends if isinstance(mend, kind)}) for table, kind in TABLES.items()}
    for table, wanted in ids.items():
        if wanted:
            await load.transaction.lock(table, wanted)
    await load.stock_by_id(ids["stock_items"])
    await load.categories_by_id(ids["event_categories"])
    await load.seats_by_id(ids["seats"])
    versions = {
        row_id: row.version
        for layer in (load.work.stock, load.work.categories, load.work.seats)
        for row_id, row in layer.rows.items()
    }
    for table, wanted in ids.items():
        for counted in await SELECTS[table](load.transaction, wanted):
            if counted.version != versions.get(counted.id):
                # Counters that look right beside sums of another moment would be left as they are.
                raise Conflict("a row moved on before its lines were summed")
            load.work.counted[counted.id] = counted
