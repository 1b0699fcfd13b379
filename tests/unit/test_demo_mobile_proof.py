"""The proof of `holdfast demo mobile` finds what it is there to find."""

from typing import Any

import msgspec
import pytest

from service.client import ReservationView
from service.demo.mobile.phone import Said
from service.demo.mobile.proof import Found, judge
from service.reservations import examples

RESERVATION = msgspec.structs.replace(
    msgspec.convert(examples.RESERVATION, ReservationView), reference="K7QX2-9PMD8", state="confirmed"
)
SEATS = ["101-A-1", "101-A-2"]
HELD = Said(did="answered", about="hold", reference="K7QX2-9PMD8", state="held", seats=SEATS)
CONFIRMED = msgspec.structs.replace(HELD, about="confirm", state="confirmed")
LOST = Said(did="tried", about="hold", error="ReadError")
SAID = [LOST, HELD, CONFIRMED]
FOUND = Found([RESERVATION], ["create", "confirm"], ["reservation.held", "reservation.confirmed"], SEATS)


def wrong(said: list[Said], found: Found, killed: int = 1, audit_clean: bool = True) -> list[str]:
    return [c.claim for c in judge(said, found, killed, audit_clean=audit_clean, audited="") if not c.good]


def test_what_is_as_it_was_told_is_good() -> None:
    assert wrong(SAID, FOUND) == []


@pytest.mark.parametrize(
    ("changes", "claims"),
    [
        pytest.param({"reservations": [RESERVATION] * 2}, ["one reservation"], id="booked-twice"),
        pytest.param({"reservations": []}, ["one reservation", "true answers"], id="lost"),
        pytest.param({"actions": ["create", "confirm", "confirm"]}, ["one effect"], id="confirmed-twice"),
        pytest.param({"messages": ["reservation.held"] * 2}, ["one message each"], id="told-twice"),
        pytest.param({"seats": [*SEATS, "101-A-3"]}, ["true answers"], id="a-seat-too-many"),
        pytest.param({"seats": []}, ["true answers"], id="no-seats"),
    ],
)
def test_what_is_otherwise_is_found(changes: dict[str, Any], claims: list[str]) -> None:
    assert wrong(SAID, msgspec.structs.replace(FOUND, **changes)) == claims


@pytest.mark.parametrize(
    ("said", "claims"),
    [
        pytest.param([LOST], ["one reservation", "true answers"], id="told-nothing"),
        pytest.param([LOST, HELD], ["true answers"], id="not-paid"),
        pytest.param(
            [LOST, msgspec.structs.replace(HELD, reference="K7QX2-9PMDA"), CONFIRMED],
            ["one reservation"],
            id="told-two",
        ),
        pytest.param([HELD, CONFIRMED], ["it was hard"], id="nothing-was-lost"),
    ],
)
def test_what_was_told_otherwise_is_found(said: list[Said], claims: list[str]) -> None:
    assert wrong(said, FOUND) == claims


def test_auditor_and_kills_count() -> None:
    assert wrong(SAID, FOUND, audit_clean=False) == ["auditor"]
    assert wrong(SAID, FOUND, killed=0) == ["it was hard"]
