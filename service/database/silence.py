"""A server that says nothing for too long counts as gone, as if the connection had died.

One timer for all statements of a transaction: one for each, made and cancelled, would cost as much as a fourth of the
statement itself. What it must never do: end a wait that somebody else has ended, or one that has begun just now.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from service.database.errors import Disconnected

T = TypeVar("T")


class Silence:
    """Bounds each wait of one connection by `seconds`, one wait at a time; None: there is no bound."""

    __slots__ = ("_cancelling", "_is_broken", "_since", "_task", "_timer", "seconds")

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._since = 0.0
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cancelling = 0
        self._is_broken = False

    async def bound(self, answer: Awaitable[T]) -> T:
        """What is awaited. Raises Disconnected after too long a silence."""
        task = asyncio.current_task()
        if self.seconds is None or task is None:
            return await answer
        loop = asyncio.get_running_loop()
        self._since, self._task, self._cancelling, self._is_broken = loop.time(), task, task.cancelling(), False
        if self._timer is None:
            self._timer = loop.call_at(self._since + self.seconds, self._look)
        try:
            return await answer
        except asyncio.CancelledError as error:
            if self._is_broken and task.uncancel() <= self._cancelling:
                raise Disconnected(f"no answer in {self.seconds} s") from error
            raise
        finally:
            self._task = None

    def _look(self) -> None:
        """The time of some wait is over: of the one that goes on, or of an earlier one."""
        self._timer = None
        if self._task is None or self.seconds is None:
            return
        until = self._since + self.seconds
        loop = asyncio.get_running_loop()
        if loop.time() < until:
            self._timer = loop.call_at(until, self._look)
        else:
            self._is_broken = True
            self._task.cancel()

    def end(self) -> None:
        """The connection is given back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
