"""`holdfast holds extend`: what a hold gets, which may be less than was asked for."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

from typing import TYPE_CHECKING

import msgspec

from service.cli.changing import DRY
from service.cli.desk import Desk
from service.cli.durations import show_duration
from service.cli.shown import seconds_between

if TYPE_CHECKING:
    from service.reservations.views import ReservationView


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """`asked_until` is what was asked for; of a dry run `reservation` is as it is, and `ends_at` what it would get."""

    dry_run: bool
    changed: bool
    as_of: str
    asked_until: str
    ends_at: str | None
    reservation: "ReservationView"

    @property
    def is_short(self) -> bool:
        """Whether it ends sooner than was asked for, by more than the asking took."""
        return self.ends_at is None or seconds_between(self.ends_at, self.asked_until) > 1

    def words(self) -> str:
        """One or two sentences for people."""
        reference = self.reservation.reference
        if self.ends_at is None:
            return f"{reference} is {self.reservation.state}, which does not allow extend."
        left = f"until {self.ends_at}, {show_duration(max(0, seconds_between(self.as_of, self.ends_at)))} from now"
        if self.changed:
            told = f"{reference} {'would last' if self.dry_run else 'lasts'} {left}"
        else:
            told = (
                f"{'Would change nothing' if self.dry_run else 'Nothing was changed'}: {reference} already lasts {left}"
            )
        if self.is_short:
            told += f". That is the longest it may; you asked for {self.asked_until}"
        return f"{told}{DRY if self.dry_run and self.changed else ''}."


async def extend_hold(desk: Desk, reference: str, seconds: int, reason: str | None, *, dry_run: bool) -> Extension:
    """Raises Problem where there is no such hold, or its time is over."""
    from service.clock import from_rfc3339, to_rfc3339

    before = await desk.client.reservation(reference)
    as_of = await desk.now()
    asked = from_rfc3339(as_of) + seconds * 1000
    if dry_run:
        ends = await _would_end(desk, before, asked)
        after, changed = before, ends is not None and to_rfc3339(ends) != before.hold_expires_at
        ends_at = None if ends is None else to_rfc3339(ends)
    else:
        after = await desk.client.extend(before.reference, seconds, reason=reason)
        changed, ends_at = after.version != before.version, after.hold_expires_at
    return Extension(
        dry_run=dry_run,
        changed=changed,
        as_of=as_of,
        asked_until=to_rfc3339(asked),
        ends_at=ends_at,
        reservation=after,
    )


async def _would_end(desk: Desk, hold: "ReservationView", asked: int) -> int | None:
    """When it would end, by the smallest maximum of its events; None where its state or time does not allow it.

    The maximum of stock alone is the account's, which only the database knows: there it may end sooner than this says.
    """
    from service.clock import from_rfc3339

    if hold.hold_expires_at is None or not hold.hold_remaining_s:
        return None
    held_at = [from_rfc3339(entry.at) async for entry in desk.client.history(hold.reference) if entry.target == "held"]
    events = [await desk.client.event(name) for name in {str(line.event) for line in hold.lines if line.event}]
    longest = [held_at[0] + event.hold_seconds_max * 1000 for event in events]
    return max(min([asked, *longest]), from_rfc3339(hold.hold_expires_at))
