"""Whether somebody does the worker's work: nothing may stand still for longer than many of its rounds."""

from typing import Final

from service.doctor.findings import Finding, ok, warning, wrong
from service.doctor.patient import Patient

ROUNDS: Final = 20
LEAST_MS: Final = 10_000
COUNTED_MAX: Final = 10_000

ENDS_THEM: Final = "; one ends them at once, in every account (`holdfast holds list --stale` shows them first)"

SELECT_STALE: Final = """
SELECT COUNT(*), MIN(lapses_at) FROM (SELECT lapses_at FROM reservations WHERE lapses_at <= ? LIMIT ?) AS stale
"""
SELECT_UNSEQUENCED: Final = """
SELECT COUNT(*), MIN(written_at) FROM (
    SELECT b.written_at FROM outbox o LEFT JOIN batches b ON b.id = o.batch_id
    WHERE o.position IS NULL AND (b.written_at IS NULL OR b.written_at <= ?) LIMIT ?) AS waiting
"""


async def stale_holds(patient: Patient) -> Finding:
    """Holds and waits whose time is over, and which nobody ends."""
    return await _standing_still(
        patient, SELECT_STALE, "reservations of all accounts are past their time, the first by", ENDS_THEM
    )


async def messages(patient: Patient) -> Finding:
    """Messages that have no position yet, which no reader sees."""
    return await _standing_still(patient, SELECT_UNSEQUENCED, "transactions have messages without a position, for")


async def _standing_still(patient: Patient, select: str, what: str, then: str = "") -> Finding:
    patience = max(LEAST_MS, ROUNDS * patient.settings.sweep_interval_ms)
    async with patient.store.read() as reader:
        now = await reader.now_ms()
        found, since = (await reader.rows(select, (now - patience, COUNTED_MAX)))[0]
    if not found:
        return ok(f"nothing has waited for longer than {patience / 1000:g} s")
    number = f"{found:,}{' or more' if found >= COUNTED_MAX else ''}"
    seen = f"{number} {what} {(now - int(since)) // 1000:,} s" if since else f"{number} {what} more than an hour"
    if patient.settings.is_sqlite:  # the server does it, which need not run while a doctor looks
        return warning(f"{seen}: no server seems to run{then}", "holdfast serve")
    return wrong(f"{seen}: no worker seems to run{then}", "holdfast worker")
