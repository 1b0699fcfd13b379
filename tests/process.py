"""One child process under the tests' control: started with a log file, stopped, killed, paused by its pid.

Each is the leader of its own session, so that a signal reaches its children too and Ctrl-C in the terminal does not.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.polling import wait_until
from tests.reaper import forget_directory, forget_process, guard_directory, guard_process

STOP_TIMEOUT_S = 30.0
LOG_TAIL_LINES = 60


def make_directory(purpose: str, inside: Path | None = None) -> Path:
    """A new directory that is removed at the end of the test run at the latest."""
    path = Path(tempfile.mkdtemp(prefix=f"holdfast-{purpose}-", dir=inside))
    guard_directory(path)
    return path


def remove_directory(path: Path) -> None:
    """Removes what make_directory made."""
    shutil.rmtree(path, ignore_errors=True)
    forget_directory(path)


def is_alive(pid: int) -> bool:
    """Whether a process with this number runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Where nobody has waited for it yet, an ended process still has its number; Linux tells its state.
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" not in status.read_text()


class ChildProcess:
    """A command that can be started more than once, one process at a time. Output is appended to `log_path`.

    `was_ended` tells an end that a test ordered from one that the process took by itself.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.command = list(command)
        self.log_path = log_path
        self.environment = environment
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._group_may_live = False
        self.was_ended = False

    @property
    def pid(self) -> int:
        """Of the process, which is also the id of its group."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """False before the start and after the end, whatever ended it."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the number of the signal that ended it."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Starts the command; nothing is known yet of how far it came."""
        assert not self.is_running, f"already running: {self.command}"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.directory,
                start_new_session=True,
            )
        self._group_may_live = True
        self.was_ended = False
        guard_process(self.pid)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process alone, and takes it that it may end by it."""
        assert self.is_running, f"not running, nothing to signal: {self.command}\n{self.log_tail()}"
        self.was_ended = True
        os.kill(self.pid, number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = STOP_TIMEOUT_S) -> int:
        """Asks it to end and waits; returns its exit code. AssertionError if it does not end in time."""
        assert self._process is not None, "not started"
        if self.is_running:
            self.send(number)
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{number.name} did not end it in {timeout:g} s\n{self.log_tail()}") from None
        self._end_group()
        return code

    def kill(self) -> None:
        """`kill -9`, children too; returns when it is gone."""
        assert self._process is not None, "not started"
        self.was_ended = True
        self._end_group()
        self._process.wait()

    def pause(self) -> None:
        """`kill -STOP`, children too: it keeps its connections and locks and does nothing."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """`kill -CONT`: it goes on as if no time had passed."""
        os.killpg(self.pid, signal.SIGCONT)

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The end of its output, for messages of failed tests."""
        if not self.log_path.exists():
            return "(no output)"
        text = self.log_path.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "(no output)"

    def wait_until_ready(self, is_ready: Callable[[], bool], timeout: float, what: str) -> None:
        """Polls `is_ready` until it holds; fails at once with the end of the log if the process ends before."""

        def look() -> bool:
            if not self.is_running:
                raise AssertionError(f"{what} ended with {self.exit_code} before it was ready\n{self.log_tail()}")
            return is_ready()

        try:
            wait_until(look, timeout, f"{what} ready")
        except AssertionError as error:
            if self.is_running:
                self.kill()
                raise AssertionError(f"{error}\n{self.log_tail()}") from None
            raise

    def _end_group(self) -> None:
        # Children that the leader left behind are ended too, but once only: later the number may be somebody else's.
        if self._group_may_live:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._group_may_live = False
            forget_process(self.pid)
