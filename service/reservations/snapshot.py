"""What one batch read, and the working copy on which its commands decide one after the other.

Every command decides on an overlay. `merge` makes its changes visible to the commands behind it, `drop` leaves no
trace:
a refused create also gives up the lapsed holds that it ended. `before` keeps each changed row as it was read, for the
guards of `write.py`.
"""

from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from service.idempotency.records import Record
from service.inventory.seating import SeatingPlan
from service.reservations.counted import Counted
from service.reservations.records import Adjustment, Category, Event, Message, Reservation, Seat, StockItem, StockName

K = TypeVar("K")
V = TypeVar("V")


class Miss(NamedTuple):
    """The least number of seats that found no place, and how many single ones were free.

    Kept because hundreds of a batch may ask for any number of seats of a large event that is sold out.
    """

    quantity: int
    available: int


class Layer(Generic[K, V]):
    """Rows by key: those of the batch, and above them those that the running command changed."""

    __slots__ = ("before", "own", "rows")

    def __init__(self) -> None:
        self.rows: dict[K, V] = {}
        self.own: dict[K, V] = {}
        self.before: dict[K, V | None] = {}

    def get(self, key: K) -> V | None:
        return self.own[key] if key in self.own else self.rows.get(key)

    def __getitem__(self, key: K) -> V:
        return self.own[key] if key in self.own else self.rows[key]

    def __contains__(self, key: K) -> bool:
        return key in self.own or key in self.rows

    def __setitem__(self, key: K, value: V) -> None:
        self.own[key] = value

    def merge(self) -> None:
        for key, value in self.own.items():
            if key not in self.before:
                self.before[key] = self.rows.get(key)
            self.rows[key] = value
        self.own.clear()

    def changes(self) -> Iterator[tuple[K, V | None, V]]:
        """Each changed row: key, as it was read (None: new), as it is now."""
        for key, before in self.before.items():
            yield key, before, self.rows[key]


class Snapshot:
    """The database as the batch sees it. Absent names are absent keys.

    Keys carry the account (or an id, which belongs to one).
    """

    def __init__(self, now: int, records: dict[bytes, Record] | None = None) -> None:
        self.now = now
        self.records = records or {}
        self.events: dict[tuple[bytes, str], Event] = {}
        self.event_categories: dict[bytes, tuple[bytes, ...]] = {}
        self.hold_defaults: dict[bytes, tuple[int, int]] = {}
        self.seat_ids: dict[tuple[bytes, str], bytes] = {}
        self.sections: set[tuple[bytes, str]] = set()
        self.plans: dict[tuple[bytes, str | None], SeatingPlan] = {}
        self.whole_plans: set[tuple[bytes, str | None]] = set()
        self.seats: Layer[bytes, Seat] = Layer()
        self.holders: Layer[bytes, bytes | None] = Layer()  # seat -> reservation whose lapsed hold it may be taken from
        self.categories: Layer[bytes, Category] = Layer()
        self.stock: Layer[bytes, StockItem] = Layer()
        self.stock_ids: Layer[StockName, bytes] = Layer()
        self.lapsed_on_stock: dict[bytes, list[bytes]] = {}
        self.reservations: Layer[bytes, Reservation] = Layer()
        self.references: Layer[tuple[bytes, str], bytes] = Layer()
        self.external_references: Layer[tuple[bytes, str], str] = Layer()  # -> reference
        self.adjustments: Layer[tuple[bytes, str], Adjustment] = Layer()  # (stock item, reference)
        self.counted: dict[bytes, Counted] = {}  # rows to be mended -> what they must count
        self.waiting: Layer[bytes, tuple[bytes, ...]] = Layer()  # pool -> reservations, oldest first
        self.messages: list[Message] = []
        self.freed: set[bytes] = set()
        # Best-available wishes that found no place, by event, section, category and togetherness.
        self.misses: dict[tuple[bytes, str | None, str | None, bool], Miss] = {}
        self.touched: dict[tuple[str, bytes], set[int]] = {}
        self._kept_messages = 0
        self._guarded: tuple[tuple[str, Layer[bytes, Any]], ...] = (
            ("seats", self.seats),
            ("stock_items", self.stock),
            ("event_categories", self.categories),
            ("reservations", self.reservations),
        )
        self._layers = (
            self.seats, self.holders, self.categories, self.stock, self.stock_ids, self.reservations,
            self.references, self.external_references, self.adjustments, self.waiting,
        )  # fmt: skip

    def free(self, pool_id: bytes) -> None:
        """Units of this pool were given back: whoever waits for it may be served, and what was missed may be had."""
        self.freed.add(pool_id)
        self.misses.clear()

    def merge(self, position: int) -> None:
        """Keep what the command at `position` of the batch changed."""
        for table, guarded in self._guarded:
            for row_id in guarded.own:
                self.touched.setdefault((table, row_id), set()).add(position)
        for layer in self._layers:
            if layer.own:
                layer.merge()
        self._kept_messages = len(self.messages)
        self.freed.clear()

    def drop(self) -> None:
        """Forget all that the running command changed."""
        for layer in self._layers:
            layer.own.clear()
        del self.messages[self._kept_messages :]
        self.freed.clear()
