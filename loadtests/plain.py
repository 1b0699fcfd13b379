"""The plain implementation that the benchmark compares with: the same service, one transaction for each request.

`python -m loadtests.plain serve --port …` is `holdfast serve` with `PlainEngine` in the engine's place. HTTP, checks,
tables, stored answers, messages, pool and COMMIT are the same code, and what differs is the engine: no lanes, no
batches, no joining of duplicates. It is written as well as that goes:

- One SELECT reads all that a request needs, the clock and the record of its key included.
- The INSERTs come first and the UPDATE of the seat or the stock item last, so that a wanted row is locked for little
  more than the COMMIT.
- Stock is counted by a conditional UPDATE, which needs no retry while there is enough.
- Statements are prepared, and go through SQLAlchemy's connection in its leanest way, without building them anew.

With HOLDFAST_TEST_PLAIN=driver they go straight to the driver, as the service's own do. Few would write that, but it is
as fast as one transaction for each request gets here, so the benchmark shows both.

It holds one seat or one stock item, confirms and releases. It knows nothing of waiting and of best available seats, and
leaves lapsed holds to the sweep. R1 to R8 hold for it too: the auditor judges its database.
"""

import asyncio
import os
import random
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from service import app, cli
from service.database import transaction as transactions
from service.database.dialects import MYSQL
from service.database.drivers import Row, Values, driver_of
from service.database.errors import CommitUnknown, Conflict, Disconnected, StoreUnreachable
from service.database.store import Store
from service.database.transaction import Transaction
from service.idempotency.in_flight import InFlight
from service.idempotency.records import StoredAnswer, insert_records, record_row, refusal_answer, select_records
from service.ids import new_id, new_reference, show_reference
from service.inventory.tables import SEAT_AVAILABLE, SEAT_CONFIRMED, SEAT_HELD
from service.problems import row_of
from service.refusals import (
    ExternalReferenceExists,
    HoldExpired,
    InvalidRequest,
    InventoryUnavailable,
    NotFound,
    Refusal,
    SalesClosed,
    StateConflict,
    StoreUnavailable,
    UnavailableSeats,
    UnavailableStock,
    VersionConflict,
)
from service.reservations import rows as reading
from service.reservations.commands import (
    Command,
    ConfirmReservation,
    CreateReservation,
    ReleaseReservation,
    ReservationCommand,
    SeatsLine,
    StockLine,
)
from service.reservations.records import Line, Reservation
from service.reservations.states import transition
from service.reservations.views import reservation_body
from service.reservations.write import LINE_COLUMNS, MESSAGE_COLUMNS, RESERVATION_COLUMNS
from service.settings import Settings

ATTEMPTS: Final = 12
HAS_RECORD: Final = "(SELECT COUNT(*) FROM idempotency_records k WHERE k.scope_hash = ?)"

SELECT_SEAT: Final = f"""
SELECT {MYSQL.clock}, {HAS_RECORD}, e.id, e.hold_seconds, e.hold_seconds_max, e.sales, s.id, s.state, s.version,
       c.amount, c.currency
FROM events e LEFT JOIN seats s ON s.account_id = e.account_id AND s.event_id = e.id AND s.seat = ?
LEFT JOIN event_categories c ON c.id = s.category_id
WHERE e.account_id = ? AND e.event = ?
"""  # noqa: S608 - expressions of our own

SELECT_STOCK: Final = f"""
SELECT {MYSQL.clock}, {HAS_RECORD}, a.hold_seconds, a.hold_seconds_max, i.id, i.on_hand - i.held - i.confirmed,
       i.amount, i.currency
FROM accounts a LEFT JOIN stock_items i ON i.account_id = a.id AND i.sku = ? AND i.location = ?
WHERE a.id = ?
"""  # noqa: S608

SELECT_RESERVATION: Final = f"""
SELECT {MYSQL.clock}, {HAS_RECORD},
       {reading.of("r", reading.RESERVATION_COLUMNS)}, {reading.of("l", reading.LINE_COLUMNS)}
FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id
WHERE r.account_id = ? AND r.reference = ? ORDER BY l.line
"""  # noqa: S608
FIRST_OF_LINE: Final = 2 + len(RESERVATION_COLUMNS)

TAKE_SEAT = "UPDATE seats SET state = ?, version = version + 1 WHERE id = ? AND version = ? AND state = ?"
MOVE_SEAT = "UPDATE seats SET state = ?, version = version + 1 WHERE id = ? AND state = ?"
TAKE_STOCK = (
    "UPDATE stock_items SET held = held + ?, version = version + 1 WHERE id = ? AND held + confirmed + ? <= on_hand"
)
MOVE_STOCK = "UPDATE stock_items SET held = held - ?, confirmed = confirmed + ?, version = version + 1 WHERE id = ?"
MOVE_RESERVATION = (
    "UPDATE reservations SET state = ?, version = version + 1, lapses_at = NULL, confirmed_at = ?, ended_at = ? "
    "WHERE id = ? AND version = ? AND state = ?"
)
GIVE_LINES_BACK = "UPDATE reservation_lines SET live = NULL, released_at = ? WHERE reservation_id = ? AND live = 1"


class PlainEngine:
    """Answers a command by a transaction of its own. The face of CommandEngine, as far as this application asks it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self.in_flight = InFlight(settings.deadline_seconds)  # stays empty: duplicates meet at the records' unique key

    async def start(self) -> None:
        """Nothing runs in the background."""

    async def drain(self) -> None:
        """Each request waits for its own transaction; uvicorn waits for the requests."""

    async def submit(self, command: Command) -> StoredAnswer:
        """The answer of a command, after its COMMIT. Raises refusals that no record keeps, StoreUnavailable."""
        for attempt in range(ATTEMPTS):
            batch_id = new_id()
            try:
                async with self._store.begin(batch_id) as transaction:
                    return await _Request(transaction, command, batch_id).answer()
            except (Conflict, Disconnected):  # another was first, a duplicate of this request included
                await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, 0.1)))
            except (StoreUnreachable, CommitUnknown) as error:
                raise StoreUnavailable(retry_after_s=1) from error
        raise StoreUnavailable(retry_after_s=1)


class _Request:
    """One command in its transaction."""

    def __init__(self, transaction: Transaction, command: Command, batch_id: bytes) -> None:
        self._transaction = transaction
        self._command = command
        self._batch_id = batch_id
        self._hash = b"" if command.key is None else command.key.scope_hash

    async def answer(self) -> StoredAnswer:
        try:
            if isinstance(self._command, CreateReservation):
                return await self._create(self._command)
            if isinstance(self._command, (ConfirmReservation, ReleaseReservation)):
                return await self._act(self._command)
            raise _beyond()
        except Refusal as refusal:
            key = self._command.key
            if key is None or not row_of(refusal).stored:
                raise
            now = await self._transaction.now_ms()
            answer = refusal_answer(refusal, self._command.request_id)
            await insert_records(self._transaction, [record_row(key, answer, now, None)])
            return replace(answer, expires_at=now + key.keep_ms)

    async def _create(self, command: CreateReservation) -> StoredAnswer:
        if len(command.lines) > 1 or command.wait:
            raise _beyond()
        line = command.lines[0]
        if isinstance(line, SeatsLine) and len(line.seats) == 1:
            return await self._hold_seat(command, line)
        if isinstance(line, StockLine):
            return await self._hold_stock(command, line)
        raise _beyond()

    async def _read(self, sql: str, *values: object) -> tuple[Sequence[Any], StoredAnswer | None]:
        """Rows of one of the SELECTs above, or the stored answer of this request. Raises IdempotencyKeyReused."""
        rows = await self._transaction.rows(sql, (self._hash, *values))
        key = self._command.key
        if key is not None and (not rows or rows[0][1]):
            record = (await select_records(self._transaction, [key.scope_hash]))[1].get(key.scope_hash)
            if record is not None:
                return rows, record.replay(key)
        return rows, None

    async def _hold_seat(self, command: CreateReservation, wanted: SeatsLine) -> StoredAnswer:
        seat_label = wanted.seats[0]
        rows, stored = await self._read(SELECT_SEAT, seat_label.encode(), command.account_id, wanted.event.encode())
        if stored is not None:
            return stored
        if not rows:
            raise NotFound(kind="event", name=wanted.event)
        now, _, event_id, usual, most, sales, seat_id, state, version, amount, currency = rows[0]
        if seat_id is None:
            raise NotFound(kind="seat", name=seat_label)
        hold_seconds = _hold_seconds(command, usual, most)
        await self._check_external_reference(command)
        if sales != b"open":
            raise SalesClosed(event=wanted.event)
        if state != SEAT_AVAILABLE:
            taken = UnavailableSeats(line=1, event=wanted.event, seats=[seat_label])
            raise InventoryUnavailable(unavailable=[taken])
        line = _line(event_id, wanted.event, seat_label, seat_id, 1, amount, currency)
        answer = await self._insert(command, _held(command, line, now, hold_seconds, most), now)
        await self._must_match(TAKE_SEAT, (SEAT_HELD, seat_id, version, SEAT_AVAILABLE))
        return answer

    async def _hold_stock(self, command: CreateReservation, wanted: StockLine) -> StoredAnswer:
        quantity = wanted.quantity
        rows, stored = await self._read(SELECT_STOCK, wanted.sku.encode(), wanted.location.encode(), command.account_id)
        if stored is not None:
            return stored
        now, _, usual, most, item_id, available, amount, currency = rows[0]
        if item_id is None:
            raise await self._no_such_stock(command, wanted)
        hold_seconds = _hold_seconds(command, usual, most)
        await self._check_external_reference(command)
        if available < quantity:
            short = UnavailableStock(
                line=1, sku=wanted.sku, location=wanted.location, requested=quantity, available=max(available, 0)
            )
            raise InventoryUnavailable(unavailable=[short])
        line = _line(item_id, wanted.sku, wanted.location, None, quantity, amount * quantity, currency)
        answer = await self._insert(command, _held(command, line, now, hold_seconds, most), now)
        await self._must_match(TAKE_STOCK, (quantity, item_id, quantity))
        return answer

    async def _no_such_stock(self, command: CreateReservation, wanted: StockLine) -> NotFound:
        sql = "SELECT 1 FROM stock_items WHERE account_id = ? AND sku = ? LIMIT 1"
        if await self._transaction.rows(sql, (command.account_id, wanted.sku.encode())):
            return NotFound(kind="location", name=wanted.location)
        return NotFound(kind="sku", name=wanted.sku)

    async def _check_external_reference(self, command: CreateReservation) -> None:
        if command.external_reference is None:
            return
        sql = "SELECT reference FROM reservations WHERE account_id = ? AND external_reference = ?"
        rows = await self._transaction.rows(sql, (command.account_id, command.external_reference.encode()))
        if rows:
            shown = show_reference(rows[0][0].decode())
            raise ExternalReferenceExists(reference=shown, location=f"/v1/reservations/{shown}")

    async def _insert(self, command: CreateReservation, made: Reservation, now: int) -> StoredAnswer:
        line = made.lines[0]
        answer = await self._insert_told(made, None, now, created=True)
        await self._transaction.insert(
            "reservations",
            RESERVATION_COLUMNS,
            [
                (
                    made.id, made.account_id, made.reference.encode(), _bytes(made.external_reference),
                    _bytes(made.customer), b"held", 1, made.hold_seconds, made.hold_seconds_max, made.lapses_at, now,
                    now, None, None, command.metadata, None,
                )
            ],
        )  # fmt: skip
        await self._transaction.insert(
            "reservation_lines",
            LINE_COLUMNS,
            [
                (
                    made.id, 1, made.account_id, line.inventory_id, line.seat_id, 1, line.name.encode(),
                    _bytes(line.place), line.quantity, line.amount, _bytes(line.currency), None,
                )
            ],
        )  # fmt: skip
        return answer

    async def _act(self, command: ConfirmReservation | ReleaseReservation) -> StoredAnswer:
        rows, stored = await self._read(SELECT_RESERVATION, command.account_id, command.reference.encode())
        if stored is not None:
            return stored
        if not rows:
            raise NotFound(kind="reservation", name=show_reference(command.reference))
        now = rows[0][0]
        lines = tuple(reading.line_of(row[FIRST_OF_LINE:]) for row in rows)
        before = reading.reservation_of(rows[0][2:FIRST_OF_LINE], lines)
        if command.if_match is not None and command.if_match != before.version:
            raise VersionConflict(version=before.version)
        confirms = isinstance(command, ConfirmReservation)
        if before.state == ("confirmed" if confirms else "released"):
            return await self._unchanged(before, now)
        _check_held(command, before, now)
        after = _confirmed(before, now) if confirms else _released(before, now)
        answer = await self._insert_told(after, before, now)
        times = (after.confirmed_at, after.ended_at)
        await self._must_match(
            MOVE_RESERVATION, (after.state.encode(), *times, before.id, before.version, before.state.encode())
        )
        if not confirms:
            await self._transaction.change(GIVE_LINES_BACK, (now, before.id))
        for line in before.live_lines:
            await self._move_unit(line, confirms=confirms)
        return answer

    async def _move_unit(self, line: Line, *, confirms: bool) -> None:
        if line.seat_id is None:
            kept = line.quantity if confirms else 0
            await self._must_match(MOVE_STOCK, (line.quantity, kept, line.inventory_id))
        else:
            state = SEAT_CONFIRMED if confirms else SEAT_AVAILABLE
            await self._must_match(MOVE_SEAT, (state, line.seat_id, SEAT_HELD))

    async def _unchanged(self, found: Reservation, now: int) -> StoredAnswer:
        answer = StoredAnswer(status=200, body=reservation_body(found, now), etag=f'"{found.version}"')
        key = self._command.key
        if key is None:
            return answer
        await insert_records(self._transaction, [record_row(key, answer, now, None)])
        return replace(answer, expires_at=now + key.keep_ms)

    async def _insert_told(
        self, after: Reservation, before: Reservation | None, now: int, *, created: bool = False
    ) -> StoredAnswer:
        """The record of the key, the message, and its place in the outbox; the answer that they keep."""
        command = self._command
        location = f"/v1/reservations/{show_reference(after.reference)}" if created else None
        answer = StoredAnswer(
            status=201 if created else 200,
            body=reservation_body(after, now),
            location=location,
            etag=f'"{after.version}"',
        )
        if command.key is not None:
            answer = replace(answer, expires_at=now + command.key.keep_ms)
            await insert_records(self._transaction, [record_row(command.key, answer, now, (self._batch_id, 0))])
        source = None if before is None else before.state
        action: Any = "create" if before is None else _ACTIONS[type(command)]
        told = transition(source, action, after.state).message
        message = (
            self._batch_id, 0, after.account_id, after.id, after.version, told.encode(), after.reference.encode(),
            _bytes(source), after.state.encode(), action.encode(), command.actor.encode(), _bytes(command.reason), now,
            answer.body,
        )  # fmt: skip
        await self._transaction.insert("messages", MESSAGE_COLUMNS, [message])
        await self._transaction.insert("outbox", ("account_id", "batch_id"), [(after.account_id, self._batch_id)])
        return answer

    async def _must_match(self, sql: str, values: tuple[object, ...]) -> None:
        """Raises Conflict where the row is no longer as it was read: nothing is kept, and all is read anew."""
        if await self._transaction.change(sql, values) != 1:
            raise Conflict("a row was not as it had been read")


_ACTIONS: Final[dict[type[Command], str]] = {ConfirmReservation: "confirm", ReleaseReservation: "release"}


def _beyond() -> InvalidRequest:
    return InvalidRequest(errors=[("$", "is more than the plain implementation does: see loadtests/plain.py")])


def _hold_seconds(command: CreateReservation, usual: int, most: int) -> int:
    """Raises InvalidRequest."""
    asked = command.hold_seconds if command.hold_seconds is not None else min(usual, most)
    if asked > most:
        told = f"must be at most {most}, the smallest hold_seconds_max of what is held"
        raise InvalidRequest(errors=[("$.hold_seconds", told)])
    return asked


def _line(
    inventory_id: bytes, name: str, place: str, seat_id: bytes | None, quantity: int, amount: int, currency: bytes
) -> Line:
    return Line(
        number=1,
        inventory_id=bytes(inventory_id),
        name=name,
        place=place,
        seat_id=seat_id,
        quantity=quantity,
        amount=amount,
        currency=currency.decode(),
        is_stock=seat_id is None,
        live=True,
    )


def _held(command: CreateReservation, line: Line, now: int, hold_seconds: int, most: int) -> Reservation:
    return Reservation(
        id=new_id(),
        account_id=command.account_id,
        reference=new_reference(),
        external_reference=command.external_reference,
        customer=command.customer,
        state="held",
        version=1,
        hold_seconds=hold_seconds,
        hold_seconds_max=most,
        lapses_at=now + 1000 * hold_seconds,
        created_at=now,
        held_at=now,
        metadata=command.metadata,
        lines=(line,),
    )


def _check_held(command: ReservationCommand, before: Reservation, now: int) -> None:
    """Raises HoldExpired, StateConflict."""
    confirms = isinstance(command, ConfirmReservation)
    over = before.lapses_at if before.state == "held" else before.ended_at
    if confirms and over is not None and (before.state == "expired" or (before.state == "held" and over <= now)):
        raise HoldExpired(expired_at_ms=over)
    if before.state != "held":
        raise StateConflict(state=before.state, action=_ACTIONS[type(command)], version=before.version)


def _confirmed(before: Reservation, now: int) -> Reservation:
    return replace(before, state="confirmed", version=before.version + 1, lapses_at=None, confirmed_at=now)


def _released(before: Reservation, now: int) -> Reservation:
    lines = tuple(replace(line, live=False, released_at=now) if line.live else line for line in before.lines)
    return replace(before, state="released", version=before.version + 1, lapses_at=None, ended_at=now, lines=lines)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


class SqlalchemyDriver:
    """The face of `service.database.drivers.Driver` on SQLAlchemy's connection, which most would use."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.session_id = driver_of(connection).session_id

    async def rows(self, sql: str, values: Values) -> Sequence[Row]:
        return (await self._connection.exec_driver_sql(sql, values)).all()

    async def change(self, sql: str, values: Values) -> int:
        return (await self._connection.exec_driver_sql(sql, values)).rowcount

    async def many(self, sql: str, rows: Sequence[Values]) -> None:
        await self._connection.exec_driver_sql(sql, list(rows))

    async def commit(self) -> None:
        await self._connection.commit()

    async def rollback(self) -> None:
        await self._connection.rollback()


if __name__ == "__main__":
    if os.environ.get("HOLDFAST_TEST_PLAIN") != "driver":
        transactions.driver_of = SqlalchemyDriver
    app.CommandEngine = PlainEngine  # type: ignore[assignment,misc]
    cli.main()
