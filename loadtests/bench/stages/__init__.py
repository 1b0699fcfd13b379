"""The stages in the order in which they run, which figures each makes, and how long each takes."""

from collections.abc import Callable
from typing import Final

import msgspec

from loadtests.bench.bench import Bench
from loadtests.bench.stages import availability, core, events, grown, memory, processes, rates, sqlite, transactions


def audit_main(bench: Bench) -> None:
    """Of all that was done on the main database, if anything was."""
    if bench.has_main:
        bench.audit(bench.main.service)


class Stage(msgspec.Struct, frozen=True):
    """`seconds`: on an idle machine with two cores; for the time left, nothing else."""

    name: str
    title: str
    figures: tuple[str, ...]
    seconds: float
    run: Callable[[Bench], None]


STAGES: Final = (
    Stage(
        "core",
        "holds, actions and replays, beside plain",
        (
            "distinct",
            "distinct-plain",
            "distinct-driver",
            "stock",
            "stock-plain",
            "stock-driver",
            "confirm",
            "release",
            "replays",
        ),
        110,
        core.run,
    ),
    Stage("processes", "one stock row with 4 processes", ("processes",), 25, processes.run),
    Stage("transactions", "1,000 holds at once", ("transactions",), 10, transactions.run),
    Stage("events", "an event of 100,000 seats", ("event",), 30, events.run),
    Stage("availability", "availability while holds go on", ("availability",), 25, availability.run),
    Stage("rates", "fixed rates, numbers of clients", ("latency",), 90, rates.run),
    Stage("sqlite", "SQLite", ("sqlite",), 25, sqlite.run),
    Stage("memory", "a million requests, a database growing beside", ("memory", "memory-growth"), 150, memory.run),
    Stage("grown", "with millions of rows", ("grown",), 40, grown.run),
    Stage("audit", "the auditor", (), 20, audit_main),
)
"""The growth begins while the memory is filled: neither is measured by time. The last stage runs in any case."""
