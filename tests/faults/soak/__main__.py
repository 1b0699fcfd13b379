"""`python -m tests.faults.soak --minutes N`: status 0: clean, 1: something lost, doubled or stuck, 130: Ctrl-C."""

import argparse
import random
import signal
import sys
import threading
from pathlib import Path

import msgspec
from rich.console import Console

from tests.faults.soak.catalogue import KINDS, kinds_of
from tests.faults.soak.control import WAYS
from tests.faults.soak.report import Report
from tests.faults.soak.soak import Options, run_soak
from tests.faults.soak.view import View

SEEDS = 1_000_000
OFFENCES_SHOWN = 20


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes <= 10_000:
        raise argparse.ArgumentTypeError("between 0 and 10,000")
    return minutes


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.soak",
        description="One fault after the other, at random, while customers never stop. Nothing may be lost or doubled.",
        epilog=f"Faults: {', '.join(kind.name for kind in KINDS)}.",
    )
    time = parser.add_mutually_exclusive_group()
    time.add_argument("--minutes", type=_minutes, default=10.0, help="how long (default: 10)")
    time.add_argument("--once", action="store_true", help="each kind of fault once, and as short as it can be")
    parser.add_argument("--store", choices=["mysql", "sqlite"], default="mysql")
    parser.add_argument("--seed", type=int, help="repeats the order and places of the faults (default: by chance)")
    parser.add_argument("--customers", type=int, default=8, help="how many at once (default: 8)")
    parser.add_argument("--round", type=int, default=6, metavar="N", help="faults between two verdicts (default: 6)")
    parser.add_argument("--only", action="append", default=[], metavar="FAULT", help="this kind; may be repeated")
    parser.add_argument("--control", choices=WAYS, help="breaks the service on purpose: then the soak must fail")
    parser.add_argument("--reports", type=Path, default=Path("loadtests/reports"), help="where evidence is kept")
    parser.add_argument("--json", action="store_true", help="the report as JSON on standard output")
    options = parser.parse_args(arguments)
    if options.round not in range(1, 1001):
        parser.error("--round: 1 to 1000")
    if options.customers not in range(1, 101):
        parser.error("--customers: 1 to 100")
    known = [kind.name for kind in kinds_of(options.store)]
    for name in options.only:
        if name not in known:
            parser.error(f"--only: there is no {name!r} on {options.store}, but {', '.join(known)}")
    return options


def main() -> int:
    """The exit status."""
    options = read_arguments()
    seed = random.randrange(SEEDS) if options.seed is None else options.seed
    console = Console(highlight=False, markup=False, stderr=options.json)
    view = View(console)
    length = "each kind of fault once" if options.once else f"{options.minutes:g} minutes"
    view.say(f"soak: {options.store}, {length}, --seed {seed}", "bold")
    seconds = 0.0 if options.once else options.minutes * 60
    interrupted = threading.Event()

    def note(_number: int, _frame: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        report = run_soak(
            Options(
                store=options.store,
                seconds=seconds,
                seed=seed,
                threads=options.customers,
                faults_a_round=options.round,
                only=options.only,
                control=options.control,
                reports=options.reports,
                interrupted=interrupted,
            ),
            view,
        )
    except KeyboardInterrupt:
        view.say("ended by Ctrl-C; everything that was started is gone", "yellow")
        return 130
    _tell(report, console)
    if options.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    return 0 if report.is_clean else 1


def _tell(report: Report, console: Console) -> None:
    for table in report.tables():
        console.print(table)
    if report.is_clean:
        console.print("Clean: whatever was acknowledged is there, once.", style="bold green")
        return
    if report.failure:
        console.print(report.failure, style="bold red")
    for offence in report.offences[:OFFENCES_SHOWN]:
        console.print(offence, style="red")
    console.print(f"Kept in {report.evidence}: ledgers, ends of the logs, verdict.json.")
    again = f"python -m tests.faults.soak --store {report.store} --seed {report.seed}"
    console.print(f"The same faults in the same order: {again}")


if __name__ == "__main__":
    sys.exit(main())
