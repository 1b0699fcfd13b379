"""How many seats of an event are free, counted exactly and together for all who ask at the same time.

Counting reads every seat of the event, so it is not done for each request: those that come while a count runs wait for
the next one and share its bytes. No answer is older than its request, and one event has one count running in a process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from service.clock import to_rfc3339
from service.database.store import Store
from service.inventory.event_queries import select_event
from service.inventory.seat_queries import SEAT_STATES, select_counts
from service.inventory.wire import Availability, Counts, SectionCounts, encode
from service.refusals import NotFound


class SharedReads:
    """Runs one read of a key at a time; whoever asks while it runs shares the next one."""

    def __init__(self, read: Callable[[bytes, str], Awaitable[bytes]]) -> None:
        self._read = read
        self._running: dict[tuple[bytes, str], asyncio.Task[bytes]] = {}
        self._next: dict[tuple[bytes, str], asyncio.Task[bytes]] = {}

    async def get(self, account_id: bytes, name: str) -> bytes:
        """What a read returns that begins after this call. Raises what it raises."""
        key = (account_id, name)
        shared = self._next.get(key)
        if shared is None:
            shared = asyncio.create_task(self._run(key, self._running.get(key)))
            shared.add_done_callback(_look_at_failure)
            self._next[key] = shared
        # Whoever stops waiting must not end the read of the others.
        return await asyncio.shield(shared)

    async def _run(self, key: tuple[bytes, str], before: asyncio.Task[bytes] | None) -> bytes:
        if before is not None:
            await asyncio.wait([before])
        # From here on a newcomer would be given a read that began before it came.
        task = self._running[key] = self._next.pop(key)
        try:
            return await self._read(*key)
        finally:
            if self._running.get(key) is task:
                del self._running[key]


class AvailabilityReader:
    """Availability of one process's events, as JSON."""

    def __init__(self, store: Store) -> None:
        self._shared = SharedReads(partial(count_seats, store))

    async def body(self, account_id: bytes, event: str) -> bytes:
        """Counts of all that was committed when this was called. Raises NotFound, StoreErrors."""
        return await self._shared.get(account_id, event)


async def count_seats(store: Store, account_id: bytes, event: str) -> bytes:
    """The event's availability as JSON. Raises NotFound."""
    async with store.read() as reader:
        record = await select_event(reader, account_id, event)
        if record is None:
            raise NotFound(kind="event", name=event)
        as_of = await reader.now_ms()
        counted = await select_counts(reader, record.event_id)
    return encode(_availability(event, as_of, counted))


def _availability(event: str, as_of: int, counted: Iterable[tuple[str, str, int, int]]) -> Availability:
    total = Counts()
    sections: dict[tuple[str, str], SectionCounts] = {}
    for section, category, state, count in counted:
        of_section = sections.get((section, category))
        if of_section is None:
            of_section = sections[section, category] = SectionCounts(section=section, category=category)
        name = SEAT_STATES[state]
        setattr(of_section, name, count)
        setattr(total, name, getattr(total, name) + count)
    in_order = sorted(
        sections.values(), key=lambda one: (len(one.section), one.section, len(one.category), one.category)
    )
    return Availability(event, to_rfc3339(as_of), in_order, total)


def _look_at_failure(task: asyncio.Task[bytes]) -> None:
    """All who waited may have gone: their failure is not a bug that nobody looked at."""
    if not task.cancelled():
        task.exception()
