"""What every privately run server can do: start, stop, be killed, be paused, and leave nothing behind."""

from pathlib import Path
from typing import Protocol

from tests.process import ChildProcess, remove_directory


class PrivateServer(Protocol):
    """A server that a fault test may hurt: nobody else uses it."""

    def start(self) -> None:
        """Returns when the server answers. After stop or kill: again, on the same port, with what was durable."""

    def stop(self) -> None:
        """An orderly shutdown."""

    def kill(self) -> None:
        """`kill -9`: what was not durable is lost."""

    def restart(self) -> None:
        """Stops it if it runs, then starts it."""

    def pause(self) -> None:
        """`kill -STOP`: it keeps its sockets and does nothing."""

    def resume(self) -> None:
        """The end of pause."""

    def close(self) -> None:
        """Ends it and removes its data."""


class LocalServer:
    """A PrivateServer that is a process of this machine with a directory of its own."""

    start_timeout_s = 30.0

    def __init__(self, process: ChildProcess, directory: Path) -> None:
        self.process = process
        self.directory = directory

    def answers(self) -> bool:
        """Whether a client is served now."""
        raise AssertionError("each kind of server knows how to ask")

    def start(self) -> None:
        self.process.start()
        self.process.wait_until_ready(self.answers, self.start_timeout_s, self.process.command[0])

    def stop(self) -> None:
        self.process.stop(timeout=self.start_timeout_s)

    def kill(self) -> None:
        self.process.kill()

    def restart(self) -> None:
        if self.process.is_running:
            self.stop()
        self.start()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def close(self) -> None:
        if self.process.is_running:
            self.kill()
        remove_directory(self.directory)
