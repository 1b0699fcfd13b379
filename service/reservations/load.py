"""The queries behind `read.py`: each loads what is not loaded yet into the snapshot."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from service.database.drivers import Row
from service.database.errors import Conflict
from service.database.transaction import Transaction, chunks, padded
from service.inventory.seating import SeatingPlan, SeatPosition, nearest_first
from service.inventory.tables import SEAT_HELD
from service.reservations import records
from service.reservations.commands import WAITING_SEEN, BestAvailableLine, RequestLine, SeatsLine, StockLine
from service.reservations.records import Adjustment, Category, Event, Line, Reservation, Seat, StockItem, StockName
from service.reservations.snapshot import Snapshot

FRONT_ROWS = 12
"""Rows of an event that are read first for best available seats of any section; more where none of these fits."""

LAPSED_MOST = 1000

EVENT_COLUMNS = "id, account_id, event, hold_seconds, hold_seconds_max, sales, front_row"
CATEGORY_COLUMNS = "id, account_id, event_id, category, amount, currency, waiters, version"
SEAT_COLUMNS = "id, event_id, seat, section, row_name, number, category_id, state, version"
STOCK_COLUMNS = (
    "id, account_id, sku, location, description, on_hand, held, confirmed, amount, currency, waiters, version, "
    "definition_version"
)
RESERVATION_COLUMNS = (
    "id, account_id, reference, external_reference, customer, state, version, hold_seconds, hold_seconds_max, "
    "lapses_at, created_at, held_at, confirmed_at, ended_at, metadata, wanted"
)
LINE_COLUMNS = "reservation_id, line, inventory_id, seat_id, live, name, place, quantity, amount, currency, released_at"

SELECT_LINES = (
    f"SELECT {LINE_COLUMNS}, (SELECT r.version FROM reservations r WHERE r.id = reservation_id) "  # noqa: S608
    "FROM reservation_lines WHERE reservation_id IN ({})"
)
"""With the version of their reservation that they belong to."""

SELECT_HOLDERS = (
    "SELECT l.seat_id, r.id, r.state, r.lapses_at FROM reservation_lines l "
    "JOIN reservations r ON r.id = l.reservation_id WHERE l.live = 1 AND l.seat_id IN ({})"
)
"""Who has a seat now: its one live line (R1)."""


class Loader:
    """Fills one snapshot over one transaction."""

    def __init__(self, transaction: Transaction, work: Snapshot, front_rows: Mapping[bytes, int]) -> None:
        self._transaction = transaction
        self._work = work
        self._row_counts = front_rows
        self._asked: dict[bytes, int] = {}
        self._holders_asked: set[bytes] = set()

    async def _in_list(self, sql: str, values: Collection[bytes], *before: bytes | int) -> list[Row]:
        """All rows of a SELECT whose last condition is `IN ({})`, in sorted chunks."""
        found: list[Row] = []
        for part in chunks(sorted(set(values))):
            places, bound = padded(part)
            found.extend(await self._transaction.rows(sql.format(places), (*before, *bound)))
        return found

    async def events(self, names: Iterable[tuple[bytes, str]]) -> None:
        """By account and name, with their categories' ids; absent ones stay absent."""
        by_account = _by_account(
            (account_id, name) for account_id, name in names if (account_id, name) not in self._work.events
        )
        for account_id, wanted in by_account.items():
            sql = f"SELECT {EVENT_COLUMNS} FROM events WHERE account_id = ? AND event IN ({{}})"  # noqa: S608
            for row in await self._in_list(sql, wanted, account_id):
                event = Event(
                    bytes(row[0]), bytes(row[1]), row[2].decode(), row[3], row[4], row[5].decode(), _text(row[6])
                )
                self._work.events[account_id, event.event] = event
                self._work.event_categories.setdefault(event.id, ())

    async def stock_by_name(self, names: Iterable[StockName]) -> None:
        """By account and SKU: all locations of the SKU, so that a wrong location is told from a wrong SKU."""
        by_account = _by_account((account_id, sku) for account_id, sku, _ in names)
        for account_id, wanted in by_account.items():
            sql = f"SELECT {STOCK_COLUMNS} FROM stock_items WHERE account_id = ? AND sku IN ({{}})"  # noqa: S608
            self._keep_stock(await self._in_list(sql, wanted, account_id))

    async def stock_by_id(self, ids: Iterable[bytes]) -> None:
        missing = [stock_id for stock_id in ids if stock_id not in self._work.stock.rows]
        if missing:
            sql = f"SELECT {STOCK_COLUMNS} FROM stock_items WHERE id IN ({{}})"  # noqa: S608
            self._keep_stock(await self._in_list(sql, missing))

    def _keep_stock(self, rows: Iterable[Row]) -> None:
        for row in rows:
            item = StockItem(
                id=bytes(row[0]),
                account_id=bytes(row[1]),
                sku=row[2].decode(),
                location=row[3].decode(),
                description=row[4].decode(),
                on_hand=row[5],
                held=row[6],
                confirmed=row[7],
                amount=row[8],
                currency=row[9].decode(),
                waiters=row[10],
                version=row[11],
                definition_version=row[12],
            )
            self._work.stock.rows.setdefault(item.id, item)
            self._work.stock_ids.rows[item.account_id, item.sku, item.location] = item.id

    async def hold_defaults(self, account_ids: Collection[bytes]) -> None:
        """An account's own hold_seconds and hold_seconds_max, for stock alone."""
        sql = "SELECT id, hold_seconds, hold_seconds_max FROM accounts WHERE id IN ({})"
        for row in await self._in_list(sql, account_ids):
            self._work.hold_defaults[bytes(row[0])] = (row[1], row[2])

    async def external_references(self, names: Iterable[tuple[bytes, str]]) -> None:
        for account_id, wanted in _by_account(names).items():
            sql = (
                "SELECT external_reference, reference FROM reservations "
                "WHERE account_id = ? AND external_reference IN ({})"
            )
            for row in await self._in_list(sql, wanted, account_id):
                self._work.external_references.rows[account_id, row[0].decode()] = row[1].decode()

    async def adjustments(self, names: Iterable[tuple[StockName, str]]) -> None:
        by_item: dict[bytes, list[bytes]] = {}
        for name, reference in names:
            stock_id = self._work.stock_ids.rows.get(name)
            if stock_id is not None:
                by_item.setdefault(stock_id, []).append(reference.encode())
        for stock_id, references in by_item.items():
            account_id = self._work.stock.rows[stock_id].account_id
            sql = (
                "SELECT reference, delta, reason, actor, adjusted_at, body FROM stock_adjustments "
                "WHERE account_id = ? AND stock_item_id = ? AND reference IN ({})"
            )
            for row in await self._in_list(sql, references, account_id, stock_id):
                self._work.adjustments.rows[stock_id, row[0].decode()] = Adjustment(
                    stock_item_id=stock_id,
                    account_id=account_id,
                    reference=row[0].decode(),
                    delta=row[1],
                    reason=_text(row[2]),
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
        missing = [reservation_id for reservation_id in ids if reservation_id not in self._work.reservations.rows]
        if missing:
            sql = f"SELECT {RESERVATION_COLUMNS} FROM reservations WHERE id IN ({{}})"  # noqa: S608
            await self._keep_reservations(await self._in_list(sql, missing))

    async def _keep_reservations(self, rows: list[Row]) -> None:
        fresh = {bytes(row[0]): row for row in rows if bytes(row[0]) not in self._work.reservations.rows}
        if not fresh:
            return
        lines: dict[bytes, list[Line]] = {reservation_id: [] for reservation_id in fresh}
        for row in await self._in_list(SELECT_LINES, fresh):
            reservation_id = bytes(row[0])
            if row[-1] != fresh[reservation_id][6]:
                # No guard would find it out where nothing is to be changed: the answer would show what never was.
                raise Conflict("a reservation moved on before its lines were read")
            lines[reservation_id].append(line(row))
        pools = await self._pools_of([key for key, row in fresh.items() if row[5] == b"pending"])
        for reservation_id, row in fresh.items():
            ordered = tuple(sorted(lines[reservation_id], key=lambda line: line.number))
            kept = reservation(row, ordered, tuple(sorted(pools.get(reservation_id, ()))))
            self._work.reservations.rows[kept.id] = kept
            self._work.references.rows[kept.account_id, kept.reference] = kept.id
        touched = [line for ordered in lines.values() for line in ordered]
        await self._seats_by_id(line.seat_id for line in touched if line.seat_id is not None)
        await self.stock_by_id(line.inventory_id for line in touched if line.is_stock)
        await self.stock_by_id(pool_id for pool_ids in pools.values() for pool_id in pool_ids)

    async def _pools_of(self, reservation_ids: list[bytes]) -> dict[bytes, list[bytes]]:
        pools: dict[bytes, list[bytes]] = {}
        sql = "SELECT reservation_id, pool_id FROM waiters WHERE reservation_id IN ({})"
        for row in await self._in_list(sql, reservation_ids) if reservation_ids else ():
            pools.setdefault(bytes(row[0]), []).append(bytes(row[1]))
        missing = {pool_id for pool_ids in pools.values() for pool_id in pool_ids} - self._work.categories.rows.keys()
        if missing:
            await self._categories("id", missing)
        return pools

    async def seats_wanted(self, wanted: Sequence[tuple[bytes, RequestLine]]) -> None:
        """Seats by label; for best available the whole section, or the front rows of the event."""
        labels: dict[bytes, list[bytes]] = {}
        areas: set[tuple[Event, str | None]] = set()
        for account_id, line in wanted:
            event = None if isinstance(line, StockLine) else self._work.events.get((account_id, line.event))
            if event is None:
                continue
            if isinstance(line, SeatsLine):
                labels.setdefault(event.id, []).extend(label.encode() for label in line.seats)
            elif isinstance(line, BestAvailableLine):
                areas.add((event, line.section))
        for event_id, wanted_labels in labels.items():
            sql = (
                f"SELECT {SEAT_COLUMNS} FROM seats "  # noqa: S608
                "WHERE account_id = ? AND event_id = ? AND seat IN ({})"
            )
            account_id = next(event.account_id for event in self._work.events.values() if event.id == event_id)
            self._keep_seats(await self._in_list(sql, wanted_labels, account_id, event_id))
        for event, section in sorted(areas, key=lambda area: (area[0].id, area[1] or "")):
            await self._area(event, section)

    async def _area(self, event: Event, section: str | None) -> None:
        key = (event.id, section)
        if key in self._work.plans:
            return
        sql = f"SELECT {SEAT_COLUMNS} FROM seats WHERE event_id = ?"  # noqa: S608
        whole = True
        if section is not None:
            rows = await self._transaction.rows(f"{sql} AND section = ?", (event.id, section.encode()))
        else:
            count = self._row_counts.get(event.id, FRONT_ROWS)
            names = await self._rows_from_front(event)
            whole = len(names) <= count
            rows = await self._in_list(f"{sql} AND row_name IN ({{}})", names[:count], event.id) if names else []
        if section is not None and rows:
            self._work.sections.add((event.id, section))
        seats = self._keep_seats(rows)
        positions = [SeatPosition(seat.id, seat.section, seat.row, seat.number, seat.category_id) for seat in seats]
        self._work.plans[key] = SeatingPlan(positions, front_row=event.front_row)
        if whole:
            self._work.whole_plans.add(key)

    async def _rows_from_front(self, event: Event) -> list[bytes]:
        """Names of all rows of the event, the nearest to the front first."""
        rows = await self._transaction.rows("SELECT DISTINCT row_name FROM seats WHERE event_id = ?", (event.id,))
        return [name.encode() for name in nearest_first({row[0].decode() for row in rows}, event.front_row)]

    async def _seats_by_id(self, ids: Iterable[bytes]) -> None:
        missing = [seat_id for seat_id in ids if seat_id not in self._work.seats.rows]
        if missing:
            sql = f"SELECT {SEAT_COLUMNS} FROM seats WHERE id IN ({{}})"  # noqa: S608
            self._keep_seats(await self._in_list(sql, missing))

    def _keep_seats(self, rows: Iterable[Row]) -> list[Seat]:
        seats = []
        for row in rows:
            seat_id = bytes(row[0])
            seat = self._work.seats.rows.get(seat_id)
            if seat is None:
                seat = Seat(
                    seat_id,
                    bytes(row[1]),
                    row[2].decode(),
                    row[3].decode(),
                    row[4].decode(),
                    row[5].decode(),
                    bytes(row[6]),
                    row[7],
                    row[8],
                )
                self._work.seats.rows[seat_id] = seat
                self._work.seat_ids[seat.event_id, seat.seat] = seat_id
            seats.append(seat)
        return seats

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
        work = self._work
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
            if row[1] != self._work.seats.rows[bytes(row[0])].version:
                raise Conflict("a hold ended after its seat was read")

    async def _lapsed_on_stock(self, stock_id: bytes) -> set[bytes]:
        found = await self._transaction.rows(
            "SELECT r.id FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id "
            "WHERE r.state = ? AND r.lapses_at <= ? AND l.inventory_id = ? AND l.live = 1 "
            "ORDER BY r.lapses_at LIMIT ?",
            (b"held", self._work.now, stock_id, LAPSED_MOST),
        )
        now = await self._transaction.rows(
            "SELECT on_hand - held - confirmed FROM stock_items WHERE id = ?", (stock_id,)
        )
        if now[0][0] > self._work.stock.rows[stock_id].available:
            raise Conflict("units came back after their stock item was read")
        self._work.lapsed_on_stock[stock_id] = [bytes(row[0]) for row in found]
        return set(self._work.lapsed_on_stock[stock_id])

    def _short_stock(self, wanted: Sequence[tuple[bytes, RequestLine]]) -> list[bytes]:
        """Stock items that cannot serve all that was asked for so far from what is available."""
        for account_id, line in wanted:
            if isinstance(line, StockLine):
                stock_id = self._work.stock_ids.rows.get((account_id, line.sku, line.location))
                if stock_id is not None:
                    self._asked[stock_id] = self._asked.get(stock_id, 0) + line.quantity
        return sorted(
            stock_id
            for stock_id, quantity in self._asked.items()
            if stock_id not in self._work.lapsed_on_stock and self._work.stock.rows[stock_id].available < quantity
        )

    async def pools(self) -> None:
        """The categories of all events and seats in the snapshot, after these were read."""
        work = self._work
        event_ids = {event.id for event in work.events.values()} | {seat.event_id for seat in work.seats.rows.values()}
        missing = [event_id for event_id in event_ids if not work.event_categories.get(event_id)]
        if missing:
            await self._categories("event_id", missing)

    async def _categories(self, column: str, ids: Collection[bytes]) -> None:
        sql = f"SELECT {CATEGORY_COLUMNS} FROM event_categories WHERE {column} IN ({{}})"  # noqa: S608
        by_event: dict[bytes, list[bytes]] = {}
        for row in await self._in_list(sql, ids):
            category = Category(
                bytes(row[0]), bytes(row[1]), bytes(row[2]), row[3].decode(), row[4], row[5].decode(), row[6], row[7]
            )
            self._work.categories.rows.setdefault(category.id, category)
            by_event.setdefault(category.event_id, []).append(category.id)
        if column == "event_id":
            self._work.event_categories.update({event_id: tuple(sorted(found)) for event_id, found in by_event.items()})

    async def waiting(self, named: Mapping[bytes, int]) -> list[Reservation]:
        """Who else waits for any pool of the snapshot, oldest first; they are loaded with their units.

        Of the `named` pools as many as is said there.
        """
        work = self._work
        known = {reservation_id for found in work.waiting.rows.values() for reservation_id in found}
        pools = {pool_id for pool_id, category in work.categories.rows.items() if category.waiters}
        pools |= {pool_id for pool_id, item in work.stock.rows.items() if item.waiters}
        pools |= {pool_id for pool_id in named if pool_id in work.categories.rows or pool_id in work.stock.rows}
        by_pool: dict[bytes, list[bytes]] = {}
        for pool_id in sorted(pools - work.waiting.rows.keys()):
            rows = await self._transaction.rows(
                "SELECT reservation_id FROM waiters WHERE pool_id = ? ORDER BY reservation_id LIMIT ?",
                (pool_id, named.get(pool_id, WAITING_SEEN)),
            )
            by_pool[pool_id] = [bytes(row[0]) for row in rows]
        ids = {reservation_id for found in by_pool.values() for reservation_id in found} - known
        await self.reservations_by_id(ids)
        for pool_id, found in by_pool.items():
            work.waiting.rows[pool_id] = tuple(found)
        return [work.reservations.rows[reservation_id] for reservation_id in sorted(ids)]


def reservation(row: Row, lines: tuple[Line, ...], pools: tuple[bytes, ...] = ()) -> Reservation:
    """A row of RESERVATION_COLUMNS with its lines."""
    return records.Reservation(
        id=bytes(row[0]),
        account_id=bytes(row[1]),
        reference=row[2].decode(),
        external_reference=_text(row[3]),
        customer=_text(row[4]),
        state=row[5].decode(),
        version=row[6],
        hold_seconds=row[7],
        hold_seconds_max=row[8],
        lapses_at=row[9],
        created_at=row[10],
        held_at=row[11],
        confirmed_at=row[12],
        ended_at=row[13],
        metadata=None if row[14] is None else bytes(row[14]),
        wanted=None if row[15] is None else bytes(row[15]),
        pools=pools,
        lines=lines,
    )


def line(row: Row) -> Line:
    seat_id = None if row[3] is None else bytes(row[3])
    place = _text(row[6])
    return Line(
        number=row[1],
        inventory_id=bytes(row[2]),
        name=row[5].decode(),
        place=place,
        seat_id=seat_id,
        quantity=row[7],
        amount=row[8],
        currency=_text(row[9]),
        is_stock=seat_id is None and place is not None,
        live=row[4] == 1,
        released_at=row[10],
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def _by_account(names: Iterable[tuple[bytes, str]]) -> dict[bytes, list[bytes]]:
    grouped: dict[bytes, list[bytes]] = {}
    for account_id, name in names:
        grouped.setdefault(account_id, []).append(name.encode())
    return dict(sorted(grouped.items()))
