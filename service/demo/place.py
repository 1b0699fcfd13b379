"""The demonstration's files, all named `demo.*`, in `var/`; nothing else there is read or changed.

demo.sqlite3     the database; kept, so that what a user booked and the keys of earlier runs stay good
demo.log         the server's log of the last run
demo.outbox      what the phone of the last `holdfast demo mobile` has kept
demo.running     locked for as long as a demonstration or its server lives; says who that is
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DIRECTORY: Final = Path("var")
DATABASE: Final = DIRECTORY / "demo.sqlite3"
LOG: Final = DIRECTORY / "demo.log"
OUTBOX: Final = DIRECTORY / "demo.outbox"
RUNNING: Final = DIRECTORY / "demo.running"

DATABASE_URL: Final = f"sqlite+aiosqlite:///{DATABASE.as_posix()}"


class DemoFailed(Exception):
    """The demonstration cannot go on; the message says what to do."""


class Busy(DemoFailed):
    """Somebody else has what it needs: the port or the files."""


class Lock:
    """Held by this process and, through the inherited descriptor, by the server that it starts."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def say(self, *pids: int) -> None:
        """Write down whose lock it is: the demonstration, then its server."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, " ".join(str(pid) for pid in pids).encode(), 0)


@contextmanager
def locked() -> Iterator[Lock]:
    """The files are this process's own. Raises Busy."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(RUNNING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(_who(os.pread(descriptor, 100, 0).decode())) from None
        lock = Lock(descriptor)
        lock.say(os.getpid())
        yield lock
    finally:
        os.close(descriptor)


def _who(pids: str) -> str:
    alive = [pid for pid in pids.split() if _lives(int(pid))]
    end = f", or with `kill {alive[0]}`" if alive else ""
    return f"a demonstration is running on {DATABASE.as_posix()} already. End it with Ctrl-C where it runs{end}."


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
