"""The state machine is the table of domain.md, no more and no less."""

from itertools import product
from typing import get_args

import pytest

from service.reservations.states import (
    ALREADY,
    LIVE,
    TERMINAL,
    TRANSITIONS,
    Action,
    State,
    Transition,
    allows,
    transition,
)

STATES: tuple[State, ...] = get_args(State)
ACTIONS: tuple[Action, ...] = get_args(Action)

# From each state, by each action, to these; a row that is not here does not exist.
DOMAIN = {
    (None, "create"): {"held", "pending"},
    ("pending", "hold"): {"held"},
    ("pending", "release"): {"released"},
    ("pending", "expire"): {"expired"},
    ("held", "extend"): {"held"},
    ("held", "confirm"): {"confirmed"},
    ("held", "release"): {"released", "held"},
    ("held", "expire"): {"expired"},
    ("expired", "confirm"): {"confirmed"},
    ("confirmed", "cancel"): {"cancelled", "confirmed"},
}

MESSAGES = {
    "reservation.pending",
    "reservation.held",
    "reservation.extended",
    "reservation.confirmed",
    "reservation.line_released",
    "reservation.released",
    "reservation.expired",
    "reservation.cancelled",
}


@pytest.mark.parametrize(("source", "action"), list(product((None, *STATES), ACTIONS)), ids=str)
def test_each_action_leads_from_each_state_where_domain_says(source: State | None, action: Action) -> None:
    allowed = DOMAIN.get((source, action), set())
    for target in STATES:
        if target in allowed:
            assert transition(source, action, target).target == target
        else:
            with pytest.raises(KeyError):
                transition(source, action, target)
    if source is not None:
        assert allows(source, action) == bool(allowed)


def test_no_row_stands_twice() -> None:
    rows = [(row.source, row.action, row.target) for row in TRANSITIONS]
    assert len(set(rows)) == len(rows) == sum(map(len, DOMAIN.values()))


def test_only_a_late_confirm_leads_out_of_a_terminal_state() -> None:
    assert {"released", "expired", "cancelled"} == TERMINAL
    assert [(row.source, row.action) for row in TRANSITIONS if row.source in TERMINAL] == [("expired", "confirm")]


def test_every_state_is_waiting_live_or_terminal() -> None:
    assert {"held", "confirmed"} == LIVE
    assert {"pending", *LIVE, *TERMINAL} == set(STATES)


def test_every_message_of_the_contract_is_told_and_no_other() -> None:
    assert {row.message for row in TRANSITIONS} == MESSAGES


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: f"{row.source} {row.action} {row.target}")
def test_message_names_the_new_state_or_what_changed_within_it(row: Transition) -> None:
    change = row.message.removeprefix("reservation.")
    assert change == row.target if row.source != row.target else change in {"extended", "line_released"}


@pytest.mark.parametrize(("action", "state"), ALREADY.items())
def test_what_is_already_so_is_where_the_action_leads(action: Action, state: State) -> None:
    assert any(row.action == action and row.target == state for row in TRANSITIONS)
    assert not any(row.action == action and row.source == state and row.target != state for row in TRANSITIONS)
