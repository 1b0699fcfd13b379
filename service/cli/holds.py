"""`holdfast holds`: look at live and stale holds, release them, give one more time."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from service.cli.changing import DRY, DryRunOption, Manner, ReasonOption, ask, checked_reason, progress
from service.cli.desk import Desk, Where, at_desk, run_at_desk
from service.cli.durations import parse_duration
from service.cli.failures import CommandFailed, ExitCode
from service.cli.options import gathered
from service.cli.output import JsonOption, examples, print_json, print_line
from service.cli.releasing import BATCH_MAX, REST, Tally, release_batch, release_pages
from service.cli.selecting import Found, Wanted, count_stale, find, head
from service.cli.shown import print_holds

if TYPE_CHECKING:
    from service.reservations.states import State
    from service.reservations.views import ReservationView

app = typer.Typer(
    help="Look at holds, release them, give one more time.",
    epilog=examples("holds list --stale", "holds release --stale --dry-run", "holds release --stale --reason '…'"),
    no_args_is_help=True,
)

NAMED: Final = 10
"""Holds that a dry run shows."""


@app.command(
    "list",
    epilog=examples(
        "holds list --stale", "holds list --event final --expires-in 2m", "holds list --older-than 15m --json"
    ),
)
@gathered(Wanted)
@at_desk
def list_holds(
    where: Where,
    wanted: Wanted,
    expires_in: Annotated[
        str | None, typer.Option("--expires-in", metavar="SPAN", help="Only holds that end within this span, or have.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many are shown at most.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List live and stale holds, oldest first."""
    wanted.check()
    ends = None if expires_in is None else parse_duration(expires_in, "--expires-in")
    found, shown = run_at_desk(where, lambda desk: _list(desk, wanted, ends, limit))
    if as_json:
        print_json({"as_of": found.as_of, "count": found.count, "exact": found.exact, "holds": shown})
        return
    if not shown:
        print_line("No hold is like that.")
        return
    print_holds(shown, found.as_of)
    left_out = "" if len(shown) == found.count else f", of which {len(shown):,} are shown (--limit)"
    print_line(f"{found.how_many}{left_out}, as of {found.as_of}.")


async def _list(
    desk: Desk, wanted: Wanted, expires_in_s: int | None, limit: int
) -> "tuple[Found, list[ReservationView]]":
    found = await find(desk, wanted, expires_in_s)
    shown, _ = await head(desk.client.reservations, limit, **found.filters, order="oldest")
    return found, shown


@app.command(
    "release",
    epilog=examples(
        "holds release --stale --dry-run",
        "holds release --stale --reason 'the worker was down'",
        "holds release --older-than 15m --event final",
        "holds release K7QX2-9PMD8",
    ),
)
@gathered(Wanted)
@gathered(Manner)
@at_desk
def release(
    where: Where,
    manner: Manner,
    wanted: Wanted,
    references: Annotated[list[str] | None, typer.Argument(metavar="REF", help="References of reservations.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Release so many at most.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=500, help="How many are released in one go.")] = 200,
    full_speed: Annotated[
        bool, typer.Option("--full-speed", help="No rests between batches: faster, at the cost of bookings that go on.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Release holds: those named, all stale ones, or all that are older than a span.

    What they held is free at once. A hold that is confirmed meanwhile
    is left alone and counted as such. May be interrupted at any moment
    and run again: nothing is released twice. Done as many small batches,
    with rests between them, so that bookings go on.
    """
    why = checked_reason(manner.reason)
    if references:
        if wanted.names_any or limit:
            raise CommandFailed("name references or say which holds by options, not both.", ExitCode.USAGE)
        _release_named(where, references, manner, as_json=as_json)
        return
    if not wanted.stale and wanted.older_than is None:
        raise CommandFailed(
            "say which holds: references, --stale, or --older-than SPAN. `holdfast holds list` shows them.",
            ExitCode.USAGE,
        )
    wanted.check()
    released = Released(Tally(), dry_run=manner.dry_run)

    async def work(desk: Desk) -> None:
        found = await find(desk, wanted)
        released.matched = found.count if limit is None else min(limit, found.count)
        released.exact = found.exact or released.matched == limit
        told = f"{_counted(found, await count_stale(desk, found), released.matched)} of {desk.place}"
        if manner.dry_run:
            first = min(NAMED, released.matched)
            released.first, _ = await head(desk.client.reservations, first, **found.filters, order="expires")
            released.as_of = found.as_of
            released.told = told
            return
        released.told = f" of {desk.place} as {desk.actor}"
        if released.matched > 1:
            because = f"because: {why}" if why else "without a --reason"
            ask(f"Release {told} as {desk.actor}, {because}?", yes=manner.yes)
        with progress("releasing", released.matched if released.exact else None) as on_progress:
            await release_pages(
                desk,
                (page.reservations async for page in desk.client.pages(found.listing(batch))),
                released.tally,
                limit=limit,
                reason=why,
                rest=0.0 if full_speed else REST,
                on_progress=on_progress,
            )

    try:
        run_at_desk(where, work)
    except KeyboardInterrupt:
        released.interrupted = True
    _tell(released, as_json=as_json)
    if released.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)


def _counted(found: Found, stale: int, matched: int) -> str:
    """How many, and how many of them somebody may be paying for now."""
    told = found.how_many if matched == found.count else f"{matched:,} of {found.how_many}"
    live = f"{found.count - stale:,} LIVE: their customers lose them" if found.count > stale else "none of them live"
    return f"{told} ({stale:,} stale, {live})"


class Released(msgspec.Struct):
    """What a release found and did, for people and programs."""

    tally: Tally
    dry_run: bool
    matched: int = 0
    exact: bool = True
    interrupted: bool = False
    first: "list[ReservationView]" = []
    told: str = ""
    as_of: str = ""


def _tell(released: Released, *, as_json: bool) -> None:
    tally = released.tally
    if as_json:
        left_alone = {"confirmed": tally.confirmed, "ended": tally.ended, "changed": tally.changed}
        answer: dict[str, Any] = {
            "dry_run": released.dry_run,
            "matched": released.matched,
            "exact": released.exact,
            "released": tally.released,
            "left_alone": left_alone,
            "interrupted": released.interrupted,
        }
        print_json({**answer, "first": released.first} if released.dry_run else answer)
    elif released.interrupted:
        print_line(f"Interrupted. {tally.words()} The same command goes on from here.")
    elif not released.matched:
        print_line("No hold is like that: nothing to release.")
    elif released.dry_run:
        print_holds(released.first, released.as_of)
        more = (
            f", the first {NAMED} of them above (`holdfast holds list` shows all)" if released.matched > NAMED else ""
        )
        print_line(f"Would release {released.told}{more}{DRY}.")
    else:
        print_line(tally.words(released.told))


def _release_named(where: Where, references: list[str], manner: Manner, *, as_json: bool) -> None:
    """Those named, each looked at before anything is done: one that does not exist stops all of it."""
    why = checked_reason(manner.reason)

    async def work(desk: Desk) -> "list[tuple[str, State | None, bool]]":
        seen = [await desk.client.reservation(reference) for reference in dict.fromkeys(references)]
        live = [each for each in seen if each.state in {"held", "pending"}]
        told: list[tuple[str, State | None, bool]] = [
            (each.reference, each.state, False) for each in seen if each not in live
        ]
        if manner.dry_run:
            return told + [(each.reference, each.state, True) for each in live]
        if len(live) > 1:
            ask(f"Release {len(live):,} reservations of {desk.place} as {desk.actor}?", yes=manner.yes)
        for start in range(0, len(live), BATCH_MAX):
            outcomes = await release_batch(desk, live[start : start + BATCH_MAX], Tally(), why)
            told += [(each.reference, each.state, each.released) for each in outcomes]
        return told

    told = run_at_desk(where, work)
    if as_json:
        rows = [{"reference": reference, "state": state, "released": done} for reference, state, done in told]
        print_json({"dry_run": manner.dry_run, "reservations": rows})
    else:
        for reference, state, done in told:
            left = "was released before" if state == "released" else f"is {state} and was left alone"
            done_words = f"would be released{DRY}" if manner.dry_run else "is released"
            print_line(f"{reference} {done_words if done else left}.")
    if any(not done and state != "released" for _, state, done in told):
        raise typer.Exit(ExitCode.REFUSED)


@app.command("extend", epilog=examples("holds extend K7QX2-9PMD8 --for 10m --reason 'payment is slow'"))
@at_desk
def extend(
    where: Where,
    reference: Annotated[str, typer.Argument(metavar="REF", help="The reservation's reference.")],
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long from now, as in 10m.")],
    dry_run: DryRunOption = False,
    reason: ReasonOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a hold end SPAN from now.

    It never gets shorter, and never ends later than the maximum of its
    event (`holdfast inventory show EVENT`) after it was made. Exit 1 if
    it ends sooner than you asked for.
    """
    from service.cli.extending import Extension, extend_hold

    seconds, why = parse_duration(span, "--for"), checked_reason(reason)
    extension: Extension = run_at_desk(where, lambda desk: extend_hold(desk, reference, seconds, why, dry_run=dry_run))
    if as_json:
        print_json(extension)
    else:
        print_line(extension.words())
    if extension.is_short:
        raise typer.Exit(ExitCode.REFUSED)
