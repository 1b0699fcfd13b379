"""Ends what the tests started, even when the test run itself was killed.

A small process holds the reading end of a pipe whose writing end only the test run has. When the test run is gone,
by whatever means, the pipe closes, and the reaper kills the process groups, unmounts what was mounted and removes the
directories that it was told of and not untold. It knows pids that were announced to it, and never looks for processes
by name.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

_lock = threading.Lock()
_reaper: "subprocess.Popen[bytes] | None" = None


def guard_process(pid: int) -> None:
    """From now on the process group `pid` does not outlive this process."""
    _tell(f"+pid {pid}")


def forget_process(pid: int) -> None:
    """The process was waited for; its number may soon belong to somebody else."""
    _tell(f"-pid {pid}")


def guard_directory(path: Path) -> None:
    """From now on the directory does not outlive this process."""
    _tell(f"+dir {path}")


def forget_directory(path: Path) -> None:
    """The directory was removed."""
    _tell(f"-dir {path}")


def guard_mount(path: Path) -> None:
    """From now on what is mounted there does not outlive this process."""
    _tell(f"+mount {path}")


def forget_mount(path: Path) -> None:
    """It was unmounted."""
    _tell(f"-mount {path}")


def _tell(line: str) -> None:
    global _reaper  # noqa: PLW0603 - one reaper a test run, started with the first thing to guard
    with _lock:
        if _reaper is None:
            # A session of its own: Ctrl-C reaches the test run, not the one that cleans up after it.
            _reaper = subprocess.Popen(
                [sys.executable, "-I", __file__], stdin=subprocess.PIPE, start_new_session=True, bufsize=0
            )
            atexit.register(_close)
        assert _reaper.stdin is not None
        _reaper.stdin.write(f"{line}\n".encode())


def _close() -> None:
    if _reaper is not None and _reaper.stdin is not None:
        _reaper.stdin.close()
        _reaper.wait()


def _reap_at_end_of_input() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    guarded: dict[str, set[str]] = {"pid": set(), "mount": set(), "dir": set()}
    for line in sys.stdin:
        kind, _, value = line.rstrip("\n").partition(" ")
        if kind.startswith("+"):
            guarded[kind[1:]].add(value)
        else:
            guarded[kind[1:]].discard(value)
    for pid in guarded["pid"]:
        try:
            os.killpg(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue
    for path in guarded["mount"]:
        subprocess.run(["umount", "--lazy", path], check=False, stderr=subprocess.DEVNULL)
    for directory in guarded["dir"]:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _reap_at_end_of_input()
