"""A Redis server: one that is already there, or a private one run from a program on this machine.

The private one keeps nothing on disk and is empty after every start: Redis holds nothing that may not be lost (R9).
"""

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from service.demo.ports import free_port
from tests.process import ChildProcess, make_directory
from tests.servers.local import LocalServer

PROGRAMS = ("redis-server", "valkey-server")


def is_answering_ping(url: str) -> bool:
    """Whether the server answers within a second, asked once."""
    with Redis.from_url(url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


class ExistingRedis:
    """A server that somebody else runs."""

    def __init__(self, url: str, origin: str) -> None:
        self.url = url
        self.origin = origin

    def close(self) -> None:
        """The server was here before and stays."""


class LocalRedis(LocalServer):
    """A private server process, the same port after every start."""

    def __init__(self, program: str) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self.origin = program
        directory = make_directory("redis")
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        super().__init__(ChildProcess(command, log_path=directory / "server.log"), directory)

    def answers(self) -> bool:
        return is_answering_ping(self.url)
