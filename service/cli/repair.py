"""`holdfast audit --repair`: shows the counters that are wrong, asks, mends them, and audits again."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from service.cli.changing import ask
from service.cli.output import doing, print_line, print_table

if TYPE_CHECKING:
    from service.audit import Report
    from service.audit.repair import Drifts, Row, Rows, Unmended
    from service.database.store import Store

LEFT_AS_IT_IS = "Nothing was changed."


class Wish(NamedTuple):
    """What was asked for on the command line."""

    dry_run: bool
    yes: bool
    actor: str
    reason: str | None
    as_json: bool


class Repaired(NamedTuple):
    """`drifts` are those found where nothing was done, else what was mended and what could not be."""

    drifts: "Drifts"
    was_done: bool
    report: "Report"

    @property
    def clean(self) -> bool:
        return self.report.clean and (self.was_done or not self.drifts.mended.total)


async def repair_counters(store: "Store", wish: Wish) -> Repaired:
    """Look, show, ask, mend. Raises CommandFailed where nobody can be asked, or the answer is no."""
    from service.audit import audit
    from service.audit.repair import survey

    with doing("looking") as say:
        found = await survey(store, lambda rows: say(f"at {rows:,} rows"))
    if not wish.as_json:
        _show(found)
    done = not wish.dry_run and found.mended.total > 0
    if done:
        ask(f"Mend {_counted(found.mended.total)}?", yes=wish.yes)
        found = await _mend(store, wish)
    return Repaired(found, done, await audit(store))


async def _mend(store: "Store", wish: Wish) -> "Drifts":
    from service.audit.repair import repair
    from service.reservations.command_engine import CommandEngine

    engine = CommandEngine(store, store.settings)
    await engine.start()
    try:
        with doing("mending") as say:
            return await repair(
                engine,
                store,
                actor=wish.actor,
                reason=wish.reason,
                on_progress=lambda rows: say(f"({rows:,} rows)"),
            )
    finally:
        await engine.drain()


def _show(found: "Drifts") -> None:
    if found.mended.total:
        print_table(["account", "what", "counter", "now", "should be"], list(_lines(found.mended.first)))
        _say_rest(found.mended)
    else:
        print_line("Every counter that can be mended is right.")
    _show_obstacles(found.not_mendable)


def _lines(rows: "list[Row]") -> Iterator[list[str]]:
    for row in rows:
        for change in row.changes:
            named = f"{row.what} {row.name}"
            yield [row.account or "", named, change.counter, str(change.now), str(change.should_be)]


def _show_obstacles(rows: "Rows") -> None:
    for row in rows.first:
        print_line(f"not mendable: account {row.account or 'none'}: {row.what} {row.name}: {row.obstacle}.")
    _say_rest(rows)


def _say_rest(rows: "Rows") -> None:
    if rows.total > len(rows.first):
        print_line(f"… and {rows.total - len(rows.first):,} more.")


def tell(repaired: Repaired, wish: Wish) -> None:
    """What was done and what is left, for people; the table of what was found has been shown."""
    from service.audit.repair import unmended

    drifts = repaired.drifts
    if repaired.was_done:
        print_line(f"Mended {_counted(drifts.mended.total)}, each with its message.")
        _show_obstacles(drifts.not_mendable)
    else:
        print_line("Dry run: nothing was changed." if wish.dry_run else LEFT_AS_IT_IS)
    for left in unmended(repaired.report):
        print_line(f"not mendable: {left.check.invariant}: {left.check.name}: {left.check.total}; {left.next}.")
        for offender in left.check.offenders:
            print_line(f"  {offender}")
    verdict = "clean" if repaired.report.clean else f"{sum(check.total for check in repaired.report.checks)} offenders"
    print_line(f"Audit as of {repaired.report.as_of}: {verdict}.")


def document(repaired: Repaired, wish: Wish) -> dict[str, object]:
    """The same for programs."""
    from service.audit.repair import Rows

    drifts, report = repaired.drifts, repaired.report
    others: list[Unmended] = _unmended(report)
    return {
        "dry_run": wish.dry_run,
        "to_mend": Rows() if repaired.was_done else drifts.mended,
        "mended": drifts.mended if repaired.was_done else Rows(),
        "not_mendable": {"counters": drifts.not_mendable, "others": others},
        "left": {
            "clean": report.clean,
            "as_of": report.as_of,
            "checks": [check for check in report.checks if check.total],
        },
    }


def _unmended(report: "Report") -> "list[Unmended]":
    from service.audit.repair import unmended

    return unmended(report)


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"
