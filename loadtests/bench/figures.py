"""What the benchmark measures, what each figure is to reach, and the arithmetic between them. Does nothing else."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Final, Literal

import msgspec

# ruff: noqa: RUF001 - the multiplication sign is what it says

Sense = Literal["at least", "at most", "told"]


class Aim(msgspec.Struct, frozen=True):
    """One line of the table: a name for `--only`, what it says to people, and what is to be reached.

    `told` has nothing to reach: it stands beside another for comparison.
    """

    name: str
    title: str
    sense: Sense
    reach: float = math.nan
    unit: str = ""

    @property
    def wanted(self) -> str:
        """What is to be reached, in words."""
        if self.sense == "told":
            return "—"
        return f"{'≥' if self.sense == 'at least' else '≤'} {shown(self.reach, self.unit)}"

    def is_reached(self, value: float) -> bool:
        """Whether `value` is good enough, as it is shown: nobody is refused by a digit that is not printed."""
        if self.sense == "told":
            return True
        rounded = round(value, _decimals(self.unit))
        return rounded >= self.reach if self.sense == "at least" else rounded <= self.reach


AIMS: Final = (
    Aim("distinct", "holds on distinct seats, to the no-op", "at least", 0.60),
    Aim("distinct-plain", "holds on distinct seats, to plain", "at least", 5, "×"),
    Aim("distinct-driver", "holds on distinct seats, to plain straight to the driver", "told", unit="×"),
    Aim("stock", "holds on one stock row, to distinct seats", "at least", 0.90),
    Aim("stock-plain", "holds on one stock row, to plain", "at least", 5, "×"),
    Aim("stock-driver", "holds on one stock row, to plain straight to the driver", "told", unit="×"),
    Aim("processes", "one stock row, 4 processes to 1", "at least", 0.80),
    Aim("confirm", "confirm, to the no-op", "at least", 0.55),
    Aim("release", "release, to the no-op", "at least", 0.55),
    Aim("replays", "replays, to the no-op", "at least", 0.85),
    Aim("sqlite", "SQLite, holds on distinct seats, to the no-op", "at least", 0.35),
    Aim("grown", "with 5 million reservations and records there, to empty", "at least", 0.85),
    Aim("event", "event of 100,000 seats, to 1,000", "at least", 0.95),
    Aim("availability", "availability of 16,054 seats while holds go on, to the no-op", "at least", 0.50),
    Aim("latency", "p99 at half of the maximum rate, to the no-op's p99", "at most", 5, "×"),
    Aim("memory", "memory of an API process after 1 million requests", "at most", 200, "MB"),
    Aim("memory-growth", "growth of that memory over its second half", "at most", 5, "%"),
    Aim("transactions", "database transactions for 1,000 concurrent holds", "at most", 60, "n"),
)
BY_NAME: Final = {aim.name: aim for aim in AIMS}


class Usage(msgspec.Struct, frozen=True):
    """Processor time of one run, in seconds; None of a database that is no process of this machine.

    `everybody` is that of all processes of the machine, ours and others'.
    """

    wall: float
    api: float
    database: float | None
    generator: float
    everybody: float


class Sample(msgspec.Struct, frozen=True):
    """One run of one kind of request in one round."""

    per_second: float
    median_ms: float
    p99_ms: float
    usage: Usage


class Figure(msgspec.Struct, frozen=True):
    """A measured line of the table. `detail` says it in requests/s or the like, `limit` what stops it here."""

    name: str
    value: float
    detail: str
    limit: str
    rounds: list[float] = []

    @property
    def aim(self) -> Aim:
        return BY_NAME[self.name]

    @property
    def is_reached(self) -> bool:
        return self.aim.is_reached(self.value)

    @property
    def text(self) -> str:
        return shown(self.value, self.aim.unit)


class Curve(msgspec.Struct, frozen=True):
    """One line of a plot: `xs` and `ys` in the plot's units."""

    label: str
    xs: list[float]
    ys: list[float]


def shown(value: float, unit: str) -> str:
    """A value as people read it."""
    text = f"{value:.{_decimals(unit)}f}"
    return {"": text, "n": text, "×": f"{text} ×"}.get(unit, f"{text} {unit}")


def _decimals(unit: str) -> int:
    return {"": 2, "×": 1, "%": 1}.get(unit, 0)


def ratios(rates: Sequence[Sample], to: Sequence[Sample]) -> list[float]:
    """Round by round, so that a machine whose speed drifts does not decide."""
    return [one.per_second / other.per_second for one, other in zip(rates, to, strict=True)]


def compared(name: str, rates: Sequence[Sample], to: Sequence[Sample], cores: int, rate_of: str = "/s") -> Figure:
    """The figure of two kinds of runs in the same rounds: the median of their ratios."""
    by_round = ratios(rates, to)
    of, than = median(one.per_second for one in rates), median(one.per_second for one in to)
    return Figure(
        name=name,
        value=median(by_round),
        detail=f"{of:,.0f}{rate_of} to {than:,.0f}{rate_of}, p99 {median(one.p99_ms for one in rates):,.0f} ms",
        limit=limit_of([one.usage for one in rates], cores),
        rounds=[round(ratio, 4) for ratio in by_round],
    )


BUSY: Final = 0.9
OTHERS: Final = 0.3


def limit_of(usages: Sequence[Usage], cores: int) -> str:
    """What kept the runs from going faster, by the processor time of each part."""
    wall = sum(usage.wall for usage in usages) or math.nan
    api = sum(usage.api for usage in usages) / wall
    generator = sum(usage.generator for usage in usages) / wall
    known = [usage.database for usage in usages if usage.database is not None]
    database = sum(known) / wall
    parts = {"API": api, **({"database": database} if known else {}), "generator": generator}
    shares = f"{', '.join(f'{name} {share:.0%}' for name, share in parts.items())} of a core"
    total = api + database + generator
    everybody = sum(usage.everybody for usage in usages) / wall
    if total >= BUSY * cores:
        what = "all cores are busy"
    elif everybody >= BUSY * cores and everybody - total >= OTHERS:
        what = f"other programs took {everybody - total:.1f} cores"
    elif api >= BUSY:
        what = "the API process keeps its one core busy"
    elif generator >= BUSY:
        what = "the generator keeps its one core busy"
    else:
        what = "nothing is busy all the time: it waits for round trips to the database, and for COMMIT"
    return f"{what}: {shares}"


def wanted_figures(only: Sequence[str]) -> set[str]:
    """The names that `--only` means: itself and what begins with it. Raises ValueError for one that nothing has."""
    if not only:
        return set(BY_NAME)
    chosen: set[str] = set()
    for name in only:
        found = {known for known in BY_NAME if known == name or known.startswith(f"{name}-")}
        if not found:
            raise ValueError(f"{name} is no figure. There are: {', '.join(BY_NAME)}")
        chosen |= found
    return chosen
