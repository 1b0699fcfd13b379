"""What both imports tell the one who runs them: how far they are, and what became of the rows."""

from collections.abc import Callable
from typing import Literal

import msgspec

Change = Literal["created", "updated", "unchanged"]

Progress = Callable[[int], None]
"""Told how many rows are done in all; it begins anew where a transaction has to."""


class ImportCounts(msgspec.Struct, frozen=True):
    """What an import does or would do to its rows and, with seats, to the event's definition."""

    created: int
    updated: int
    unchanged: int
    event: Change | None = None


def ignore(_done: int) -> None:
    """For imports that nobody watches."""
