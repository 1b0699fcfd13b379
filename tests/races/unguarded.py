"""Launcher: the service with a long pause between reading and writing, and with or without its version checks.

`python -m tests.races.unguarded serve …`. With HOLDFAST_TEST_UNGUARDED=1 each UPDATE names its row alone, as if nobody
else could have changed it. That is the negative control of the races: without the checks the same race must oversell.
"""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from service import cli
from service.reservations import attempt, write

PAUSE_S = 0.03

write_changes = attempt.write_changes
update = write._Writer._update


async def pause_and_write(*arguments: Any) -> None:
    """Between a read and a write of one process there is now time for one of another."""
    await asyncio.sleep(PAUSE_S)
    await write_changes(*arguments)


async def update_whatever_was_read(  # the arguments of the one it stands for
    self: Any,
    table: str,
    assignments: write.Assignments,
    names: tuple[str, ...],
    guards: Sequence[tuple[Any, ...]],
) -> None:
    if names[:2] == ("id", "version"):
        names, guards = ("id",), [guard[:1] for guard in guards]
    await update(self, table, assignments, names, guards)


if __name__ == "__main__":
    attempt.write_changes = pause_and_write
    if os.environ["HOLDFAST_TEST_UNGUARDED"] == "1":
        write._Writer._update = update_whatever_was_read
    cli.main()
