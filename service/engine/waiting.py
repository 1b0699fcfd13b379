"""A command that waits for its transaction, and the errors that end the wait without one."""

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

C = TypeVar("C")
A = TypeVar("A")


class CommandPoisoned(Exception):
    """The command failed twice by itself: a bug, told as 500; the others of its batch have succeeded."""


class Waiting(Generic[C, A]):
    """One queued command: its lane key, its size, its deadline (event loop time) and the future of its answer."""

    __slots__ = ("account_id", "answer", "command", "deadline", "failures", "lane_key", "size", "weight")

    def __init__(
        self, command: C, *, account_id: bytes, lane_key: Hashable, weight: int, size: int, deadline: float
    ) -> None:
        self.command = command
        self.account_id = account_id
        self.lane_key = lane_key
        self.weight = weight
        self.size = size
        self.deadline = deadline
        self.failures = 0
        self.answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()

    def give(self, answer: A) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            # A client that has gone leaves nobody to read it; that is no fault worth a warning.
            self.answer.exception()
