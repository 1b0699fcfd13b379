"""Runs every examination on one snapshot of the database."""

import time
from collections.abc import Callable

from service.audit import answers, inventory, messages, reservations
from service.audit.examination import Examination, examine
from service.audit.report import Check, Report
from service.audit.speech import SPEECHES, Speech
from service.clock import to_rfc3339
from service.database.store import Store
from service.database.transaction import Transaction

INVARIANTS = ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "waiting")
"""The order of the report. `waiting` is what domain.md says of those who wait for a pool."""

NOTHING_TO_SEE = Check(
    "R9", "no row says anything about Redis, so there is none that its loss could make untrue", 0, 0, []
)

Progress = Callable[[str, int, int], None]
"""What is looked at next, how many examinations are done, and how many there are."""


async def audit(store: Store, on_progress: Progress | None = None) -> Report:
    """Judge the whole database as it is now. Raises StoreError."""
    async with store.snapshot(patient=True) as reader:
        return await judge(reader, on_progress)


async def judge(reader: Transaction, on_progress: Progress | None = None) -> Report:
    """Judge what `reader` sees, which must be one and the same state all the time. Raises StoreError."""
    began = time.monotonic()
    checks = [NOTHING_TO_SEE]
    as_of = await reader.now_ms()
    examinations = _examinations(SPEECHES[reader.dialect.name], as_of)
    for done, examination in enumerate(examinations):
        if on_progress is not None:
            on_progress(examination.subject, done, len(examinations))
        checks += await examine(reader, examination)
    checks.sort(key=lambda check: INVARIANTS.index(check.invariant))
    return Report(
        clean=not any(check.total for check in checks),
        as_of=to_rfc3339(as_of),
        seconds=round(time.monotonic() - began, 3),
        checks=checks,
    )


def _examinations(speech: Speech, as_of: int) -> list[Examination]:
    return [
        *inventory.examinations(speech),
        *reservations.examinations(),
        *messages.examinations(speech, as_of),
        *answers.examinations(speech),
    ]
