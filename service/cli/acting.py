"""One action on one reservation: looked at first, then done, then told."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from service.cli.changing import DRY
from service.cli.desk import Desk, Where, run_at_desk
from service.cli.failures import CommandFailed
from service.cli.output import print_json, print_line

if TYPE_CHECKING:
    from service.reservations.states import Action
    from service.reservations.views import ReservationView

    Act = Callable[[Desk, ReservationView], Awaitable[ReservationView]]
    Told = Callable[[ReservationView, ReservationView], str]


def act(
    where: Where, reference: str, action: "Action", do: "Act", told: "Told", *, dry_run: bool, as_json: bool
) -> None:
    """Do it, or with `dry_run` say whether its state allows it. Safe to repeat: what is so already stays so."""
    from service.reservations.states import ALREADY, allows

    async def work(desk: Desk) -> "tuple[ReservationView, ReservationView]":
        seen = await desk.client.reservation(reference)
        return seen, seen if dry_run else await do(desk, seen)

    before, after = run_at_desk(where, work)
    if dry_run and ALREADY.get(action) != before.state and not allows(before.state, action):
        raise CommandFailed(f"{before.reference} is {before.state}, which does not allow {action}.")
    if as_json:
        print_json({"dry_run": dry_run, "changed": before.version != after.version, "reservation": after})
    elif dry_run:
        print_line(f"{before.reference} is {before.state}: would {action} it{DRY}.")
    else:
        print_line(told(before, after))
