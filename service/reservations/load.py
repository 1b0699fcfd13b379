"""The queries behind `read.py`: each loads what is not loaded yet into the snapshot."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from service.database.drivers import Row
from service.database.errors import Conflict
from service.database.transaction import Transaction, chunks, padded
from service.inventory.seating import SeatingPlan, SeatPosition, nearest_first
from service.inventory.tables import SEAT_HELD
from service.reservations.commands import WAITING_SEEN, BestAvailableLine, RequestLine, SeatsLine, StockLine
from service.reservations.records import Adjustment, Category, Event, EventName, Line, Reservation, Seat, StockName
from service.reservations.rows import (
    CATEGORY_COLUMNS,
    EVENT_COLUMNS,
    LINE_COLUMNS,
    RESERVATION_COLUMNS,
    SEAT_COLUMNS,
    STOCK_COLUMNS,
    category_of,
    event_of,
    line_of,
    of,
    reservation_of,
    seat_of,
    stock_of,
    text_of,
)
from service.reservations.snapshot import Snapshot

FRONT_ROWS = 12
"""Rows of an event that are read first for best available seats of any section; more where none of these fits."""

LAPSED_MOST = 1000

SELECT_EVENTS = f"SELECT {EVENT_COLUMNS} FROM events WHERE account_id = ? AND event IN ({{}})"  # noqa: S608

SELECT_EVENTS_AND_POOLS = (
    f"SELECT {of('e', EVENT_COLUMNS)}, {of('c', CATEGORY_COLUMNS)} FROM events e "  # noqa: S608
    "LEFT JOIN event_categories c ON c.account_id = e.account_id AND c.event_id = e.id "
    "WHERE e.account_id = ? AND e.event IN ({})"
)

EVENT_CATEGORY = 7
"""Where a category begins in a row of SELECT_EVENTS_AND_POOLS."""

SELECT_CATEGORIES = f"SELECT {CATEGORY_COLUMNS} FROM event_categories WHERE {{}} IN ({{{{}}}})"  # noqa: S608

SELECT_SEATS_BY_LABEL = (
    f"SELECT {of('s', SEAT_COLUMNS)} FROM events e "  # noqa: S608
    "JOIN seats s ON s.account_id = e.account_id AND s.event_id = e.id "
    "WHERE e.account_id = ? AND e.event = ? AND s.seat IN ({})"
)

SELECT_LINES = (
    f"SELECT {of('l', LINE_COLUMNS)}, (SELECT r.version FROM reservations r WHERE r.id = l.reservation_id), "  # noqa: S608
    f"{of('s', SEAT_COLUMNS)} "
    "FROM reservation_lines l LEFT JOIN seats s ON s.id = l.seat_id WHERE l.reservation_id IN ({})"
)
"""With the version of their reservation that they belong to, and with their seats."""
LINE_VERSION, LINE_SEAT = 11, 12
"""Where these are in a row of SELECT_LINES."""

SELECT_HOLDERS = (
    "SELECT l.seat_id, r.id, r.state, r.lapses_at FROM reservation_lines l "
    "JOIN reservations r ON r.id = l.reservation_id WHERE l.live = 1 AND l.seat_id IN ({})"
)
"""Who has a seat now: its one live line (R1)."""


class Loader:
    """Fills one snapshot over one transaction."""

    def __init__(self, transaction: Transaction, work: Snapshot, front_rows: Mapping[bytes, int]) -> None:
        self.transaction = transaction
        self.work = work
        self._row_counts = front_rows
        self._asked: dict[bytes, int] = {}
        self._holders_asked: set[bytes] = set()
        self._event_names: set[EventName] = set()
        self._settled: set[EventName] = set()  # whether there is such an event is known
        self._with_pools: set[EventName] = set()

    async def _in_list(self, sql: str, values: Collection[bytes], *before: bytes | int) -> list[Row]:
        """All rows of a SELECT whose last condition is `IN ({})`, in sorted chunks."""
        found: list[Row] = []
        for part in chunks(sorted(set(values))):
            places, bound = padded(part)
            found.extend(await self.transaction.rows(sql.format(places), (*before, *bound)))
        return found

    def name_events(self, names: Iterable[EventName]) -> None:
        """Events that are wanted: read after their seats, by `events_and_pools`."""
        self._event_names.update(names)

    async def _events(self, names: Iterable[EventName]) -> None:
        """By account and name; absent ones stay absent."""
        asked = set(names) - self._settled
        self._settled |= asked
        for account_id, wanted in _by_account(asked).items():
            for row in await self._in_list(SELECT_EVENTS, wanted, account_id):
                self._keep_event(row)

    def _keep_event(self, row: Row) -> None:
        event = event_of(row)
        self.work.events[event.account_id, event.event] = event
        self.work.event_categories.setdefault(event.id, ())

    async def stock_by_name(self, names: Iterable[StockName]) -> None:
        """By account and SKU: all locations of the SKU, so that a wrong location is told from a wrong SKU."""
        by_account = _by_account((account_id, sku) for account_id, sku, _ in names)
        for account_id, wanted in by_account.items():
            sql = f"SELECT {STOCK_COLUMNS} FROM stock_items WHERE account_id = ? AND sku IN ({{}})"  # noqa: S608
            self._keep_stock(await self._in_list(sql, wanted, account_id))

    async def stock_by_id(self, ids: Iterable[bytes]) -> None:
        missing = [stock_id for stock_id in ids if stock_id not in self.work.stock.rows]
        if missing:
            sql = f"SELECT {STOCK_COLUMNS} FROM stock_items WHERE id IN ({{}})"  # noqa: S608
            self._keep_stock(await self._in_list(sql, missing))

    async def categories_by_id(self, ids: Collection[bytes]) -> None:
        for row in await self._in_list(SELECT_CATEGORIES.format("id"), ids) if ids else ():
            self._keep_category(row)

    async def seats_by_id(self, ids: Collection[bytes]) -> None:
        sql = f"SELECT {SEAT_COLUMNS} FROM seats WHERE id IN ({{}})"  # noqa: S608
        for row in await self._in_list(sql, ids) if ids else ():
            self._keep_seat(row)

    def _keep_stock(self, rows: Iterable[Row]) -> None:
        for row in rows:
            item = stock_of(row)
            self.work.stock.rows.setdefault(item.id, item)
            self.work.stock_ids.rows[item.account_id, item.sku, item.location] = item.id

    async def hold_defaults(self, account_ids: Collection[bytes]) -> None:
        """An account's own hold_seconds and hold_seconds_max, for stock alone."""
        sql = "SELECT id, hold_seconds, hold_seconds_max FROM accounts WHERE id IN ({})"
        for row in await self._in_list(sql, account_ids):
            self.work.hold_defaults[bytes(row[0])] = (row[1], row[2])

    async def external_references(self, names: Iterable[tuple[bytes, str]]) -> None:
        for account_id, wanted in _by_account(names).items():
            sql = (
                "SELECT external_reference, reference FROM reservations "
                "WHERE account_id = ? AND external_reference IN ({})"
            )
            for row in await self._in_list(sql, wanted, account_id):
                self.work.external_references.rows[account_id, row[0].decode()] = row[1].decode()

    async def adjustments(self, names: Iterable[tuple[StockName, str]]) -> None:
        by_item: dict[bytes, list[bytes]] = {}
        for name, reference in names:
            stock_id = self.work.stock_ids.rows.get(name)
            if stock_id is not None:
                by_item.setdefault(stock_id, []).append(reference.encode())
        for stock_id, references in by_item.items():
            account_id = self.work.stock.rows[stock_id].account_id
            sql = (
                "SELECT reference, delta, reason, actor, adjusted_at, body FROM stock_adjustments "
                "WHERE account_id = ? AND stock_item_id = ? AND reference IN ({})"
            )
            for row in await self._in_list(sql, references, account_id, stock_id):
                self.work.adjustments.rows[stock_id, row[0].decode()] = Adjustment(
                    stock_item_id=stock_id,
                    account_id=account_id,
                    reference=row[0].decode(),
                    delta=row[1],
                    reason=text_of(row[2]),
                    actor=row[3].decode(),
                    at=row[4],
                    body=bytes(row[5]),
                )

    async def reservations_by_reference(self, names: Iterable[tuple[bytes, str]]) -> None:
        """With their lines and the units of these."""
        rows: list[Row] = []
        for account_id, wanted in _by_account(names).items():
            sql = f"SELECT {RESERVATION_COLUMNS} FROM reservations WHERE account_id = ? AND reference IN ({{}})"  # noqa: S608
            rows.extend(await self._in_list(sql, wanted, account_id))
        await self._keep_reservations(rows)

    async def reservations_by_id(self, ids: Iterable[bytes]) -> None:
        missing = [reservation_id for reservation_id in ids if reservation_id not in self.work.reservations.rows]
        if missing:
            sql = f"SELECT {RESERVATION_COLUMNS} FROM reservations WHERE id IN ({{}})"  # noqa: S608
            await self._keep_reservations(await self._in_list(sql, missing))

    async def _keep_reservations(self, rows: list[Row]) -> None:
        fresh = {bytes(row[0]): row for row in rows if bytes(row[0]) not in self.work.reservations.rows}
        if not fresh:
            return
        lines: dict[bytes, list[Line]] = {reservation_id: [] for reservation_id in fresh}
        for row in await self._in_list(SELECT_LINES, fresh):
            reservation_id = bytes(row[0])
            if row[LINE_VERSION] != fresh[reservation_id][6]:
                # No guard would find it out where nothing is to be changed: the answer would show what never was.
                raise Conflict("a reservation moved on before its lines were read")
            lines[reservation_id].append(line_of(row))
            if row[LINE_SEAT] is not None:
                self._keep_seat(row[LINE_SEAT:])
        pools = await self._pools_of([key for key, row in fresh.items() if row[5] == b"pending"])
        for reservation_id, row in fresh.items():
            ordered = tuple(sorted(lines[reservation_id], key=lambda line: line.number))
            kept = reservation_of(row, ordered, tuple(sorted(pools.get(reservation_id, ()))))
            self.work.reservations.rows[kept.id] = kept
            self.work.references.rows[kept.account_id, kept.reference] = kept.id
        touched = [line for ordered in lines.values() for line in ordered]
        await self.stock_by_id(line.inventory_id for line in touched if line.is_stock)
        await self.stock_by_id(pool_id for pool_ids in pools.values() for pool_id in pool_ids)

    async def _pools_of(self, reservation_ids: list[bytes]) -> dict[bytes, list[bytes]]:
        pools: dict[bytes, list[bytes]] = {}
        sql = "SELECT reservation_id, pool_id FROM waiters WHERE reservation_id IN ({})"
        for row in await self._in_list(sql, reservation_ids) if reservation_ids else ():
            pools.setdefault(bytes(row[0]), []).append(bytes(row[1]))
        missing = {pool_id for pool_ids in pools.values() for pool_id in pool_ids} - self.work.categories.rows.keys()
        await self.categories_by_id(missing)
        return pools

    async def seats_wanted(self, wanted: Sequence[tuple[bytes, RequestLine]]) -> None:
        """Seats by label; for best available the whole section, or the front rows of the event."""
        labels: dict[EventName, list[bytes]] = {}
        areas: set[tuple[EventName, str | None]] = set()
        for account_id, line in wanted:
            if isinstance(line, SeatsLine):
                labels.setdefault((account_id, line.event), []).extend(label.encode() for label in line.seats)
            elif isinstance(line, BestAvailableLine):
                areas.add(((account_id, line.event), line.section))
        for (account_id, name), wanted_labels in sorted(labels.items()):
            for row in await self._in_list(SELECT_SEATS_BY_LABEL, wanted_labels, account_id, name.encode()):
                self._keep_seat(row)
        await self._events(name for name, _ in areas)
        for named, section in sorted(areas, key=lambda area: (area[0], area[1] or "")):
            event = self.work.events.get(named)
            if event is not None:
                await self._area(event, section)

    async def _area(self, event: Event, section: str | None) -> None:
        key = (event.id, section)
        if key in self.work.plans:
            return
        sql = f"SELECT {SEAT_COLUMNS} FROM seats WHERE event_id = ?"  # noqa: S608
        whole = True
        if section is not None:
            rows = await self.transaction.rows(f"{sql} AND section = ?", (event.id, section.encode()))
        else:
            count = self._row_counts.get(event.id, FRONT_ROWS)
            names = await self._rows_from_front(event)
            whole = len(names) <= count
            rows = await self._in_list(f"{sql} AND row_name IN ({{}})", names[:count], event.id) if names else []
        if section is not None and rows:
            self.work.sections.add((event.id, section))
        seats = [self._keep_seat(row) for row in rows]
        positions = [SeatPosition(seat.id, seat.section, seat.row, seat.number, seat.category_id) for seat in seats]
        self.work.plans[key] = SeatingPlan(positions, front_row=event.front_row)
        if whole:
            self.work.whole_plans.add(key)

    async def _rows_from_front(self, event: Event) -> list[bytes]:
        """Names of all rows of the event, the nearest to the front first."""
        rows = await self.transaction.rows("SELECT DISTINCT row_name FROM seats WHERE event_id = ?", (event.id,))
        return [name.encode() for name in nearest_first({row[0].decode() for row in rows}, event.front_row)]

    def _keep_seat(self, row: Row) -> Seat:
        """Of a row of SEAT_COLUMNS, unless an earlier one has been kept."""
        seat_id = bytes(row[0])
        seat = self.work.seats.rows.get(seat_id)
        if seat is None:
            seat = seat_of(row)
            self.work.seats.rows[seat_id] = seat
            self.work.seat_ids[seat.event_id, seat.seat] = seat_id
        return seat

    async def lapsed_holders(self, wanted: Sequence[tuple[bytes, RequestLine]]) -> None:
        """Reservations past their time whose units these lines might take, whole.

        Raises Conflict where one of them ended after its units were read: they would pass for held, and a refusal
        has no guard that would find it out.
        """
        lapsed = await self._lapsed_on_seats()
        for stock_id in self._short_stock(wanted):
            lapsed |= await self._lapsed_on_stock(stock_id)
        await self.reservations_by_id(lapsed)

    async def _lapsed_on_seats(self) -> set[bytes]:
        work = self.work
        loaded = {
            line.seat_id: reservation
            for reservation in work.reservations.rows.values()
            if reservation.state == "held"
            for line in reservation.lines
            if line.live and line.seat_id is not None
        }
        holders = {seat_id: kept.id for seat_id, kept in loaded.items() if kept.is_lapsed(work.now)}
        held = {seat_id for seat_id, seat in work.seats.rows.items() if seat.state == SEAT_HELD}
        unknown = held - loaded.keys() - self._holders_asked
        if unknown:
            self._holders_asked |= unknown
            rows = await self._in_list(SELECT_HOLDERS, unknown)
            await self._check_still_held(unknown - {bytes(row[0]) for row in rows})
            holders |= {bytes(row[0]): bytes(row[1]) for row in rows if row[2] == b"held" and row[3] <= work.now}
        work.holders.rows.update(holders)
        return set(holders.values())

    async def _check_still_held(self, seat_ids: Collection[bytes]) -> None:
        for row in await self._in_list("SELECT id, version FROM seats WHERE id IN ({})", seat_ids) if seat_ids else ():
            if row[1] != self.work.seats.rows[bytes(row[0])].version:
                raise Conflict("a hold ended after its seat was read")

    async def _lapsed_on_stock(self, stock_id: bytes) -> set[bytes]:
        found = await self.transaction.rows(
            "SELECT r.id FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id "
            "WHERE r.state = ? AND r.lapses_at <= ? AND l.inventory_id = ? AND l.live = 1 "
            "ORDER BY r.lapses_at LIMIT ?",
            (b"held", self.work.now, stock_id, LAPSED_MOST),
        )
        now = await self.transaction.rows(
            "SELECT on_hand - held - confirmed FROM stock_items WHERE id = ?", (stock_id,)
        )
        if now[0][0] > self.work.stock.rows[stock_id].available:
            raise Conflict("units came back after their stock item was read")
        self.work.lapsed_on_stock[stock_id] = [bytes(row[0]) for row in found]
        return set(self.work.lapsed_on_stock[stock_id])

    def _short_stock(self, wanted: Sequence[tuple[bytes, RequestLine]]) -> list[bytes]:
        """Stock items that cannot serve all that was asked for so far from what is available."""
        for account_id, line in wanted:
            if isinstance(line, StockLine):
                stock_id = self.work.stock_ids.rows.get((account_id, line.sku, line.location))
                if stock_id is not None:
                    self._asked[stock_id] = self._asked.get(stock_id, 0) + line.quantity
        return sorted(
            stock_id
            for stock_id, quantity in self._asked.items()
            if stock_id not in self.work.lapsed_on_stock and self.work.stock.rows[stock_id].available < quantity
        )

    async def events_and_pools(self) -> None:
        """The events that were named, and the categories of all events and seats, after the seats were read."""
        work = self.work
        named = self._event_names - self._with_pools
        # An event that was not there when it was asked for is not there now: what it has was not read.
        present = named - (self._settled - work.events.keys())
        for account_id, wanted in _by_account(present).items():
            rows = await self._in_list(SELECT_EVENTS_AND_POOLS, wanted, account_id)
            for row in rows:
                self._keep_event(row)
            self._keep_pools(row[EVENT_CATEGORY:] for row in rows if row[EVENT_CATEGORY] is not None)
        self._settled |= named
        self._with_pools |= named
        seated = {seat.event_id for seat in work.seats.rows.values()}
        missing = [event_id for event_id in seated if not work.event_categories.get(event_id)]
        if missing:
            self._keep_pools(await self._in_list(SELECT_CATEGORIES.format("event_id"), missing))

    def _keep_pools(self, rows: Iterable[Row]) -> None:
        """All categories of some events."""
        by_event: dict[bytes, list[bytes]] = {}
        for category in map(self._keep_category, rows):
            by_event.setdefault(category.event_id, []).append(category.id)
        self.work.event_categories.update({event_id: tuple(sorted(found)) for event_id, found in by_event.items()})

    def _keep_category(self, row: Row) -> Category:
        category = category_of(row)
        return self.work.categories.rows.setdefault(category.id, category)

    async def waiting(self, named: Mapping[bytes, int]) -> list[Reservation]:
        """Who else waits for any pool of the snapshot, oldest first; they are loaded with their units.

        Of the `named` pools as many as is said there.
        """
        work = self.work
        known = {reservation_id for found in work.waiting.rows.values() for reservation_id in found}
        pools = {pool_id for pool_id, category in work.categories.rows.items() if category.waiters}
        pools |= {pool_id for pool_id, item in work.stock.rows.items() if item.waiters}
        pools |= {pool_id for pool_id in named if pool_id in work.categories.rows or pool_id in work.stock.rows}
        by_pool: dict[bytes, list[bytes]] = {}
        for pool_id in sorted(pools - work.waiting.rows.keys()):
            rows = await self.transaction.rows(
                "SELECT reservation_id FROM waiters WHERE pool_id = ? ORDER BY reservation_id LIMIT ?",
                (pool_id, named.get(pool_id, WAITING_SEEN)),
            )
            by_pool[pool_id] = [bytes(row[0]) for row in rows]
        ids = {reservation_id for found in by_pool.values() for reservation_id in found} - known
        await self.reservations_by_id(ids)
        for pool_id, found in by_pool.items():
            work.waiting.rows[pool_id] = tuple(found)
        return [work.reservations.rows[reservation_id] for reservation_id in sorted(ids)]


def _by_account(names: Iterable[tuple[bytes, str]]) -> dict[bytes, list[bytes]]:
    grouped: dict[bytes, list[bytes]] = {}
    for account_id, name in names:
        grouped.setdefault(account_id, []).append(name.encode())
    return dict(sorted(grouped.items()))
