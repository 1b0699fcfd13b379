"""Random histories of one small venue: batches of any commands, with time passing between them.

Creates are numbered as they come, so that an action can name one of another batch or of its own, made or refused.
A command may come again as it was, with its idempotency key, or with its key and something else.
"""

from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from service.reservations import commands as c
from tests.unit.builders import (
    ACCOUNT,
    Venue,
    act,
    adjust_stock,
    best,
    block,
    hold,
    identifier,
    keyed,
    put_stock,
    units,
)
from tests.unit.builders import seats as seats_line

ROWS = {"A": 3, "B": 3}
CATEGORIES = {"A": "1", "B": "2"}
ON_HAND = {"tea": 4, "mug": 2}
HOLD_SECONDS, HOLD_SECONDS_MAX = 300, 400
SEATS = [f"{row}{number}" for row, count in ROWS.items() for number in range(1, count + 1)]

Step = tuple[int, list[c.Command]]

MILLISECONDS = st.sampled_from([0, 0, 1, 9_999, 10_000, 29_999, 30_000, 59_999, 60_000, 299_999, 300_000])


def venue() -> Venue:
    made = Venue()
    made.add_event(rows=ROWS, categories=CATEGORIES, hold_seconds=HOLD_SECONDS, hold_seconds_max=HOLD_SECONDS_MAX)
    for sku, on_hand in ON_HAND.items():
        made.add_stock(sku, on_hand)
    return made


@st.composite
def lines(draw: st.DrawFn) -> list[c.RequestLine]:
    """One to three lines that name nothing twice."""
    kinds = draw(st.lists(st.sampled_from(["seats", "best", "tea", "mug"]), min_size=1, max_size=3, unique=True))
    found: list[c.RequestLine] = []
    for kind in kinds:
        if kind == "seats":
            chosen = draw(st.lists(st.sampled_from(SEATS), min_size=1, max_size=3, unique=True))
            found.append(seats_line(*chosen))
        elif kind == "best":
            category, section = draw(st.sampled_from([None, "1", "2"])), draw(st.sampled_from([None, "S"]))
            quantity, together = draw(st.integers(1, 3)), draw(st.booleans())
            found.append(best(quantity, category=category, section=section, together=together))
        else:
            found.append(units(draw(st.integers(1, ON_HAND[kind])), kind))
    return found


@st.composite
def creates(draw: st.DrawFn) -> c.Command:
    facts: dict[str, Any] = {
        "hold_seconds": draw(st.sampled_from([None, None, 10, 30, 401])),
        "external_reference": draw(st.sampled_from([None, None, None, "order-1", "order-2"])),
        "wait": draw(st.booleans()),
        "wait_seconds": draw(st.sampled_from([30, 120, 3600])),
    }
    return hold(*draw(lines()), **facts)


@st.composite
def actions(draw: st.DrawFn) -> c.Command:
    kind = draw(
        st.sampled_from(
            [
                c.ConfirmReservation,
                c.ExtendReservation,
                c.ReleaseReservation,
                c.CancelReservation,
                c.ExpireReservation,
            ]
        )
    )
    facts: dict[str, Any] = {"if_match": draw(st.sampled_from([None, None, None, None, 1, 2]))}
    if kind is c.ConfirmReservation:
        facts["late"] = draw(st.sampled_from(["never", "if_available"]))
    elif kind is c.ExtendReservation:
        facts["hold_seconds"] = draw(st.sampled_from([None, 5, 350, 1000]))
    elif kind is not c.ExpireReservation:
        facts["lines"] = tuple(draw(st.lists(st.integers(1, 4), max_size=2)))
    return act(kind, draw(st.integers(1, 6)), **facts)


@st.composite
def inventory(draw: st.DrawFn) -> c.Command:
    kind = draw(st.sampled_from(["put", "adjust", "block", "promote"]))
    sku = draw(st.sampled_from(sorted(ON_HAND)))
    if kind == "put":
        return put_stock(draw(st.integers(0, 6)), sku)
    if kind == "adjust":
        return adjust_stock(draw(st.sampled_from([-3, -1, 1, 3])), draw(st.sampled_from(["d-1", "d-2", "d-3"])), sku)
    if kind == "block":
        chosen = draw(st.lists(st.sampled_from(SEATS), min_size=1, max_size=2, unique=True))
        return block(*chosen, blocked=draw(st.booleans()))
    if draw(st.booleans()):
        pool_id = identifier(f"{sku}@default")
        return c.PromoteWaiting(account_id=ACCOUNT, actor="worker", pool_id=pool_id, sku=sku, location="default")
    pool_id = identifier(f"final={draw(st.sampled_from(['1', '2']))}")
    return c.PromoteWaiting(account_id=ACCOUNT, actor="worker", pool_id=pool_id, event="final")


@st.composite
def histories(draw: st.DrawFn, batches_max: int = 12, batch_max: int = 4) -> list[Step]:
    """Milliseconds to pass, then the commands of one batch."""
    steps: list[Step] = []
    keyed_before: list[c.Command] = []
    for _ in range(draw(st.integers(1, batches_max))):
        batch: list[c.Command] = []
        for _ in range(draw(st.integers(1, batch_max))):
            command = draw(st.one_of(creates(), creates(), actions(), actions(), inventory()))
            repeat = draw(st.integers(0, 9))
            if keyed_before and repeat < 2:
                earlier = draw(st.sampled_from(keyed_before))
                command = earlier if repeat else replace(command, key=replace(_key(command), scope_hash=_hash(earlier)))
            elif repeat < 5:
                command = keyed(command, f"key-{len(keyed_before)}")
                keyed_before.append(command)
            batch.append(command)
        steps.append((draw(MILLISECONDS), batch))
    return steps


def _key(command: c.Command) -> Any:
    return keyed(command, "").key


def _hash(command: c.Command) -> bytes:
    assert command.key is not None
    return command.key.scope_hash
