"""`holdfast audit`: the auditor's verdict, for people and for programs; with `--repair` wrong counters are mended."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.changing import AsOption, DryRunOption, ReasonOption, YesOption, checked_reason, operator
from service.cli.failures import CommandFailed, ExitCode
from service.cli.output import JsonOption, doing, print_json, print_line, print_table
from service.cli.running import run_on_store

if TYPE_CHECKING:
    from service.audit import Report
    from service.database.store import Store


def audit(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend counters that are not the sums of their lines; asks first.")
    ] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    reason: ReasonOption = None,
    as_name: AsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every invariant on the database as it is now, live or at rest; exit 1 and name the first offenders if any.

    It reads one consistent snapshot and changes nothing. With --repair it first mends held and confirmed counts of
    stock, states of seats, and counts of who waits, each with a message; whatever else is wrong it names with what to
    do about it. It may run beside traffic, be interrupted at any moment, and be run again.
    """
    if repair:
        _repair(dry_run=dry_run, yes=yes, reason=reason, as_name=as_name, as_json=as_json)
        return
    if dry_run or yes or reason is not None or as_name is not None:
        raise CommandFailed("--dry-run, --yes, --reason and --as go with --repair: add it.", ExitCode.USAGE)
    report = run_on_store(_audit)
    if as_json:
        print_json(report)
    else:
        _tell(report)
    if not report.clean:
        raise typer.Exit(ExitCode.REFUSED)


def _repair(*, dry_run: bool, yes: bool, reason: str | None, as_name: str | None, as_json: bool) -> None:
    from service.cli.repair import Wish, document, repair_counters, tell

    wish = Wish(dry_run, yes, operator(as_name), checked_reason(reason), as_json)
    repaired = run_on_store(lambda store: repair_counters(store, wish))
    if as_json:
        print_json(document(repaired, wish))
    else:
        tell(repaired, wish)
    if not repaired.clean:
        raise typer.Exit(ExitCode.REFUSED)


async def _audit(store: "Store") -> "Report":
    from service.audit import audit as run_audit

    with doing("auditing") as say:
        return await run_audit(store, lambda subject, done, total: say(f"{subject} ({done} of {total})"))


def _tell(report: "Report") -> None:
    print_table(
        ["", "invariant", "rows", "offenders"],
        [
            [check.invariant, check.name, f"{check.rows_checked:,}", f"{check.total:,}" if check.total else "0"]
            for check in report.checks
        ],
    )
    for check in report.checks:
        if check.total:
            print_line(f"{check.invariant}: {check.name}: {check.total} offenders, the first of them:")
            for offender in check.offenders:
                print_line(f"  {offender}")
    verdict = "clean" if report.clean else f"{sum(check.total for check in report.checks)} offenders"
    print_line(f"Audit as of {report.as_of}: {verdict}, {len(report.checks)} checks in {report.seconds:.1f} s.")
