"""Launcher: the service with a fuse that stops or kills its own process at one exact place in a transaction.

`python -m tests.faults.fuse serve …`. The file that HOLDFAST_TEST_FUSE names says where, how and for which commands:
`PLACE SIGNAL COMMAND`, for example `written SIGKILL CreateReservation`. It burns once: the file is gone before the
signal is sent. Without the file nothing happens. The worker's giving of positions to messages counts as a command, too.
"""

import os
import signal
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from service import cli, worker
from service.database import store
from service.database.store import Store
from service.reservations import attempt

READ, WRITTEN, COMMITTED = "read", "written", "committed"
"""All is read and decided, nothing is written. All is written, nothing is committed. All is durable, nobody knows."""
SEQUENCE = "sequence"
"""Stands for a command where messages are given their positions, by which readers find them."""

write_changes = attempt.write_changes
commit = store.commit
sequence = worker.sequence
# The commands of the transaction that this task has open.
commands_inside: ContextVar[frozenset[str]] = ContextVar("commands_inside", default=frozenset())


def fuse_file() -> Path:
    return Path(os.environ["HOLDFAST_TEST_FUSE"])


def burn(place: str) -> None:
    path = fuse_file()
    if not path.exists():
        return
    where, number, command = path.read_text().split()
    if where == place and command in commands_inside.get():
        path.unlink()
        os.kill(os.getpid(), signal.Signals[number])


async def burn_and_write(transaction: Any, work: Any, commands: Sequence[object], *rest: Any) -> None:
    commands_inside.set(frozenset(type(command).__name__ for command in commands))
    burn(READ)
    await write_changes(transaction, work, commands, *rest)


async def burn_and_commit(*arguments: Any) -> None:
    burn(WRITTEN)
    await commit(*arguments)
    burn(COMMITTED)
    commands_inside.set(frozenset())


async def burn_and_sequence(its_store: Store) -> int:
    # A task of its own does this and nothing else; a round that finds nothing writes nothing and burns nothing.
    commands_inside.set(frozenset({SEQUENCE}))
    return await sequence(its_store)


def install() -> None:
    attempt.write_changes = burn_and_write
    store.commit = burn_and_commit
    worker.sequence = burn_and_sequence


if __name__ == "__main__":
    # A test run in the background of a shell has SIGINT ignored, and so would whatever it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    install()
    cli.main()
