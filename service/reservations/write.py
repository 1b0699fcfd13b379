"""What a batch decided, written: guarded UPDATEs first, then INSERTs (R1 to R6, R8).

Each UPDATE names the version (and state) that was read; a row count that is not what was decided means that another
transaction was first, and nothing is kept. Tables in one fixed order and rows by primary key, so that two batches wait
for each other in one direction. Several steps of one row are one UPDATE; its history keeps each step.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from service.database.transaction import Transaction, chunks, marks, padded_size
from service.engine.batch import RowsChanged
from service.idempotency.records import StoredAnswer, insert_records, record_row
from service.ids import new_id
from service.reservations.answers import adjustment_body, is_stored, message_of
from service.reservations.commands import Command
from service.reservations.decide import AdjustmentDecided, Outcome
from service.reservations.records import Category, Line, Reservation, StockItem
from service.reservations.snapshot import Layer, Snapshot

MESSAGE_COLUMNS = (
    "batch_id", "ordinal", "account_id", "subject_id", "version", "type", "reference", "from_state", "to_state",
    "action", "actor", "reason", "at", "body",
)  # fmt: skip
RESERVATION_COLUMNS = (
    "id", "account_id", "reference", "external_reference", "customer", "state", "version", "hold_seconds",
    "hold_seconds_max", "lapses_at", "created_at", "held_at", "confirmed_at", "ended_at", "metadata", "wanted",
)  # fmt: skip
LINE_COLUMNS = (
    "reservation_id", "line", "account_id", "inventory_id", "seat_id", "live", "name", "place", "quantity", "amount",
    "currency", "released_at",
)  # fmt: skip
STOCK_COLUMNS = (
    "id", "account_id", "sku", "location", "description", "on_hand", "held", "confirmed", "amount", "currency",
    "waiters", "version", "definition_version", "created_at",
)  # fmt: skip
ADJUSTMENT_COLUMNS = (
    "id", "account_id", "stock_item_id", "reference", "delta", "reason", "actor", "adjusted_at", "body",
)  # fmt: skip

Assignments = Sequence[tuple[str, Any]]
"""Of an UPDATE, in order: what is assigned, with its value where that has a place in it."""


async def write_changes(
    transaction: Transaction,
    work: Snapshot,
    commands: Sequence[Command],
    outcomes: Sequence[Outcome],
    answers: Sequence[StoredAnswer],
    bodies: Sequence[bytes],
    batch_id: bytes,
) -> None:
    """Write all that `work` changed, with the records of the keyed commands. Raises RowsChanged, DuplicateKey."""
    writer = _Writer(transaction, work)
    await writer.update_stock()
    await writer.update_categories()
    await writer.update_seats()
    await writer.update_reservations()
    await writer.update_lines()
    await insert_records(transaction, list(_records(work, commands, outcomes, answers, batch_id)))
    await writer.insert_stock()
    await writer.insert_adjustments()
    await writer.insert_reservations()
    await writer.write_waiters()
    await writer.insert_messages(bodies, batch_id)


def _records(
    work: Snapshot,
    commands: Sequence[Command],
    outcomes: Sequence[Outcome],
    answers: Sequence[StoredAnswer],
    batch_id: bytes,
) -> Iterable[tuple[object, ...]]:
    seen: set[bytes] = set()
    for command, outcome, answer in zip(commands, outcomes, answers, strict=True):
        if command.key is None or command.key.scope_hash in seen or not is_stored(outcome):
            continue
        if command.key.scope_hash in work.records:  # refused as another request with a used key
            continue
        seen.add(command.key.scope_hash)
        message = message_of(outcome)
        yield record_row(command.key, answer, work.now, None if message is None else (batch_id, message))


class _Writer:
    """One batch's statements."""

    def __init__(self, transaction: Transaction, work: Snapshot) -> None:
        self._transaction = transaction
        self._work = work

    async def update_stock(self) -> None:
        await self._update_by_version("stock_items", self._work.stock, _stock_changes)

    async def update_categories(self) -> None:
        # Name and price are an operator's; a decision moves the count of waiters alone.
        await self._update_by_version("event_categories", self._work.categories, _category_changes)

    async def update_seats(self) -> None:
        await self._update_by_version("seats", self._work.seats, lambda _, after: [("state = ?", after.state)])

    async def update_reservations(self) -> None:
        await self._update_by_version("reservations", self._work.reservations, _reservation_changes, guard_state=True)

    async def _update_by_version(
        self,
        table: str,
        layer: Layer[bytes, Any],
        changes_of: Callable[[Any, Any], Assignments],
        *,
        guard_state: bool = False,
    ) -> None:
        """One UPDATE for all rows that change alike, each guarded by its version as read."""
        groups: dict[tuple[tuple[str, Any], ...], list[tuple[Any, ...]]] = {}
        for row_id, before, after in sorted(layer.changes(), key=lambda change: change[0]):
            if before is None or after == before:
                continue
            guard = (row_id, before.version, before.state.encode()) if guard_state else (row_id, before.version)
            assignments = (*changes_of(before, after), ("version = version + ?", after.version - before.version))
            groups.setdefault(assignments, []).append(guard)
        if len(groups) > 1:
            # In the order of their keys: one UPDATE after the other would take them in its own, and two batches cross.
            await self._transaction.lock(table, [guard[0] for guards in groups.values() for guard in guards])
        names = ("id", "version", "state") if guard_state else ("id", "version")
        for assignments, guards in groups.items():
            for part in chunks(guards):
                await self._update(table, assignments, names, part)

    async def _update(
        self, table: str, assignments: Assignments, names: tuple[str, ...], guards: Sequence[tuple[Any, ...]]
    ) -> None:
        size = padded_size(len(guards))
        one = " AND ".join(f"{name} = ?" for name in names)
        where = " OR ".join([f"({one})"] * size)
        sql = f"UPDATE {table} SET {', '.join(assigned for assigned, _ in assignments)} WHERE {where}"  # noqa: S608
        values = [_cell(value) for assigned, value in assignments if "?" in assigned]
        values += [cell for guard in guards for cell in guard]
        values += guards[-1] * (size - len(guards))
        matched = await self._transaction.change(sql, tuple(values))
        if matched != len(guards):
            raise await self._rows_changed(table, [(guard[0], guard[1]) for guard in guards])

    async def _rows_changed(self, table: str, guards: Sequence[tuple[bytes, int]]) -> RowsChanged:
        """Which rows are no longer as they were read, and the commands that touch them."""
        if table == "reservation_lines":
            return RowsChanged(f"rows of {table} had changed", frozenset(), frozenset())
        # The transaction is lost. In it, rows that its own UPDATE has matched would pass for changed, too.
        await self._transaction.roll_back()
        found: dict[bytes, int] = {}
        for part in chunks([row_id for row_id, _ in guards]):
            sql = f"SELECT id, version FROM {table} WHERE id IN ({marks(len(part))})"  # noqa: S608
            found.update({bytes(row[0]): row[1] for row in await self._transaction.rows(sql, tuple(part))})
        changed = frozenset((table, row_id) for row_id, version in guards if found.get(row_id) != version)
        positions = frozenset(position for row in changed for position in self._work.touched.get(row, ()))
        return RowsChanged(f"{len(changed)} rows of {table} had changed", changed, positions)

    async def update_lines(self) -> None:
        """Lines that are given back, claimed again, or chosen at last; fenced by the UPDATE of their reservation.

        Given back before anything is claimed: no seat may be live twice in between (R1).
        """
        given_back: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        claimed: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        for reservation_id, before, after in self._work.reservations.changes():
            if before is None or before.lines == after.lines:
                continue
            for earlier, line in zip(before.lines, after.lines, strict=True):
                if line == earlier:
                    continue
                # A seat's own columns would make an UPDATE of each line; giving back is one for all of a reservation.
                if not line.live and replace(line, live=earlier.live, released_at=earlier.released_at) == earlier:
                    given_back.setdefault((None, line.released_at), []).append((reservation_id, line.number))
                else:
                    claimed.setdefault(_line_values(line), []).append((reservation_id, line.number))
        await self._update_lines(("live = ?", "released_at = ?"), given_back)
        every_column = ("seat_id = ?", "live = ?", "place = ?", "amount = ?", "currency = ?", "released_at = ?")
        await self._update_lines(every_column, claimed)

    async def _update_lines(
        self, assigned: tuple[str, ...], groups: dict[tuple[Any, ...], list[tuple[Any, ...]]]
    ) -> None:
        for values, guards in groups.items():
            for part in chunks(sorted(guards)):
                assignments = tuple(zip(assigned, values, strict=True))
                await self._update("reservation_lines", assignments, ("reservation_id", "line"), part)

    async def insert_stock(self) -> None:
        rows = [
            (
                item.id, item.account_id, item.sku.encode(), item.location.encode(), item.description.encode(),
                item.on_hand, item.held, item.confirmed, item.amount, item.currency.encode(), item.waiters,
                item.version, item.definition_version, self._work.now,
            )
            for _, before, item in self._work.stock.changes()
            if before is None
        ]  # fmt: skip
        await self._transaction.insert("stock_items", STOCK_COLUMNS, sorted(rows))

    async def insert_adjustments(self) -> None:
        rows = []
        for (stock_item_id, reference), before, adjustment in self._work.adjustments.changes():
            if before is None:
                reason = None if adjustment.reason is None else adjustment.reason.encode()
                body = adjustment_body(AdjustmentDecided(adjustment))
                rows.append(
                    (
                        new_id(), adjustment.account_id, stock_item_id, reference.encode(), adjustment.delta, reason,
                        adjustment.actor.encode(), adjustment.at, body,
                    )
                )  # fmt: skip
        await self._transaction.insert("stock_adjustments", ADJUSTMENT_COLUMNS, rows)

    async def insert_reservations(self) -> None:
        made = [after for _, before, after in self._work.reservations.changes() if before is None]
        made.sort(key=lambda reservation: reservation.id)
        await self._transaction.insert("reservations", RESERVATION_COLUMNS, [_reservation_row(r) for r in made])
        lines = [_line_row(reservation, line) for reservation in made for line in reservation.lines]
        for part in chunks(lines, 2000):
            await self._transaction.insert("reservation_lines", LINE_COLUMNS, part)

    async def write_waiters(self) -> None:
        gone, new = [], []
        for reservation_id, before, after in self._work.reservations.changes():
            pools = set() if before is None else set(before.pools)
            gone += [(pool_id, reservation_id) for pool_id in pools - set(after.pools)]
            new += [(pool_id, reservation_id, after.account_id) for pool_id in set(after.pools) - pools]
        for part in chunks(sorted(gone)):
            size = padded_size(len(part))
            bound = [*part, *[part[-1]] * (size - len(part))]
            where = " OR ".join(["(pool_id = ? AND reservation_id = ?)"] * size)
            sql = f"DELETE FROM waiters WHERE {where}"  # noqa: S608
            matched = await self._transaction.change(sql, tuple(cell for pair in bound for cell in pair))
            if matched != len(part):
                raise RowsChanged("rows of waiters had changed", frozenset(), frozenset())
        await self._transaction.insert("waiters", ("pool_id", "reservation_id", "account_id"), sorted(new))

    async def insert_messages(self, bodies: Sequence[bytes], batch_id: bytes) -> None:
        rows = []
        for ordinal, (message, body) in enumerate(zip(self._work.messages, bodies, strict=True)):
            rows.append(
                (
                    batch_id, ordinal, message.account_id, message.subject.id, message.version, message.type.encode(),
                    _bytes(message.reference), _bytes(message.source), _bytes(message.target), message.action.encode(),
                    message.actor.encode(), _bytes(message.reason), message.at, body,
                )
            )  # fmt: skip
        for part in chunks(rows, 2000):
            await self._transaction.insert("messages", MESSAGE_COLUMNS, part)
        accounts = sorted({message.account_id for message in self._work.messages})
        await self._transaction.insert(
            "outbox", ("account_id", "batch_id"), [(account, batch_id) for account in accounts]
        )


def _stock_changes(before: StockItem, after: StockItem) -> Assignments:
    """Counts by their change, so that items which change alike share a statement; definitions by their values."""
    counts = [
        (f"{name} = {name} + ?", getattr(after, name) - getattr(before, name))
        for name in ("on_hand", "held", "confirmed", "waiters", "definition_version")
        if getattr(after, name) != getattr(before, name)
    ]
    return [*counts, *_changed(before, after, ("description", "amount", "currency"))]


def _category_changes(before: Category, after: Category) -> Assignments:
    return [("waiters = waiters + ?", after.waiters - before.waiters)]


def _reservation_changes(before: Reservation, after: Reservation) -> Assignments:
    names = ["state", "lapses_at", "held_at", "confirmed_at", "ended_at", "wanted"]
    if after.state == "expired" and after.ended_at == before.lapses_at:
        # Each ends at a time of its own, which its row has: said so, a whole sweep is one statement.
        names.remove("ended_at")
        return [("ended_at = lapses_at", None), *_changed(before, after, names)]
    return _changed(before, after, names)


def _changed(before: object, after: object, names: Sequence[str]) -> Assignments:
    return [(f"{name} = ?", getattr(after, name)) for name in names if getattr(after, name) != getattr(before, name)]


def _line_values(line: Line) -> tuple[Any, ...]:
    return (
        line.seat_id,
        1 if line.live else None,
        _bytes(line.place),
        line.amount,
        _bytes(line.currency),
        line.released_at,
    )


def _reservation_row(row: Reservation) -> tuple[Any, ...]:
    return (
        row.id, row.account_id, row.reference.encode(), _bytes(row.external_reference), _bytes(row.customer),
        row.state.encode(), row.version, row.hold_seconds, row.hold_seconds_max, row.lapses_at, row.created_at,
        row.held_at, row.confirmed_at, row.ended_at, row.metadata, row.wanted,
    )  # fmt: skip


def _line_row(reservation: Reservation, line: Line) -> tuple[Any, ...]:
    return (
        reservation.id, line.number, reservation.account_id, line.inventory_id, line.seat_id, 1 if line.live else None,
        line.name.encode(), _bytes(line.place), line.quantity, line.amount, _bytes(line.currency), line.released_at,
    )  # fmt: skip


def _cell(value: object) -> object:
    return value.encode() if isinstance(value, str) else value


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
