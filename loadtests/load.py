"""`make load SCENARIO=…`: one scenario against a stack of its own, audited and verified; a report in the end.

Exit status 0: all is well. 1: something is wrong, and the report says what. 2: the command was wrong. 130: Ctrl-C.
With `--control` what protects the service from this scenario is switched off, outside production code: then status 0
says that the verifier caught it, and a clean verdict is the failure.
"""

import argparse
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests import hot_rows
from loadtests.catalogue import SCENARIOS, Scenario
from loadtests.locust_process import Order
from loadtests.report import facts_of, write_report
from loadtests.run import Outcome, run_once
from loadtests.stack import database_server, run_stack
from loadtests.watch import Watch

REPORTS = Path(__file__).parent / "reports"
INTERRUPTED = 130


def main() -> None:
    parser, options = _options()
    scenario = SCENARIOS.get(options.scenario)
    if scenario is None:
        _list_scenarios(options.scenario)
        sys.exit(2)
    if options.control and scenario.control is None:
        controlled = ", ".join(name for name, one in SCENARIOS.items() if one.control)
        parser.error(f"{scenario.name} has no negative control; these have: {controlled}")
    _allow_many_connections()
    try:
        sys.exit(0 if _run(scenario, options) else 1)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: all processes are ended")
        sys.exit(INTERRUPTED)


def _options() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", nargs="?", default="", help=f"one of: {', '.join(SCENARIOS)}")
    parser.add_argument("--users", type=_positive, help="how many at once (each scenario has a size of its own)")
    parser.add_argument("--duration", type=_positive, metavar="SECONDS", help="how long they go on")
    parser.add_argument("--processes", type=_processes, metavar="N[,N…]", help="API processes; hot-row: several counts")
    parser.add_argument("--ui", action="store_true", help="Locust's web page, at an address that is printed")
    parser.add_argument("--control", action="store_true", help="negative control: it must be caught")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="where the report's folder is made")
    parser.add_argument("--mysql", metavar="URL", help="a server on which holdfast_… databases may be made")
    return parser, parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _processes(text: str) -> list[int]:
    return [_positive(number) for number in text.split(",")]


def _list_scenarios(wanted: str) -> None:
    console = Console(stderr=True)
    console.print(f"There is no scenario {wanted!r}; there are:" if wanted else "Which scenario? There are:")
    table = Table(show_header=False, box=None)
    for scenario in SCENARIOS.values():
        table.add_row(scenario.name, scenario.about)
    console.print(table)


def _allow_many_connections() -> None:
    """Ten thousand users have ten thousand connections, and every process here inherits this limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _run(scenario: Scenario, options: argparse.Namespace) -> bool:
    """Whether it went as it must."""
    console = Console()
    name = f"{scenario.name}-control" if options.control else scenario.name
    order = Order(
        scenario=scenario,
        users=options.users or scenario.users,
        duration_s=options.duration or scenario.duration_s,
        directory=options.reports / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}",
        has_ui=options.ui,
    )
    console.print(f"{scenario.name}: {scenario.about}")
    try:
        if scenario.name == hot_rows.NAME:
            return hot_rows.compare(order, options.processes, options.mysql, console)
        return _run_one(order, options, console)
    except AssertionError as error:
        console.print(f"[red]the load could not be run: {error}", highlight=False)
        return False


def _run_one(order: Order, options: argparse.Namespace, console: Console) -> bool:
    shape = order.scenario.control if options.control else order.scenario.shape
    assert shape is not None
    if options.processes:
        shape = shape.of(options.processes[0])
    watch = Watch(console)
    watch.step(f"starting the database, {shape.processes} API processes and a worker")
    with database_server(options.mysql) as server, run_stack(server, shape) as stack:
        outcome = run_once(order, stack, watch, is_control=options.control)
        write_report(outcome, order.directory, stack.logs())
    _show(outcome, order.directory, console)
    return outcome.was_caught if options.control else outcome.is_clean


def _show(outcome: Outcome, directory: Path, console: Console) -> None:
    table = Table(title=f"{outcome.scenario}{', negative control' if outcome.is_control else ''}", show_header=False)
    for name, value in facts_of(outcome):
        table.add_row(name, value)
    console.print(table)
    for words in (*outcome.wrong, *outcome.verdict.offences[:10]):
        console.print(f"[red]{words}", highlight=False)
    if outcome.is_control:
        caught = "[green]caught, as it must be" if outcome.was_caught else "[red]NOT caught: the proof is worthless"
        console.print(caught)
    elif outcome.is_clean:
        console.print("[green]clean: every answer is in the database, and nothing else is")
    console.print(f"report: {directory}")


if __name__ == "__main__":
    main()
