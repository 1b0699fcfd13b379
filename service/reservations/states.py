"""The state machine of a reservation: the whole of it. Nothing else assigns a state (R4, R5).

`write.py` claims each transition again in SQL: an UPDATE names the state and version that were read.
Asking again for what already is so changes nothing and is no transition; all else outside the table is `state-
conflict`.
"""

from typing import Final, Literal

import msgspec

State = Literal["pending", "held", "confirmed", "released", "expired", "cancelled"]
Action = Literal["create", "hold", "extend", "confirm", "release", "expire", "cancel"]


class Transition(msgspec.Struct, frozen=True):
    """One row of the table: who may do it, what becomes of the units, and the message that tells of it."""

    source: State | None
    action: Action
    target: State
    units: str
    who: str
    message: str


TRANSITIONS: Final[tuple[Transition, ...]] = (
    Transition(None, "create", "held", "all lines claimed, or nothing is created", "client", "reservation.held"),
    Transition(None, "create", "pending", "none claimed", "client", "reservation.pending"),
    Transition(
        "pending",
        "hold",
        "held",
        "all lines claimed",
        "the decision that frees units, or the worker",
        "reservation.held",
    ),
    Transition("held", "extend", "held", "kept; `hold_expires_at` moves", "client", "reservation.extended"),
    Transition("held", "confirm", "confirmed", "kept, held → confirmed", "client, payment", "reservation.confirmed"),
    Transition(
        "expired",
        "confirm",
        "confirmed",
        "claimed again, all that are still free, else refused",
        "client, payment",
        "reservation.confirmed",
    ),
    Transition("held", "release", "released", "given back", "client, operator", "reservation.released"),
    Transition("pending", "release", "released", "none", "client, operator", "reservation.released"),
    Transition("held", "expire", "expired", "given back", "clock", "reservation.expired"),
    Transition("pending", "expire", "expired", "none", "clock", "reservation.expired"),
    Transition("confirmed", "cancel", "cancelled", "given back", "client, operator", "reservation.cancelled"),
    Transition("held", "release", "held", "those lines given back", "client, operator", "reservation.line_released"),
    Transition(
        "confirmed", "cancel", "confirmed", "those lines given back", "client, operator", "reservation.line_released"
    ),
)

TERMINAL: Final[frozenset[State]] = frozenset({"released", "expired", "cancelled"})
LIVE: Final[frozenset[State]] = frozenset({"held", "confirmed"})

ALREADY: Final[dict[Action, State]] = {"confirm": "confirmed", "release": "released", "cancel": "cancelled"}
"""The state in which an action has nothing left to do: a success of the same version."""

_TABLE: Final = {(row.source, row.action, row.target): row for row in TRANSITIONS}


def transition(source: State | None, action: Action, target: State) -> Transition:
    """The row of the table. Raises KeyError for anything outside it: a bug, never a client's doing."""
    return _TABLE[source, action, target]


def allows(source: State, action: Action) -> bool:
    """Whether the table has any row from `source` by `action`."""
    return any(row.source == source and row.action == action for row in TRANSITIONS)
