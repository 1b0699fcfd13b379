"""Rows of the tables that decisions read, as records: the columns of each, and what a row of them is."""

from service.database.drivers import Row
from service.reservations.records import Category, Event, Line, Reservation, Seat, StockItem

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


def of(table: str, columns: str) -> str:
    """`columns` of one table of several."""
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


def event_of(row: Row) -> Event:
    """A row of EVENT_COLUMNS."""
    return Event(bytes(row[0]), bytes(row[1]), row[2].decode(), row[3], row[4], row[5].decode(), text_of(row[6]))


def category_of(row: Row) -> Category:
    """A row of CATEGORY_COLUMNS."""
    return Category(
        bytes(row[0]), bytes(row[1]), bytes(row[2]), row[3].decode(), row[4], row[5].decode(), row[6], row[7]
    )


def seat_of(row: Row) -> Seat:
    """A row of SEAT_COLUMNS."""
    return Seat(
        bytes(row[0]),
        bytes(row[1]),
        row[2].decode(),
        row[3].decode(),
        row[4].decode(),
        row[5].decode(),
        bytes(row[6]),
        row[7],
        row[8],
    )


def stock_of(row: Row) -> StockItem:
    """A row of STOCK_COLUMNS."""
    return StockItem(
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


def reservation_of(row: Row, lines: tuple[Line, ...], pools: tuple[bytes, ...] = ()) -> Reservation:
    """A row of RESERVATION_COLUMNS with its lines."""
    return Reservation(
        id=bytes(row[0]),
        account_id=bytes(row[1]),
        reference=row[2].decode(),
        external_reference=text_of(row[3]),
        customer=text_of(row[4]),
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


def line_of(row: Row) -> Line:
    """A row of LINE_COLUMNS."""
    seat_id = None if row[3] is None else bytes(row[3])
    place = text_of(row[6])
    return Line(
        number=row[1],
        inventory_id=bytes(row[2]),
        name=row[5].decode(),
        place=place,
        seat_id=seat_id,
        quantity=row[7],
        amount=row[8],
        currency=text_of(row[9]),
        is_stock=seat_id is None and place is not None,
        live=row[4] == 1,
        released_at=row[10],
    )


def text_of(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
