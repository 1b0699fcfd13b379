"""What is kept of a soak that failed: the ledgers, the end of every log, the verdict."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.faults.soak.report import Report
from tests.faults.soak.stack import Stack

TAIL_BYTES = 2_000_000


def keep(report: Report, stack: Stack, ledgers: list[Path], reports: Path) -> Path:
    """Writes it into a new directory of `reports`, and returns that."""
    directory = reports / f"{datetime.now(UTC):%Y%m%dT%H%M%S}Z-soak"
    directory.mkdir(parents=True)
    for ledger in ledgers:
        shutil.copy(ledger, directory)
    for name, log in stack.logs().items():
        if log.exists():
            (directory / f"{name}.log").write_bytes(log.read_bytes()[-TAIL_BYTES:])
    report.evidence = str(directory)
    (directory / "verdict.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return directory
