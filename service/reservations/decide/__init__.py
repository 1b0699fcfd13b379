"""The decision: a snapshot and commands in order of arrival in; outcomes and changes out.

Pure: no input or output, no clock, no chance. Identifiers and references are drawn by the caller, anew for every
attempt.
"""

from typing import Any

import msgspec

from service import problems
from service.idempotency.records import StoredAnswer
from service.refusals import IdempotencyKeyReused, Refusal
from service.reservations.commands import (
    AdjustStock,
    BlockSeats,
    CancelReservation,
    Command,
    ConfirmReservation,
    CreateReservation,
    ExpireReservation,
    ExtendReservation,
    MendCategory,
    MendSeat,
    MendStock,
    PromoteWaiting,
    PutStock,
    ReleaseReservation,
    ReservationCommand,
)
from service.reservations.counted import Change
from service.reservations.decide import actions, blocks, mend, stock, waiting
from service.reservations.decide.create import create
from service.reservations.records import Adjustment, Reservation, StockItem
from service.reservations.snapshot import Snapshot

Draw = tuple[bytes, str]
"""A fresh identifier and a fresh reference, for a command that makes something."""


class ReservationDecided(msgspec.Struct, frozen=True):
    """A reservation after a command.

    `message` is the index of the message that tells of it, None where nothing changed.
    """

    reservation: Reservation
    created: bool
    message: int | None


class StockDecided(msgspec.Struct, frozen=True):
    """A stock item after its definition was put."""

    item: StockItem
    created: bool


class AdjustmentDecided(msgspec.Struct, frozen=True):
    """The adjustment of a reference, now or earlier."""

    adjustment: Adjustment


class BlockDecided(msgspec.Struct, frozen=True):
    """How many seats changed."""

    event: str
    seats: int
    blocked: bool


class WaitingServed(msgspec.Struct, frozen=True):
    """How many waiting reservations became held."""

    promoted: int


class MendDecided(msgspec.Struct, frozen=True):
    """What was mended of a row; nothing where it was right."""

    changes: tuple[Change, ...]


Outcome = (
    ReservationDecided
    | StockDecided
    | AdjustmentDecided
    | BlockDecided
    | WaitingServed
    | MendDecided
    | StoredAnswer
    | Refusal
)

ACTIONS: dict[type[Command], Any] = {
    ConfirmReservation: actions.confirm,
    ExtendReservation: actions.extend,
    ReleaseReservation: actions.release,
    CancelReservation: actions.cancel,
    ExpireReservation: actions.expire,
}

MENDS: dict[type[Command], Any] = {
    MendStock: mend.mend_stock,
    MendSeat: mend.mend_seat,
    MendCategory: mend.mend_category,
}


def decide(work: Snapshot, commands: list[Command], draws: list[Draw], barrier_ms: int) -> list[Outcome]:
    """One outcome a command; the changes stay in `work`, those of refused commands do not.

    Two commands with one key: the second gets the first one's outcome, or is refused where it asks for something else.
    """
    outcomes: list[Outcome] = []
    decided: dict[bytes, int] = {}
    for position, (command, draw) in enumerate(zip(commands, draws, strict=True)):
        try:
            outcome = _replayed(work, command, outcomes, decided, commands)
            if outcome is None:
                outcome = _decide_one(work, command, draw, barrier_ms)
            work.merge(position)
        except Refusal as refusal:
            work.drop()
            outcome = refusal
        if command.key is not None and _is_decision(outcome):
            decided.setdefault(command.key.scope_hash, position)
        outcomes.append(outcome)
    return outcomes


def _is_decision(outcome: Outcome) -> bool:
    """Whether its key gets it for ever. A request that was invalid is none: its key is as good as new."""
    return not isinstance(outcome, Refusal) or problems.row_of(outcome).stored


def _replayed(
    work: Snapshot, command: Command, outcomes: list[Outcome], decided: dict[bytes, int], commands: list[Command]
) -> Outcome | None:
    """What was answered to this key before, in the database or earlier in this batch.

    Raises NotFound (an action on no reservation of ours), IdempotencyKeyReused.
    """
    if command.key is None:
        return None
    record = work.records.get(command.key.scope_hash)
    earlier = decided.get(command.key.scope_hash)
    try:
        if record is not None:
            return record.replay(command.key)
        if earlier is None:
            return None
        first = commands[earlier].key
        if first is not None:
            command.key.must_equal(first, work.now)
    except IdempotencyKeyReused:
        if isinstance(command, ReservationCommand):
            actions.check_reference(work, command)
        raise
    return outcomes[earlier]


def _decide_one(  # noqa: PLR0911 - one return a kind
    work: Snapshot, command: Command, draw: Draw, barrier_ms: int
) -> Outcome:
    told = len(work.messages)
    if isinstance(command, CreateReservation):
        reservation = create(work, command, draw, barrier_ms)
        return ReservationDecided(reservation, created=True, message=_message_of(work, reservation, told))
    if type(command) in ACTIONS:
        reservation = ACTIONS[type(command)](work, command, barrier_ms)
        return ReservationDecided(reservation, created=False, message=_message_of(work, reservation, told))
    if isinstance(command, PutStock):
        item, created = stock.put_stock(work, command, draw, barrier_ms)
        return StockDecided(item, created)
    if isinstance(command, AdjustStock):
        return AdjustmentDecided(stock.adjust_stock(work, command, barrier_ms))
    if isinstance(command, BlockSeats):
        return BlockDecided(command.event, blocks.block_seats(work, command, barrier_ms), command.blocked)
    if isinstance(command, PromoteWaiting):
        waiting.serve_waiting(work, [command.pool_id], barrier_ms)
        return WaitingServed(sum(message.action == "hold" for message in work.messages[told:]))
    if type(command) in MENDS:
        return MendDecided(MENDS[type(command)](work, command))
    raise TypeError(type(command).__name__)


def _message_of(work: Snapshot, reservation: Reservation, told: int) -> int | None:
    for index in range(told, len(work.messages)):
        if work.messages[index].subject is reservation:
            return index
    return None
