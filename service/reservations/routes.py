"""Reservations over HTTP: create, look, act. Every change is a command of the engine."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from service.http.cursor import decode_cursor, encode_cursor
from service.http.endpoint import Call, Endpoint, Handler, endpoint, stored
from service.http.message import Answer
from service.http.parameters import PageQuery
from service.refusals import (
    ExternalReferenceExists,
    HoldExpired,
    InventoryUnavailable,
    NotFound,
    Refusal,
    SalesClosed,
    StateConflict,
    VersionConflict,
)
from service.reservations import examples
from service.reservations.bodies import (
    PostCancel,
    PostConfirm,
    PostExtend,
    PostRelease,
    PostReservation,
)
from service.reservations.commands import (
    CancelReservation,
    ConfirmReservation,
    CreateReservation,
    ExtendReservation,
    ReleaseReservation,
    ReservationCommand,
)
from service.reservations.queries import find_reservation, select_history
from service.reservations.views import (
    HistoryPage,
    ReservationView,
    encode,
    reservation_body,
)

ACTION_REFUSALS: Final = (NotFound, VersionConflict, StateConflict)


def command_facts(call: Call) -> dict[str, Any]:
    """What every command of a request carries."""
    return {
        "account_id": call.caller.account_id,
        "actor": call.caller.principal,
        "request_id": call.request_id,
        "key": call.key,
        "reason": None if call.body is None else call.body.reason,
    }


@endpoint(
    "POST",
    "/v1/reservations",
    scope="reservations:write",
    key="required",
    body=PostReservation,
    answers={201: ReservationView, 202: ReservationView},
    refusals=(NotFound, ExternalReferenceExists, SalesClosed, InventoryUnavailable),
    request_example=examples.CREATE,
    answer_example=examples.RESERVATION,
)
async def create_reservation(call: Call) -> Answer:
    """Hold seats and stock, all lines or nothing.

    201 with a `held` reservation; with `wait: true` and something missing, 202 with a `pending` one, which is held as
    soon as all that it wants is free. Seats of `best_available` are chosen inside the decision. Lines of the answer are
    one for each seat and one for each stock item, numbered from 1.
    """
    body: PostReservation = call.body
    command = CreateReservation(
        **command_facts(call),
        lines=body.command_lines(),
        customer=body.customer,
        external_reference=body.external_reference,
        hold_seconds=body.hold_seconds,
        wait=body.wait,
        wait_seconds=body.wait_seconds,
        metadata=None if body.metadata is None else encode(body.metadata),
    )
    return stored(await call.services.engine.submit(command))


@endpoint(
    "GET",
    "/v1/reservations/{reference}",
    scope="reservations:read",
    answers={200: ReservationView},
    refusals=(NotFound,),
    answer_example=examples.RESERVATION,
)
async def get_reservation(call: Call) -> Answer:
    """Look at one reservation.

    A hold past its time that no sweep has met yet is shown as stored, with `hold_remaining_s` 0.
    """
    async with call.services.store.read() as reader:
        now = await reader.now_ms()
        reservation = await find_reservation(reader, call.caller.account_id, call.path["reference"])
    return Answer(200, reservation_body(reservation, now), [("ETag", f'"{reservation.version}"')])


@endpoint(
    "GET",
    "/v1/reservations/{reference}/history",
    scope="reservations:read",
    query=PageQuery,
    answers={200: HistoryPage},
    refusals=(NotFound,),
    answer_example=examples.HISTORY,
)
async def get_history(call: Call) -> Answer:
    """Every change of one reservation's state, oldest first: by whom, when, and why."""
    query: PageQuery = call.query
    scope = msgspec.msgpack.encode((call.caller.account_id, "history", call.path["reference"]))
    after = 0 if query.cursor is None else decode_cursor(scope, query.cursor)[0]
    async with call.services.store.read() as reader:
        reservation = await find_reservation(reader, call.caller.account_id, call.path["reference"])
        found = await select_history(reader, reservation.id, after, query.limit + 1)
    shown = found[: query.limit]
    cursor = encode_cursor(scope, (shown[-1].version,)) if len(found) > len(shown) else None
    return Answer(200, encode(HistoryPage(shown, cursor)))


def _action(
    name: str,
    body: type,
    *refusals: type[Refusal],
    request_example: Any = None,  # noqa: ANN401 - JSON
) -> Callable[[Handler], Endpoint]:
    """The declaration that all actions share; an empty body is allowed on each."""
    return endpoint(
        "POST",
        f"/v1/reservations/{{reference}}/{name}",
        scope="reservations:write",
        key="optional",
        body=body,
        answers={200: ReservationView},
        refusals=(*ACTION_REFUSALS, *refusals),
        request_example=request_example,
        answer_example=examples.AFTER[name],
    )


async def _submit(call: Call, command: ReservationCommand) -> Answer:
    return stored(await call.services.engine.submit(command))


def _named(call: Call) -> dict[str, Any]:
    return {**command_facts(call), "reference": call.path["reference"], "if_match": call.if_match}


@_action("confirm", PostConfirm, HoldExpired, request_example={"late": "never"})
async def confirm_reservation(call: Call) -> Answer:
    """Confirm a held reservation.

    Past its time it is refused (410 `hold-expired`), unless `late` is `if_available` and every unit is still free.
    """
    return await _submit(call, ConfirmReservation(**_named(call), late=call.body.late))


@_action("extend", PostExtend, HoldExpired, request_example={"hold_seconds": 600})
async def extend_reservation(call: Call) -> Answer:
    """Let a hold last `hold_seconds` from now, at most `hold_seconds_max` since it became held.

    It is never shortened.
    """
    return await _submit(call, ExtendReservation(**_named(call), hold_seconds=call.body.hold_seconds))


@_action("release", PostRelease, request_example={"lines": [2]})
async def release_reservation(call: Call) -> Answer:
    """Give back before confirm: the whole reservation, or some of its lines. The last line ends it."""
    return await _submit(call, ReleaseReservation(**_named(call), lines=tuple(call.body.lines or ())))


@_action("cancel", PostCancel, request_example={"lines": [2], "refund": "original"})
async def cancel_reservation(call: Call) -> Answer:
    """Give back after confirm: the whole reservation, or some of its lines. The last line ends it."""
    command = CancelReservation(**_named(call), lines=tuple(call.body.lines or ()), refund=call.body.refund)
    return await _submit(call, command)


ENDPOINTS = (
    create_reservation,
    get_reservation,
    get_history,
    confirm_reservation,
    extend_reservation,
    release_reservation,
    cancel_reservation,
)
