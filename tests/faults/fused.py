"""Processes of the service with a fuse (fuse.py), as the tests handle them."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.polling import wait_until
from tests.process import make_directory, remove_directory
from tests.races.launched import launch_service, launch_worker
from tests.running import RunningProcess, RunningService, RunningWorker

Process = TypeVar("Process", bound=RunningProcess)

LAUNCHER = "tests.faults.fuse"


class Fuse:
    """The fuse of one process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def environment(self) -> dict[str, str]:
        return {"HOLDFAST_TEST_FUSE": str(self._path)}

    def lay(self, place: str, number: signal.Signals, command: str = "CreateReservation") -> None:
        """The next transaction with such a command ends or stops the process at this place."""
        # Written elsewhere and moved here, so that it is never seen half written.
        draft = self._path.with_suffix(".draft")
        draft.write_text(f"{place} {number.name} {command}")
        draft.rename(self._path)

    @property
    def has_burnt(self) -> bool:
        return not self._path.exists()

    def wait_until_burnt(self) -> None:
        wait_until(lambda: self.has_burnt, 30, "the fuse burnt")


@contextmanager
def fused_service(database_url: str, env: dict[str, str]) -> Iterator[tuple[RunningService, Fuse]]:
    """A server with a fuse."""
    with fuse() as its_fuse, launch_service(LAUNCHER, database_url, env | its_fuse.environment) as service:
        yield service, its_fuse


@contextmanager
def fused_worker(database_url: str, env: dict[str, str]) -> Iterator[tuple[RunningWorker, Fuse]]:
    """A worker with a fuse."""
    with fuse() as its_fuse, launch_worker(LAUNCHER, database_url, env | its_fuse.environment) as worker:
        yield worker, its_fuse


@contextmanager
def fuse() -> Iterator[Fuse]:
    """A fuse for a process yet to be started."""
    directory = make_directory("fuse")
    yield Fuse(directory / "fuse")
    remove_directory(directory)


def wait_until_dead(process: RunningProcess) -> None:
    """Return when a process has been ended by its own SIGKILL, and take that as ordered."""
    wait_until(lambda: not process.process.is_running, 30, "the process died")
    assert process.process.exit_code == -signal.SIGKILL, process.process.log_tail()
    process.kill()  # its group, of which nothing is left


def wait_until_stopped(process: RunningProcess) -> None:
    """Return when a process has been stopped by its own SIGSTOP."""
    status = Path(f"/proc/{process.process.pid}/status")
    wait_until(lambda: "State:\tT" in status.read_text(), 30, "the process stopped")
