"""Mends what `drift.py` finds, by commands through the engine, and tells what nobody but a person can mend.

Each mend is a command: its row, its message and nothing else, or nothing at all. So a repair may be killed at any
moment and done again, may run beside traffic and beside another repair: what is right by then is left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

import msgspec

from service.audit.drift import Drift, drifted
from service.audit.report import Check, Report
from service.database.store import Store
from service.database.transaction import chunks
from service.idempotency.records import StoredAnswer
from service.reservations.commands import MendCommand
from service.reservations.counted import Change

NAMED_MOST: Final = 100
"""Rows that are named; the others are counted."""
GROUP_COMMANDS: Final = 16
"""Mends that run at once. Few: each sums all lines of its row, and holds the row meanwhile."""

DONE, ABSENT = 200, 404
REFUSED: Final = "refused by what was claimed meanwhile; look again with --repair --dry-run"

MENDED_CHECKS: Final = frozenset(
    {
        "a category counts those who wait for it",
        "a seat is available or blocked exactly where no live line has it",
        "a seat's state is that of the reservation that has it",
        "counts of a stock item are the sums of its live lines",
        "a stock item counts those who wait for it",
    }
)
"""Checks of the auditor whose offenders are counters."""

NEXT: Final = {
    "R1": "release or cancel all but one of the reservations that have the seat",
    "R2": "raise on_hand (PUT /v1/stock/SKU) or release reservations of it",
    "R3": "keep a copy of the database, compare the record with what the client was told, and report a bug",
    "R4": "keep a copy of the database, compare the history with a backup, and report a bug",
    "R5": "keep a copy of the database, compare the history with a backup, and report a bug",
    "R6": "keep a copy of the database, compare the lines with the reservation's messages, and report a bug",
    "R7": "keep a copy of the database, compare the row with the message's body, and report a bug",
    "R8": "keep a copy of the database, tell readers of the messages that one may be missing, and report a bug",
    "R9": "report a bug",
    "R10": "restore the row that is missing from a backup, or correct the one that names it",
    "waiting": "release the waiting reservation that is named",
}
"""By invariant: what a person does about what is never mended."""


class Engine(Protocol):
    """What a repair needs of the engine."""

    def submit(self, command: MendCommand, /) -> Awaitable[StoredAnswer]: ...


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row that is named: what is wrong with it, and why it stays so if it does."""

    account: str | None
    what: str
    name: str
    changes: tuple[Change, ...]
    obstacle: str | None = None


class Rows(msgspec.Struct):
    """How many rows there are, and the first of them."""

    total: int = 0
    first: list[Row] = msgspec.field(default_factory=list)

    def add(self, drift: Drift, changes: tuple[Change, ...], obstacle: str | None = None) -> None:
        self.total += 1
        if len(self.first) < NAMED_MOST:
            self.first.append(Row(drift.account, drift.what, drift.name, changes, obstacle))


class Drifts(msgspec.Struct):
    """What is to be mended or was mended, and what cannot be."""

    mended: Rows = msgspec.field(default_factory=Rows)
    not_mendable: Rows = msgspec.field(default_factory=Rows)


class Unmended(msgspec.Struct, frozen=True):
    """Findings of the auditor that are no counters, and what a person does about them."""

    check: Check
    next: str


Progress = Callable[[int], None]
"""How many rows have been looked at."""


def ignore(_rows: int) -> None:
    """Nobody watches."""


async def survey(store: Store, on_progress: Progress = ignore) -> Drifts:
    """What `repair` would mend now; changes nothing. Raises StoreError."""
    found, seen = Drifts(), 0
    async for rows, page in drifted(store):
        for drift in page:
            if drift.obstacle is None:
                found.mended.add(drift, drift.changes)
            else:
                found.not_mendable.add(drift, drift.changes, drift.obstacle)
        seen += rows
        on_progress(seen)
    return found


async def repair(
    engine: Engine, store: Store, *, actor: str, reason: str | None, on_progress: Progress = ignore
) -> Drifts:
    """Mend all that can be mended; what this call mended, and what it could not. Raises what the engine raises."""
    done, seen = Drifts(), 0
    async for rows, page in drifted(store):
        for part in chunks([drift for drift in page if drift.obstacle is None], GROUP_COMMANDS):
            await _mend(engine, part, actor, reason, done)
        for drift in page:
            if drift.obstacle is not None:
                done.not_mendable.add(drift, drift.changes, drift.obstacle)
        seen += rows
        on_progress(seen)
    return done


async def _mend(engine: Engine, part: Sequence[Drift], actor: str, reason: str | None, done: Drifts) -> None:
    commands = [
        drift.command(account_id=drift.account_id, actor=actor, reason=reason, row_id=drift.row_id) for drift in part
    ]
    answers = await asyncio.gather(*map(engine.submit, commands))
    for drift, answer in zip(part, answers, strict=True):
        if answer.status == DONE:
            changes = msgspec.json.decode(answer.body, type=Mended).changes
            if changes:
                done.mended.add(drift, changes)
        elif answer.status != ABSENT:  # a category may be dropped at any time
            done.not_mendable.add(drift, drift.changes, REFUSED)


class Mended(msgspec.Struct, frozen=True):
    """The answer to a mend."""

    changes: tuple[Change, ...]


def unmended(report: Report) -> list[Unmended]:
    """What the auditor found besides counters."""
    return [Unmended(check, NEXT[check.invariant]) for check in _findings(report.checks)]


def _findings(checks: Iterable[Check]) -> Iterable[Check]:
    return (check for check in checks if check.total and check.name not in MENDED_CHECKS)
