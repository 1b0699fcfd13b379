"""`holdfast reservations`: everything about one reservation, and what an operator may do with it."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.acting import act
from service.cli.changing import DryRunOption, ReasonOption, checked_reason
from service.cli.desk import Desk, Where, at_desk, run_at_desk
from service.cli.output import JsonOption, examples, print_json, print_line
from service.cli.selecting import head, require_names
from service.cli.shown import print_reservations
from service.reservations.states import State

if TYPE_CHECKING:
    from service.reservations.views import ReservationView

app = typer.Typer(help="List reservations, show one, confirm or cancel it.", no_args_is_help=True)

ReferenceArgument = Annotated[str, typer.Argument(metavar="REF", help="The reservation's reference, in any case.")]


class Refund(StrEnum):
    """What becomes of the payments of a reservation that is cancelled."""

    ORIGINAL = "original"
    CREDIT = "credit"
    NONE = "none"


@app.command(
    "list",
    epilog=examples("reservations list --customer c-77", "reservations list --event final --state confirmed"),
)
@at_desk
def list_reservations(
    where: Where,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    customer: Annotated[str | None, typer.Option(metavar="CUSTOMER", help="Only those of this customer.")] = None,
    event: Annotated[str | None, typer.Option(metavar="EVENT", help="Only those with a seat of this event.")] = None,
    sku: Annotated[str | None, typer.Option(metavar="SKU", help="Only those with units of this stock item.")] = None,
    external_reference: Annotated[
        str | None, typer.Option(metavar="REFERENCE", help="Only the one that has this reference of yours.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many are shown at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List reservations in any state, newest first.

    `holdfast holds list` says more of holds: which are stale, and when
    the others end.
    """

    async def look(desk: Desk) -> "tuple[list[ReservationView], bool, str]":
        await require_names(desk, event, sku)
        shown, more = await head(
            desk.client.reservations,
            limit,
            state=state,
            customer=customer,
            event=event,
            sku=sku,
            external_reference=external_reference,
        )
        # Asked last, so that no age is below zero.
        return shown, more, await desk.now()

    shown, more, as_of = run_at_desk(where, look)
    if as_json:
        print_json({"as_of": as_of, "more": more, "reservations": shown})
        return
    if not shown:
        print_line("No reservation is like that.")
        return
    print_reservations(shown, as_of)
    left_out = "; there are more (--limit)" if more else ""
    print_line(f"{len(shown):,} reservation{'' if len(shown) == 1 else 's'}{left_out}, as of {as_of}.")


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
