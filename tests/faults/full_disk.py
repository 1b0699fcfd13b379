"""Launcher: the service on a disk that fills up when the test says so.

`python -m tests.faults.full_disk serve …`. After SIGUSR1 the files of this process, and so the embedded database, can
grow no further than the database's largest file has grown by then; after SIGUSR2 there is room again.
"""

import os
import resource
import signal
from pathlib import Path

from sqlalchemy import make_url

from service import cli

# What the process may always write: its log is a file, too.
LEAST_BYTES = 262_144


def fill_up(*_: object) -> None:
    path = make_url(os.environ["HOLDFAST_DATABASE_URL"]).database or ""
    sizes = [file.stat().st_size for file in (Path(path), Path(f"{path}-wal")) if file.exists()]
    _limit(max(LEAST_BYTES, *sizes))


def make_room(*_: object) -> None:
    _limit(resource.RLIM_INFINITY)


def _limit(size: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))


def install() -> None:
    # Or the kernel would end the process instead of refusing the write.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, fill_up)
    signal.signal(signal.SIGUSR2, make_room)


if __name__ == "__main__":
    install()
    cli.main()
