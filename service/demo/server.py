"""The real server, `holdfast serve`, as a process of its own: started, waited for, and ended by its pid.

It stays in the process group of the demonstration, so that what ends the group ends it too.
On the embedded store it runs the worker's loops as well.
"""

import asyncio
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import service
from service.demo.calls import HOST, Caller, ConnectionLost, Request
from service.demo.interrupts import deferred
from service.demo.place import DATABASE_URL, LOG, Busy, DemoFailed, Lock
from service.settings import PREFIX, Settings

T = TypeVar("T")

READY_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.05
KILL_AFTER_SECONDS: Final = 25.0
LOG_LINES_SHOWN: Final = 5
PORT_MAX: Final = 65_535

OPEN_FILES_WANTED: Final = 4096
OPEN_FILES_OTHERS: Final = 100


def settings() -> Settings:
    """The demonstration's own, whatever the shell says."""
    return Settings.from_environment({f"{PREFIX}DATABASE_URL": DATABASE_URL})


def ignored_settings() -> list[str]:
    """The shell's settings, which are not used."""
    return sorted(name for name in os.environ if name.startswith(PREFIX))


def raise_open_files() -> int:
    """Let this process and its children open as many files as is sensible; how many connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_WANTED if hard == resource.RLIM_INFINITY else min(OPEN_FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    most = OPEN_FILES_WANTED if soft == resource.RLIM_INFINITY else min(soft, OPEN_FILES_WANTED)
    return max(1, most - OPEN_FILES_OTHERS)


def require_free_port(port: int) -> None:
    """Raises Busy, which names a port to take instead."""
    reason = _refusal(port)
    if reason is None:
        return
    other = next((near for near in range(port + 1, min(port + 100, PORT_MAX)) if _refusal(near) is None), 18_000)
    raise Busy(f"port {port} cannot be used: {reason}. Take another one: make demo PORT={other} (or --port {other})")


def _refusal(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return os.strerror(error.errno or 0)
    return None


class Server:
    """A running server process."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://{HOST}:{port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    async def wait_until_ready(self, caller: Caller) -> None:
        """Raises DemoFailed where it ends before it is, or does not get so far."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            self.require_running()
            try:
                if (await caller.send(Request("GET", "/readyz"))).is_success:
                    return
            except ConnectionLost:
                pass  # it does not listen yet
            await asyncio.sleep(POLL_SECONDS)
        raise DemoFailed(f"the server was not ready in {READY_SECONDS:g} s. The end of {LOG}:\n{_end_of_log()}")

    def require_running(self) -> None:
        """Raises DemoFailed where it has ended."""
        if self.process.poll() is not None:
            raise DemoFailed(f"the server ended with {self.process.returncode}. The end of {LOG}:\n{_end_of_log()}")

    async def beside(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, for which the server must go on running. Raises DemoFailed where it does not."""
        working, watching = asyncio.create_task(work), asyncio.create_task(self._watch())
        try:
            await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
            self.require_running()
            return await working
        finally:
            working.cancel()
            watching.cancel()

    async def _watch(self) -> None:
        while self.process.poll() is None:  # noqa: ASYNC110 - a process sets no event of this loop
            await asyncio.sleep(POLL_SECONDS)

    def wait_for_end(self) -> None:
        """Returns never, but by Ctrl-C. Raises DemoFailed where the server ends by itself."""
        self.process.wait()
        self.require_running()


@contextmanager
def started(port: int, lock: Lock) -> Iterator[Server]:
    """The server, started but not yet ready; at the end of the block it is gone."""
    process: subprocess.Popen[bytes] | None = None
    try:
        with deferred():
            process = _start(port, lock)
            lock.say(os.getpid(), process.pid)
        yield Server(process, port)
    finally:
        if process is not None:
            with deferred():
                _end(process)


def environment() -> dict[str, str]:
    """For a process of the demonstration: the very code that runs here, wherever it came from, and no settings."""
    # A folder `service` in the user's directory is none of ours.
    code = str(Path(service.__file__).resolve().parents[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [code, os.environ.get("PYTHONPATH")]))}


def _start(port: int, lock: Lock) -> "subprocess.Popen[bytes]":
    with LOG.open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own command line
            [sys.executable, "-P", "-m", "service", "serve", "--host", HOST, "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment(), f"{PREFIX}DATABASE_URL": DATABASE_URL},
            pass_fds=(lock.descriptor,),
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(KILL_AFTER_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _end_of_log() -> str:
    lines = LOG.read_text(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES_SHOWN:]) or "(empty)"
