"""Outcomes of a decision as the answers that are stored and sent.

Bytes, once, for the request, its record and its message.
"""

from collections.abc import Sequence

import msgspec

from service import problems
from service.idempotency.records import StoredAnswer, refusal_answer
from service.ids import show_reference
from service.inventory.wire import block_body, mended_category_body, mended_seat_body, stock_body
from service.refusals import Refusal
from service.reservations.commands import BlockSeats, Command, ExpireReservation
from service.reservations.decide import (
    AdjustmentDecided,
    BlockDecided,
    MendDecided,
    Outcome,
    ReservationDecided,
    StockDecided,
    WaitingServed,
)
from service.reservations.records import MendedCategory, MendedSeat, Message, Reservation, StockItem
from service.reservations.views import reservation_body

encode = msgspec.json.Encoder().encode

OK, CREATED, ACCEPTED = 200, 201, 202
ENDED, ENDED_BEFORE = b'{"ended":1}', b'{"ended":0}'
"""To the sweep: whether it was this command that ended the reservation."""


def subject_body(subject: Reservation | StockItem | MendedSeat | MendedCategory, now: int) -> bytes:
    """The JSON of what a message tells of."""
    if isinstance(subject, Reservation):
        return reservation_body(subject, now)
    if isinstance(subject, StockItem):
        return stock_body(subject)
    if isinstance(subject, MendedSeat):
        return mended_seat_body(subject.event, subject.seat, subject.category, subject.state, subject.version)
    return mended_category_body(subject.event, subject.category, subject.waiters, subject.version)


def answer_of(  # noqa: PLR0911 - one return a kind
    command: Command, outcome: Outcome, bodies: Sequence[bytes], now: int
) -> StoredAnswer:
    """The answer to one command; `bodies` are those of the batch's messages, by index."""
    if isinstance(outcome, StoredAnswer):
        return outcome
    if isinstance(outcome, Refusal):
        return refusal_answer(outcome, command.request_id)
    if isinstance(outcome, ReservationDecided):
        if isinstance(command, ExpireReservation) and command.key is None:  # a record keeps its message's body
            return StoredAnswer(status=OK, body=ENDED_BEFORE if outcome.message is None else ENDED)
        return _reservation_answer(outcome, bodies, now)
    if isinstance(outcome, StockDecided):
        etag = f'"{outcome.item.definition_version}"'
        return StoredAnswer(status=CREATED if outcome.created else OK, body=stock_body(outcome.item), etag=etag)
    if isinstance(outcome, AdjustmentDecided):
        return StoredAnswer(status=OK, body=adjustment_body(outcome))
    if isinstance(outcome, BlockDecided) and isinstance(command, BlockSeats):
        return StoredAnswer(status=OK, body=block_body(outcome.event, command.seats, blocked=outcome.blocked))
    if isinstance(outcome, WaitingServed):
        return StoredAnswer(status=OK, body=b'{"promoted":%d}' % outcome.promoted)
    if isinstance(outcome, MendDecided):
        return StoredAnswer(status=OK, body=encode(outcome))
    raise TypeError(type(outcome).__name__)


def _reservation_answer(outcome: ReservationDecided, bodies: Sequence[bytes], now: int) -> StoredAnswer:
    reservation = outcome.reservation
    body = reservation_body(reservation, now) if outcome.message is None else bodies[outcome.message]
    status, location = OK, None
    if outcome.created:
        status = ACCEPTED if reservation.state == "pending" else CREATED
        location = f"/v1/reservations/{show_reference(reservation.reference)}"
    return StoredAnswer(status=status, body=body, location=location, etag=f'"{reservation.version}"')


def adjustment_body(outcome: AdjustmentDecided) -> bytes:
    """The stock item as the first adjustment of this reference left it."""
    adjustment = outcome.adjustment
    if adjustment.body is not None:
        return adjustment.body
    if adjustment.item is None:
        raise ValueError(adjustment.reference)
    return stock_body(adjustment.item)


def is_stored(outcome: Outcome) -> bool:
    """Whether an idempotency record keeps this outcome: every success, and refusals that are decisions."""
    if isinstance(outcome, Refusal):
        return problems.row_of(outcome).stored
    return not isinstance(outcome, StoredAnswer)


def message_of(outcome: Outcome) -> int | None:
    """The index of the message whose body is this outcome's answer."""
    return outcome.message if isinstance(outcome, ReservationDecided) else None


def message_bodies(messages: Sequence[Message], now: int) -> list[bytes]:
    return [subject_body(message.subject, now) for message in messages]
