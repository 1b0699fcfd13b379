"""Confirm, extend, release, cancel, expire: the actions on one reservation.

Refusals in one order: not-found, version-conflict, (already so: success), hold-expired or state-conflict, bad line
numbers.
A refused action changes nothing, the stored state of a lapsed hold included: the sweep comes within a second.
"""

from msgspec.structs import replace

from service.ids import show_reference
from service.refusals import HoldExpired, InvalidRequest, NotFound, StateConflict, VersionConflict
from service.reservations.commands import (
    CancelReservation,
    ConfirmReservation,
    ExpireReservation,
    ExtendReservation,
    ReleaseReservation,
    ReservationCommand,
)
from service.reservations.decide import transitions
from service.reservations.decide.claims import free_again
from service.reservations.decide.waiting import serve_freed, serve_waiting
from service.reservations.records import Reservation
from service.reservations.snapshot import Snapshot
from service.reservations.states import ALREADY, Action


def confirm(work: Snapshot, command: ConfirmReservation, barrier_ms: int) -> Reservation:
    """Held → confirmed; past its time only with `late`, and only if every unit is still free."""
    reservation = _find(work, command)
    if reservation.state == "confirmed":
        return reservation
    if reservation.state == "held" and not reservation.is_lapsed(work.now):
        return _confirmed(work, reservation, command)
    if reservation.state not in {"held", "expired"}:
        raise _conflict(reservation, "confirm")
    # One that waited in vain never had units that it could claim again.
    if command.late != "if_available" or reservation.held_at is None:
        raise HoldExpired(expired_at_ms=_over_since(reservation))
    if reservation.state == "held":  # over, but nobody has taken its units: confirmed in one step
        return _confirmed(work, reservation, command)
    return _confirm_late(work, reservation, command, barrier_ms)


def _confirmed(work: Snapshot, reservation: Reservation, command: ConfirmReservation) -> Reservation:
    for line in reservation.live_lines:
        transitions.settle(work, line)
    after = replace(
        reservation,
        state="confirmed",
        version=reservation.version + 1,
        lapses_at=None,
        confirmed_at=work.now,
        ended_at=None,
    )
    return transitions.move(work, after, reservation.state, "confirm", actor=command.actor, reason=command.reason)


def _confirm_late(
    work: Snapshot, reservation: Reservation, command: ConfirmReservation, barrier_ms: int
) -> Reservation:
    """After the sweep it claims its units again, behind those who wait for them."""
    pools = {line.inventory_id for line in reservation.lines if line.is_stock}
    pools |= {work.seats[line.seat_id].category_id for line in reservation.lines if line.seat_id is not None}
    barrier = serve_waiting(work, sorted(pool_id for pool_id in pools if work.waiting.get(pool_id)), barrier_ms)
    claim = free_again(work, reservation, barrier)
    if claim.unavailable or not claim.lines:
        raise HoldExpired(expired_at_ms=_over_since(reservation))
    for lapsed_id in claim.lapsed:
        transitions.expire(work, work.reservations[lapsed_id])
    claimed = {line.number: transitions.claim(work, reservation.id, line, confirmed=True) for line in claim.lines}
    after = replace(
        reservation,
        state="confirmed",
        version=reservation.version + 1,
        confirmed_at=work.now,
        ended_at=None,
        lines=tuple(claimed.get(line.number, line) for line in reservation.lines),
    )
    transitions.move(work, after, "expired", "confirm", actor=command.actor, reason=command.reason)
    serve_freed(work, barrier_ms)
    return after


def extend(work: Snapshot, command: ExtendReservation, _barrier_ms: int) -> Reservation:
    """`hold_expires_at` moves to now + hold_seconds, at most hold_seconds_max after it became held; never back."""
    reservation = _find(work, command)
    if reservation.state == "expired" or (reservation.state == "held" and reservation.is_lapsed(work.now)):
        raise HoldExpired(expired_at_ms=_over_since(reservation))
    if reservation.state != "held" or reservation.lapses_at is None or reservation.held_at is None:
        raise _conflict(reservation, "extend")
    seconds = command.hold_seconds if command.hold_seconds is not None else reservation.hold_seconds
    cap = reservation.held_at + 1000 * reservation.hold_seconds_max
    lapses_at = max(reservation.lapses_at, min(work.now + 1000 * seconds, cap))
    if lapses_at == reservation.lapses_at:
        return reservation
    after = replace(reservation, version=reservation.version + 1, lapses_at=lapses_at)
    return transitions.move(work, after, "held", "extend", actor=command.actor, reason=command.reason)


def release(work: Snapshot, command: ReleaseReservation, barrier_ms: int) -> Reservation:
    """Give back before confirm: the whole, or some lines of a held one."""
    reservation = _find(work, command)
    if reservation.state == "pending":
        _check_numbers(reservation, command.lines)
        if command.lines:
            raise _conflict(reservation, "release")
        transitions.leave_waiting(work, reservation)
        after = replace(
            reservation,
            state="released",
            version=reservation.version + 1,
            lapses_at=None,
            ended_at=work.now,
            wanted=None,
            pools=(),
            lines=tuple(replace(line, released_at=work.now) for line in reservation.lines),
        )
        return transitions.move(work, after, "pending", "release", actor=command.actor, reason=command.reason)
    return _give_back(work, reservation, command, "release", barrier_ms)


def cancel(work: Snapshot, command: CancelReservation, barrier_ms: int) -> Reservation:
    """Give back after confirm: the whole, or some lines."""
    return _give_back(work, _find(work, command), command, "cancel", barrier_ms)


def expire(work: Snapshot, command: ExpireReservation, barrier_ms: int) -> Reservation:
    """The clock's own: ends what is over; anything else is left alone, whatever the sweep believed (R6)."""
    reservation = _find(work, command)
    if reservation.state not in {"held", "pending"} or not reservation.is_lapsed(work.now):
        return reservation
    after = transitions.expire(work, reservation, command.reason)
    serve_freed(work, barrier_ms)
    return after


def _give_back(
    work: Snapshot,
    reservation: Reservation,
    command: ReleaseReservation | CancelReservation,
    action: Action,
    barrier_ms: int,
) -> Reservation:
    source, ended = ("held", "released") if action == "release" else ("confirmed", "cancelled")
    if reservation.state == ALREADY[action]:
        _check_numbers(reservation, command.lines)
        return reservation
    if reservation.state != source:
        raise _conflict(reservation, action)
    _check_numbers(reservation, command.lines)
    chosen = {line.number for line in reservation.live_lines if not command.lines or line.number in command.lines}
    if not chosen:
        return reservation
    lines = tuple(
        replace(transitions.give_back(work, line, reservation.state), released_at=work.now)
        if line.number in chosen
        else line
        for line in reservation.lines
    )
    whole = not any(line.live for line in lines)
    after = replace(
        reservation,
        state=ended if whole else source,
        version=reservation.version + 1,
        lapses_at=None if whole else reservation.lapses_at,
        ended_at=work.now if whole else None,
        lines=lines,
    )
    transitions.move(work, after, reservation.state, action, actor=command.actor, reason=command.reason)
    serve_freed(work, barrier_ms)
    return after


def check_reference(work: Snapshot, command: ReservationCommand) -> None:
    """Raises NotFound."""
    if (command.account_id, command.reference) not in work.references:
        raise NotFound(kind="reservation", name=show_reference(command.reference))


def _find(work: Snapshot, command: ReservationCommand) -> Reservation:
    """Raises NotFound, VersionConflict."""
    check_reference(work, command)
    reservation = work.reservations[work.references[command.account_id, command.reference]]
    if command.if_match is not None and command.if_match != reservation.version:
        raise VersionConflict(version=reservation.version)
    return reservation


def _check_numbers(reservation: Reservation, numbers: tuple[int, ...]) -> None:
    """Raises InvalidRequest for numbers that are no line's, or repeated."""
    known = {line.number for line in reservation.lines}
    errors = [
        (f"$.lines[{place}]", "is repeated" if number in numbers[:place] else "is not the number of a line")
        for place, number in enumerate(numbers)
        if number not in known or number in numbers[:place]
    ]
    if errors:
        raise InvalidRequest(errors=errors)


def _conflict(reservation: Reservation, action: Action) -> StateConflict:
    return StateConflict(state=reservation.state, action=action, version=reservation.version)


def _over_since(reservation: Reservation) -> int:
    over = reservation.lapses_at if reservation.state == "held" else reservation.ended_at
    return over if over is not None else reservation.created_at
