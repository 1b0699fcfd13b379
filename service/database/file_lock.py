"""The lock that every writer of one SQLite file holds, whatever its process: server, worker, command line.

SQLite before 3.51.3 can corrupt a WAL that two connections write and checkpoint at once; with one writer at a time,
from BEGIN to COMMIT and around the close that may checkpoint, it cannot.
The operating system frees the lock of a process that dies.
"""

import asyncio
import errno
import fcntl
import os
import random
from pathlib import Path

from service.database.errors import StoreUnreachable


class FileLock:
    """An exclusive advisory lock on `path`; one holder at a time in this process, too (its asyncio.Lock)."""

    def __init__(self, path: Path, wait_seconds: float) -> None:
        self._path = path
        self._wait_seconds = wait_seconds
        self._mutex = asyncio.Lock()
        self._descriptor: int | None = None

    async def acquire(self) -> None:
        """Wait for the lock. Raises StoreUnreachable after `wait_seconds`."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._mutex.acquire()
                try:
                    await self._lock_file()
                except BaseException:
                    self._mutex.release()
                    raise
        except TimeoutError:
            msg = f"another process has been writing to {self._path.name} for {self._wait_seconds} s"
            raise StoreUnreachable(msg) from None
        except OSError as error:
            msg = f"cannot lock {self._path.name}: {error.strerror}"
            raise StoreUnreachable(msg) from error

    async def _lock_file(self) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in {errno.EAGAIN, errno.EACCES}:
                    raise
                # No waiting inside the system call: it would stop the event loop.
                await asyncio.sleep(random.uniform(0.0005, 0.003))  # noqa: S311 - jitter
            else:
                return

    def release(self) -> None:
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._mutex.release()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
