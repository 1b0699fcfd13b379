"""The verification itself: ledgers, then reservations, then units."""

from collections.abc import Iterable
from pathlib import Path

from loadtests.verifier.operations import LEAST_FAILURE, read_operations
from loadtests.verifier.reservations import judge_reservations
from loadtests.verifier.rows import open_rows
from loadtests.verifier.units import Units
from loadtests.verifier.verdict import Findings, Verdict


def verify(ledgers: Iterable[Path], database_url: str, account_id: bytes) -> Verdict:
    """The verdict on one account, which only the clients of these ledgers have used.

    Raises OSError or msgspec.DecodeError where a ledger cannot be read.
    """
    findings = Findings()
    operations = read_operations(ledgers, findings)
    units = Units(findings)
    with open_rows(database_url) as rows:
        reservations = judge_reservations(rows, account_id, operations, units, findings)
        units.judge(rows, account_id)
    all_of_them = operations.by_name.values()
    acknowledged = sum(op.status > 0 for op in all_of_them)
    successes = sum(op.is_success for op in all_of_them)
    failures = sum(op.status >= LEAST_FAILURE and op.expects_failure for op in all_of_them)
    return Verdict(
        operations=len(operations.by_name),
        asked=operations.asked,
        told=operations.told,
        replays=operations.replays,
        tries=operations.tries,
        acknowledged=acknowledged,
        unacknowledged=len(operations.by_name) - acknowledged,
        successes=successes,
        refusals=acknowledged - successes - sum(op.status >= LEAST_FAILURE for op in all_of_them),
        failures_expected=failures,
        reservations=reservations,
        lost=findings.counts["lost"],
        doubled=findings.counts["doubled"],
        oversold=findings.counts["oversold"],
        untrue=findings.counts["untrue"],
        offences=findings.words,
    )
