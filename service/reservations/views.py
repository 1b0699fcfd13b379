"""A reservation, and its history, as the wire shows them.

One encoding, whether a decision, a read or a message shows it. A pending reservation has its wait's end, a held one its
hold's end, no other state either.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from service.clock import to_rfc3339
from service.ids import show_reference
from service.reservations.records import Line, Reservation
from service.reservations.states import State


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """One seat, or a quantity of one stock item; `released_at` only where it was given back."""

    line: int
    event: str | UnsetType = UNSET
    seat: str | UnsetType | None = UNSET
    sku: str | UnsetType = UNSET
    location: str | UnsetType | None = UNSET
    quantity: int
    amount: int | None
    currency: str | None
    released_at: str | UnsetType = UNSET


class Total(msgspec.Struct, frozen=True):
    """The sum of the lines of one currency that are not given back, in minor units."""

    amount: int
    currency: str


class ReservationView(msgspec.Struct, frozen=True, kw_only=True):
    """What a client follows from its request to its end."""

    reference: str
    state: State
    version: int
    hold_expires_at: str | None
    hold_remaining_s: int | None
    wait_expires_at: str | None
    lines: list[LineView]
    totals: list[Total]
    customer: str | None
    external_reference: str | None
    metadata: dict[str, Any] | None
    created_at: str
    confirmed_at: str | None
    ended_at: str | None


class ReservationPage(msgspec.Struct, frozen=True):
    """A page of reservations, in the order that was asked for."""

    reservations: list[ReservationView]
    next_cursor: str | None


class ReservationCount(msgspec.Struct, frozen=True):
    """How many reservations there are; `exact` is false where counting stopped at `at_most`."""

    count: int
    exact: bool
    as_of: str


class HistoryEntry(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """One change of state."""

    version: int
    source: str | None
    target: str
    action: str
    actor: str
    at: str
    reason: str | None


class HistoryPage(msgspec.Struct, frozen=True):
    """A reservation's changes of state, oldest first, without gaps."""

    history: list[HistoryEntry]
    next_cursor: str | None


encode = msgspec.json.Encoder().encode


def reservation_body(reservation: Reservation, now: int) -> bytes:
    """As JSON; `hold_remaining_s` counts from `now`, the database's clock, and is never below 0."""
    return encode(reservation_view(reservation, now))


def reservation_view(reservation: Reservation, now: int) -> ReservationView:
    held = reservation.state == "held"
    lapses_at = reservation.lapses_at
    remaining = None if not held or lapses_at is None else max(0, -((now - lapses_at) // 1000))
    return ReservationView(
        reference=show_reference(reservation.reference),
        state=reservation.state,
        version=reservation.version,
        hold_expires_at=_instant(lapses_at) if held else None,
        hold_remaining_s=remaining,
        wait_expires_at=_instant(lapses_at) if reservation.state == "pending" else None,
        lines=[_line(line) for line in reservation.lines],
        totals=_totals(reservation.lines),
        customer=reservation.customer,
        external_reference=reservation.external_reference,
        # Stored as the JSON that it is shown as: it goes out as it is, and only clients ever take it apart.
        metadata=None if reservation.metadata is None else Raw(reservation.metadata),  # type: ignore[arg-type]
        created_at=to_rfc3339(reservation.created_at),
        confirmed_at=_instant(reservation.confirmed_at),
        ended_at=_instant(reservation.ended_at),
    )


def _line(line: Line) -> LineView:
    released_at = UNSET if line.released_at is None else to_rfc3339(line.released_at)
    if line.is_stock:
        return LineView(
            line=line.number,
            sku=line.name,
            location=line.place,
            quantity=line.quantity,
            amount=line.amount,
            currency=line.currency,
            released_at=released_at,
        )
    return LineView(
        line=line.number,
        event=line.name,
        seat=line.place,
        quantity=line.quantity,
        amount=line.amount,
        currency=line.currency,
        released_at=released_at,
    )


def _totals(lines: tuple[Line, ...]) -> list[Total]:
    """One a currency, in the order in which the lines bring them up."""
    sums: dict[str, int] = {}
    for line in lines:
        if line.released_at is None and line.amount is not None and line.currency is not None:
            sums[line.currency] = sums.get(line.currency, 0) + line.amount
    return [Total(amount, currency) for currency, amount in sums.items()]


def _instant(at: int | None) -> str | None:
    return None if at is None else to_rfc3339(at)
