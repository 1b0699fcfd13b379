"""What a soak comes to: counts of faults and of operations, the verdicts, and what ended it before its time."""

from collections import Counter
from collections.abc import Sequence

import msgspec
from rich.table import Table

from loadtests.verifier import Verdict
from tests.faults.soak.catalogue import Kind

COUNTS = ("requests", "retries", "replays", "acknowledged")
OFFENCES = ("unacknowledged", "lost", "doubled", "oversold", "untrue")


class Injected(msgspec.Struct):
    """How often a kind of fault happened, and the longest time that it took to get over it."""

    row: int
    kind: str
    times: int = 0
    slowest_s: float = 0.0


class Report(msgspec.Struct, kw_only=True):
    """`failure`: what ended the soak, in words; empty where nothing did. Counts of operations are of all rounds."""

    store: str
    seed: int
    seconds: float = 0.0
    rounds: int = 0
    faults: list[Injected]
    requests: int = 0
    retries: int = 0
    replays: int = 0
    acknowledged: int = 0
    unacknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    oversold: int = 0
    untrue: int = 0
    offences: list[str] = []
    failure: str = ""
    evidence: str = ""

    @classmethod
    def begin(cls, store: str, seed: int, kinds: Sequence[Kind]) -> "Report":
        return cls(store=store, seed=seed, faults=[Injected(kind.row, kind.name) for kind in kinds])

    @property
    def is_clean(self) -> bool:
        return not (self.failure or any(getattr(self, name) for name in OFFENCES))

    def note_fault(self, kind: Kind, recovered_s: float) -> None:
        (injected,) = (fault for fault in self.faults if fault.kind == kind.name)
        injected.times += 1
        injected.slowest_s = round(max(injected.slowest_s, recovered_s), 2)

    def note_counts(self, counts: Counter[str]) -> None:
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + counts[name])

    def note_verdict(self, verdict: Verdict) -> None:
        for name in OFFENCES:
            setattr(self, name, getattr(self, name) + getattr(verdict, name))
        self.offences = [*self.offences, *verdict.offences]

    def tables(self) -> tuple[Table, Table]:
        """For people: the faults, and what became of the operations."""
        faults = Table(title=f"Faults injected, {self.store}, seed {self.seed}, {self.seconds:.0f} s")
        for column in ("row", "fault", "times", "slowest recovery"):
            faults.add_column(column, justify="left" if column == "fault" else "right")
        for fault in self.faults:
            faults.add_row(str(fault.row), fault.kind, str(fault.times), f"{fault.slowest_s:.1f} s")
        faults.add_row("", "all", str(sum(fault.times for fault in self.faults)), "", style="bold")
        operations = Table(title="Operations", show_header=False)
        operations.add_column()
        operations.add_column(justify="right")
        for name in (*COUNTS, *OFFENCES):
            value = getattr(self, name)
            operations.add_row(name, f"{value:,}", style="bold red" if name in OFFENCES and value else "")
        return faults, operations
