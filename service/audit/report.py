"""What an audit found, for people and programs alike."""

import msgspec

OFFENDERS_MAX = 10
"""Offenders of one check that are named; the others are counted."""


class Check(msgspec.Struct, frozen=True):
    """One rule of one invariant: how many rows were judged, how many break it, and the first of them in words."""

    invariant: str
    name: str
    rows_checked: int
    total: int
    offenders: list[str]


class Report(msgspec.Struct, frozen=True):
    """All checks of one audit. `as_of` is the database's clock at the snapshot (RFC 3339)."""

    clean: bool
    as_of: str
    seconds: float
    checks: list[Check]
