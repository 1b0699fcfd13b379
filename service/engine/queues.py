"""What waits in the lanes, and which of it makes the next batch.

While few wait, one batch takes them all, whatever their lanes, and runs alone: a transaction costs much the same for
one command as for ten, and small ones at once keep the processor from the requests. Where many wait, each lane has a
batch of its own, and they run side by side. Never are commands of one lane in two batches at once.
"""

from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from service.engine.waiting import Waiting
from service.settings import Settings

C = TypeVar("C")
A = TypeVar("A")

FEW = 32
"""Up to so many commands that wait in all lanes together leave in one batch."""


class Batch(NamedTuple, Generic[C, A]):
    """Commands in order of arrival, and the lanes that wait for their end."""

    waiting: list[Waiting[C, A]]
    lanes: frozenset[int]


class Queues(Generic[C, A]):
    """One queue a lane."""

    def __init__(self, lanes: int, settings: Settings) -> None:
        self._settings = settings
        self._queues: list[deque[Waiting[C, A]]] = [deque() for _ in range(lanes)]
        self._busy: frozenset[int] = frozenset()
        self._count = 0

    def put(self, lane: int, waiting: Waiting[C, A]) -> bool:
        """Whether lanes that let a batch of few go first may run beside it from now on."""
        self._queues[lane].append(waiting)
        self._count += 1
        return self._count == FEW + 1

    def take(self, lane: int) -> Batch[C, A] | None:
        """What this lane is to run now, within the bounds of commands, rows and bytes; nothing: not yet."""
        if self._count > FEW:
            lanes = frozenset({lane})
            if lane in self._busy or not self._queues[lane]:
                return None
        else:
            lanes = frozenset(number for number, queue in enumerate(self._queues) if queue)
            if self._busy or not lanes:
                return None
        self._busy |= lanes
        return Batch(self._taken([self._queues[number] for number in lanes]), lanes)

    def end(self, batch: Batch[C, A]) -> None:
        """The batch has run: its lanes are free."""
        self._busy -= batch.lanes

    def empty(self) -> list[Waiting[C, A]]:
        """All that waits, taken out."""
        left = [waiting for queue in self._queues for waiting in queue]
        for queue in self._queues:
            queue.clear()
        self._count = 0
        return left

    def _taken(self, queues: Sequence[deque[Waiting[C, A]]]) -> list[Waiting[C, A]]:
        taken: list[Waiting[C, A]] = []
        rows = size = 0
        while any(queues) and len(taken) < self._settings.batch_commands_max:
            # All have the same time to wait: the first deadline is the first to have come.
            queue = min(filter(None, queues), key=lambda waiting: waiting[0].deadline)
            rows += queue[0].weight
            size += queue[0].size
            if taken and (rows > self._settings.batch_rows_max or size > self._settings.batch_bytes_max):
                break
            taken.append(queue.popleft())
        self._count -= len(taken)
        return taken
