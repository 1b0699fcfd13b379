"""Pure: what the phone was told, against what the service has in the end. Each check says what it has seen."""

from collections.abc import Iterable, Sequence

import msgspec

from service.client import ReservationView
from service.demo.mobile.phone import Said


class Found(msgspec.Struct, frozen=True):
    """What the service has of the phone's account, asked directly."""

    reservations: Sequence[ReservationView]
    actions: Sequence[str]  # the history of the first one, oldest first
    messages: Sequence[str]  # types of all messages about reservations
    seats: Sequence[str]  # that are held or confirmed


class Check(msgspec.Struct, frozen=True):
    """One claim, whether it is true, and what was seen."""

    claim: str
    good: bool
    seen: str


def judge(said: Iterable[Said], found: Found, killed: int, *, audit_clean: bool, audited: str) -> list[Check]:
    said = list(said)
    told = [one for one in said if one.did == "answered"]
    lost = [one for one in said if one.did == "tried" and one.about in {"hold", "confirm"} and one.error]
    references = [reservation.reference for reservation in found.reservations]
    return [
        Check("it was hard", killed > 0 and bool(lost), f"{len(lost)} requests without an answer, {killed} kills"),
        Check(
            "one reservation",
            len(references) == 1 and {one.reference for one in told} == set(references),
            f"the service has {_listed(references)}; the phone was told {_listed({one.reference for one in told})}",
        ),
        Check(
            "one effect",
            list(found.actions) == ["create", "confirm"],
            f"its history is {_listed(found.actions)}",
        ),
        Check(
            "one message each",
            sorted(found.messages) == ["reservation.confirmed", "reservation.held"],
            f"the world was told {_listed(found.messages)}",
        ),
        Check("true answers", _are_true(told, found), f"the phone believes {_listed(_beliefs(told))}"),
        Check("auditor", audit_clean, audited),
    ]


def _are_true(told: Sequence[Said], found: Found) -> bool:
    """The last answer is how it is, and no seat is taken that nobody was told of."""
    if not told or not found.reservations:
        return False
    last, there = told[-1], found.reservations[0]
    return (last.state, sorted(last.seats)) == (there.state, sorted(found.seats)) and last.state == "confirmed"


def _beliefs(told: Sequence[Said]) -> Iterable[str]:
    return [f"{', '.join(one.seats)} {one.state}" for one in told[-1:]]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
