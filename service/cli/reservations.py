"""`holdfast reservations`: everything about one reservation, and what an operator may do with it."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from enum import StrEnum
from typing import Annotated

import typer

from service.cli.acting import act
from service.cli.changing import DryRunOption, ReasonOption, checked_reason
from service.cli.desk import Where, at_desk, run_at_desk
from service.cli.output import JsonOption, examples, print_json

app = typer.Typer(help="Show a reservation, confirm or cancel it.", no_args_is_help=True)

ReferenceArgument = Annotated[str, typer.Argument(metavar="REF", help="The reservation's reference, in any case.")]


class Refund(StrEnum):
    """What becomes of the payments of a reservation that is cancelled."""

    ORIGINAL = "original"
    CREDIT = "credit"
    NONE = "none"


@app.command("show", epilog=examples("reservations show K7QX2-9PMD8", "reservations show k7qx29pmd8 --json"))
@at_desk
def show(where: Where, reference: ReferenceArgument, as_json: JsonOption = False) -> None:
    """Show a reservation and one timeline of it: changes, who asked, messages, idempotency keys.

    Of a key only the id is stored, not its text: `holdfast idempotency
    show KEY` finds a key that you have.
    """
    from service.cli.timeline import look_at, tell

    reservation, entries, as_of = run_at_desk(where, lambda desk: look_at(desk, reference))
    if as_json:
        print_json({"as_of": as_of, "reservation": reservation, "entries": entries})
    else:
        tell(reservation, entries, as_of)


@app.command("confirm", epilog=examples("reservations confirm K7QX2-9PMD8 --reason 'paid at the counter'"))
@at_desk
def confirm(
    where: Where,
    reference: ReferenceArgument,
    late: Annotated[
        bool, typer.Option("--late", help="Also past its time, or expired, if every unit is still free.")
    ] = False,
    dry_run: DryRunOption = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Confirm a hold."""
    why = checked_reason(reason)
    act(
        where,
        reference,
        "confirm",
        lambda desk, seen: desk.client.confirm(seen.reference, late="if_available" if late else None, reason=why),
        lambda before, after: f"{after.reference} {_now(before.version, after.version, 'confirmed')}.",
        dry_run=dry_run,
        as_json=as_json,
    )


@app.command("cancel", epilog=examples("reservations cancel K7QX2-9PMD8 --line 2 --reason 'customer called'"))
@at_desk
def cancel(
    where: Where,
    reference: ReferenceArgument,
    line: Annotated[
        list[int] | None, typer.Option("--line", min=1, help="Only this line; repeat for more. `show` numbers them.")
    ] = None,
    refund: Annotated[Refund, typer.Option(help="What becomes of the payments.")] = Refund.NONE,
    dry_run: DryRunOption = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a confirmed reservation, the whole or some of its lines: what it had is free at once."""
    why = checked_reason(reason)
    what = f"{'Lines' if len(line) > 1 else 'Line'} {', '.join(map(str, line))} of " if line else ""
    act(
        where,
        reference,
        "cancel",
        lambda desk, seen: desk.client.cancel(seen.reference, line or None, refund=refund.value, reason=why),
        lambda before, after: f"{what}{after.reference} {_now(before.version, after.version, 'cancelled')}.",
        dry_run=dry_run,
        as_json=as_json,
    )


def _now(before: int, after: int, what: str) -> str:
    return f"{what} before; nothing has changed" if before == after else f"{what} now"
