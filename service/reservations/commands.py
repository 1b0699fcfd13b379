"""Commands: everything that may move inventory or a reservation, from the API, the worker and the command line alike.

A command is plain data. `decide` turns it into an Outcome; nothing else does.
"""

from typing import Any, Final, Literal

import msgspec

from service.idempotency.records import KeyedRequest
from service.names import section_of


class SeatsLine(msgspec.Struct, frozen=True):
    """These seats of one event; `number` is the place of the line in the request, from 1."""

    number: int
    event: str
    seats: tuple[str, ...]


class BestAvailableLine(msgspec.Struct, frozen=True):
    """So many seats of one event, chosen inside the decision."""

    number: int
    event: str
    quantity: int
    together: bool = True
    section: str | None = None
    category: str | None = None


class StockLine(msgspec.Struct, frozen=True):
    """So many units of one SKU at one location."""

    number: int
    sku: str
    location: str
    quantity: int


RequestLine = SeatsLine | BestAvailableLine | StockLine


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What all commands carry. `actor` is a key's name, `worker`, `operator:<name>` or `payment:<provider>`."""

    account_id: bytes
    actor: str
    request_id: str = ""
    key: KeyedRequest | None = None
    reason: str | None = None


class CreateReservation(Command, frozen=True, kw_only=True):
    """Hold all lines or nothing; with `wait`, stay pending until all can be held."""

    lines: tuple[RequestLine, ...]
    customer: str | None = None
    external_reference: str | None = None
    hold_seconds: int | None = None
    wait: bool = False
    wait_seconds: int = 3600
    metadata: bytes | None = None  # canonical JSON of the object


class ReservationCommand(Command, frozen=True, kw_only=True):
    """An action on one reservation, named by its stored reference; `if_match` acts only on that version."""

    reference: str
    if_match: int | None = None


class ConfirmReservation(ReservationCommand, frozen=True, kw_only=True):
    """`late`: whether a hold past its time may be confirmed if every unit is still free."""

    late: Literal["never", "if_available"] = "never"


class ExtendReservation(ReservationCommand, frozen=True, kw_only=True):
    """Without `hold_seconds`, those of the create."""

    hold_seconds: int | None = None


class ReleaseReservation(ReservationCommand, frozen=True, kw_only=True):
    """`lines` are numbers of lines; empty: all of them."""

    lines: tuple[int, ...] = ()


class CancelReservation(ReservationCommand, frozen=True, kw_only=True):
    """`lines` as with a release; `refund` is what becomes of the payments."""

    lines: tuple[int, ...] = ()
    refund: Literal["original", "credit", "none"] = "none"


class ExpireReservation(ReservationCommand, frozen=True, kw_only=True):
    """The worker's: end it if its time is over, else leave it alone."""


WAITING_SEEN = 200
"""Waiting reservations of one pool that a decision looks at, the oldest; the worker looks further from time to time."""


class PromoteWaiting(Command, frozen=True, kw_only=True):
    """The worker's: hold for the `oldest` who wait for a pool (a stock item or an event's category) what now fits."""

    pool_id: bytes
    oldest: int = WAITING_SEEN
    event: str | None = None  # the pool's event, or
    sku: str | None = None  # its SKU and location
    location: str | None = None


class PutStock(Command, frozen=True, kw_only=True):
    """Create or replace a stock item's definition and its count on hand."""

    sku: str
    location: str
    description: str
    on_hand: int
    amount: int
    currency: str
    if_match: int | None = None


class AdjustStock(Command, frozen=True, kw_only=True):
    """Change `on_hand` by `delta`, once for each `reference`."""

    sku: str
    location: str
    reference: str
    delta: int


class BlockSeats(Command, frozen=True, kw_only=True):
    """Take available seats out of sale, or (`blocked` false) put them back; all or nothing, idempotent."""

    event: str
    seats: tuple[str, ...]
    blocked: bool


class MendCommand(Command, frozen=True, kw_only=True):
    """An operator's, of `holdfast audit --repair`: make the counters of one row what the rows beneath it come to.

    A row that is right by then is left alone.
    """

    row_id: bytes


class MendStock(MendCommand, frozen=True, kw_only=True):
    """The row is a stock item: `held` and `confirmed` are the sums over its live lines, `waiters` are who waits."""


class MendSeat(MendCommand, frozen=True, kw_only=True):
    """The row is a seat: its state is what its one live line says; a blocked one without a line stays blocked."""


class MendCategory(MendCommand, frozen=True, kw_only=True):
    """The row is an event's category: `waiters` are who waits."""


LINES_GUESSED: Final = 10
"""Of a reservation that this process does not remember: as many as do not yet cut a full batch of small ones."""

_encode: Final = msgspec.msgpack.Encoder().encode


def weight(command: Command) -> int:
    """About how many rows a command touches; bounds the batch. An action knows only its reference: see `attempt.py`."""
    if isinstance(command, CreateReservation):
        return sum(_units(line) for line in command.lines)
    if isinstance(command, ReservationCommand):
        return LINES_GUESSED
    if isinstance(command, BlockSeats):
        return len(command.seats)
    return command.oldest if isinstance(command, PromoteWaiting) else 1


def size(command: Command) -> int:
    """About how many bytes a command brings; bounds the batch. Encoding it takes 0.3 µs, with 100 seats 1 µs."""
    return len(_encode(command))


def _units(line: RequestLine) -> int:
    if isinstance(line, SeatsLine):
        return len(line.seats)
    return line.quantity if isinstance(line, BestAvailableLine) else 1


def lane_key(command: Command) -> tuple[Any, ...]:  # noqa: PLR0911 - one return a kind
    """Commands for the same rows meet in one lane. An action knows only its reference: see `attempt.py`."""
    if isinstance(command, CreateReservation):
        first = command.lines[0]
        if isinstance(first, StockLine):
            return (command.account_id, first.sku, first.location)
        if isinstance(first, SeatsLine):
            return (command.account_id, first.event, section_of(first.seats[0]))
        return (command.account_id, first.event, first.section)
    if isinstance(command, (PutStock, AdjustStock)):
        return (command.account_id, command.sku, command.location)
    if isinstance(command, BlockSeats):
        return (command.account_id, command.event, section_of(command.seats[0]))
    if isinstance(command, PromoteWaiting):
        return (command.account_id, command.sku or command.event, command.location)
    if isinstance(command, ReservationCommand):
        return (command.account_id, command.reference)
    if isinstance(command, MendCommand):
        return (command.account_id, command.row_id)
    raise TypeError(type(command).__name__)
