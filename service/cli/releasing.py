"""The release of many holds: in small batches, each a request, with rests between them.

A batch is done or not done at all, and what is done is never done again: a release is fenced by the version that was
seen. So it may be interrupted or killed at any moment, run again, and run twice at once. What was confirmed meanwhile
is left alone. Memory is bounded: one page is looked at, released and forgotten.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from service.cli.changing import OnProgress
from service.cli.desk import Desk

if TYPE_CHECKING:
    from service.reservations.releases_routes import ReleaseOutcome
    from service.reservations.views import ReservationView

BATCH_MAX: Final = 500
"""As many as one request may name."""

REST: Final = 3.0
"""Times as long as a batch took is rested after it, so that three quarters of the database are left to bookings."""


class Tally(msgspec.Struct):
    """What became of the holds so far. `confirmed`, `ended`, `changed`: meanwhile, by others; they were left alone."""

    released: int = 0
    confirmed: int = 0
    ended: int = 0
    changed: int = 0

    @property
    def seen(self) -> int:
        return self.released + self.left_alone

    @property
    def left_alone(self) -> int:
        return self.confirmed + self.ended + self.changed

    def count(self, *, released: bool, state: str | None) -> None:
        if released:
            self.released += 1
        elif state == "confirmed":
            self.confirmed += 1
        elif state in {"held", "pending"}:
            self.changed += 1
        else:
            self.ended += 1

    def words(self, whose: str = "") -> str:
        """One sentence for people."""
        counted = [(self.confirmed, "confirmed"), (self.ended, "ended"), (self.changed, "changed")]
        left = ", ".join(f"{number:,} {word} meanwhile" for number, word in counted if number)
        told = f"Released {self.released:,} hold{'' if self.released == 1 else 's'}{whose}"
        return f"{told}; left alone: {left}." if left else f"{told}."


async def release_pages(
    desk: Desk,
    pages: "AsyncIterator[Sequence[ReservationView]]",
    tally: Tally,
    *,
    limit: int | None,
    reason: str | None,
    rest: float,
    on_progress: OnProgress,
) -> None:
    """Release page by page, at most `limit`. What has been done by now stands in `tally`, whatever ends this."""
    async for page in pages:
        wanted = page if limit is None else page[: limit - tally.seen]
        began = time.monotonic()
        await release_batch(desk, wanted, tally, reason)
        on_progress(tally.seen)
        if tally.seen == limit:
            return
        await asyncio.sleep(rest * (time.monotonic() - began))


async def release_batch(
    desk: Desk, reservations: "Sequence[ReservationView]", tally: Tally, reason: str | None
) -> "list[ReleaseOutcome]":
    """What became of each."""
    if not reservations:
        return []
    answer = await desk.client.release_seen(reservations, reason)
    for each in answer.outcomes:
        tally.count(released=each.released, state=each.state)
    return answer.outcomes
