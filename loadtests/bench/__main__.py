"""`make bench ARGS=…`: runs the stages, prints the table, writes the report."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from loadtests.bench.bed import BUFFER_POOL_BYTES, WrongAnswers
from loadtests.bench.bench import QUICK, Bench, Options
from loadtests.bench.figures import AIMS, BY_NAME, wanted_figures
from loadtests.bench.machine import description, load_average
from loadtests.bench.progress import Reporter
from loadtests.bench.report.table import table
from loadtests.bench.report.written import REPORTS, into_docs, new_folder, write_report
from loadtests.bench.stages import STAGES, Stage
from tests.servers import ServerNotFoundError

BUSY_LOAD = 0.5
LIMIT_S = 600


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit status 0 when all was measured, reached or not; 1: an answer or the auditor was wrong; 2: bad usage."""
    given = _parser().parse_args(arguments)
    try:
        wanted = wanted_figures(given.only)
    except ValueError as error:
        sys.exit(_usage(str(error)))
    options = _options(given)
    console = Console()
    stages = [stage for stage in STAGES if not stage.figures or wanted & set(stage.figures)]
    try:
        found, machine, seconds = _measure(options, wanted, stages, console)
    except ServerNotFoundError as error:
        sys.exit(str(error))
    except (WrongAnswers, AssertionError) as error:
        sys.exit(f"The run is void: {error}")
    order = list(BY_NAME)
    found.figures.sort(key=lambda figure: order.index(figure.name))
    console.print(table(found.figures))
    for remark in found.remarks:
        console.print(remark)
    folder = new_folder(given.reports)
    plots = write_report(folder, found, options, machine, seconds)
    console.print(f"{sum(seconds.values()):.0f} s in total; written to {folder}", highlight=False, soft_wrap=True)
    if given.into_docs:
        into_docs(folder, found, plots, machine)
        console.print("plots copied to docs/bench, table written into README.md")


def _measure(options: Options, wanted: set[str], stages: Sequence[Stage], console: Console):  # noqa: ANN202
    """Findings, the machine, and the seconds of each stage. Raises what stands in `main`."""
    scale = 0.06 if options.is_quick else 1.0
    reporter = Reporter(console, {"servers": 8 * scale, **{stage.name: stage.seconds * scale for stage in stages}})
    bench = Bench(options, wanted, reporter)
    before = load_average()
    try:
        with reporter.running():
            with reporter.stage("servers", "starting the servers"):
                machine = {
                    **description(),
                    "database": bench.administrator.name,
                    "buffer_pool_gb": round(BUFFER_POOL_BYTES / 1e9, 1),
                }
            for stage in stages:
                with reporter.stage(stage.name, stage.title):
                    stage.run(bench)
    finally:
        bench.close()
    if before > BUSY_LOAD and not options.is_quick:
        bench.found.remarks.append(
            f"The machine was not idle before the run (load average {before:.1f}): repeat it when it is."
        )
    if options.is_quick:
        bench.found.remarks.append("A quick run shows that the benchmark works. Its values mean nothing.")
    total = sum(reporter.seconds.values())
    if total > LIMIT_S:
        bench.found.remarks.append(f"It took {total:.0f} s, more than {LIMIT_S}: this machine is slow, or was busy.")
    return bench.found, machine, reporter.seconds


def _options(given: argparse.Namespace) -> Options:
    chosen = {
        name: value for name in ("rounds", "requests", "connections") if (value := getattr(given, name)) is not None
    }
    return msgspec.structs.replace(QUICK if given.quick else Options(), **chosen)


def _parser() -> argparse.ArgumentParser:
    names = "\n".join(f"  {aim.name:16} {aim.title} ({aim.wanted})" for aim in AIMS)
    parser = argparse.ArgumentParser(
        prog="make bench ARGS=…",
        description="Throughput as ratios, measured side by side on this machine; about 8 minutes if it is idle.",
        epilog=f"figures:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Options()
    parser.add_argument("--rounds", type=_at_least(1), help=f"counted rounds, one more warms up [{usual.rounds}]")
    parser.add_argument("--requests", type=_at_least(100), help=f"requests of one kind in one round [{usual.requests}]")
    parser.add_argument("--connections", type=_at_least(1), help=f"connections that send at once [{usual.connections}]")
    parser.add_argument("--only", nargs="+", default=[], metavar="FIGURE", help="these figures alone, by name")
    parser.add_argument("--quick", action="store_true", help="few of everything: whether it works, not how fast")
    parser.add_argument("--reports", type=Path, default=REPORTS, metavar="FOLDER", help="where the report goes")
    parser.add_argument(
        "--into-docs", action="store_true", help="also put the plots into docs/bench and the table into README.md"
    )
    return parser


def _at_least(least: int):  # noqa: ANN202 - an argparse type
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of {least} or more")
        return int(text)

    return number


def _usage(told: str) -> int:
    print(f"make bench: {told}", file=sys.stderr, flush=True)
    return 2


if __name__ == "__main__":
    main()
