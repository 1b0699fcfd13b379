"""The same two servers as containers of a Docker engine, through testcontainers.

Whatever goes wrong here (no engine, no image, an engine that may not start containers) is UnavailableError: the search
goes on with the programs of this machine, and says so.
"""

import os
import secrets
import socket
from collections.abc import Callable
from typing import TypeVar

import docker
import requests
from docker.errors import DockerException, ImageNotFound
from testcontainers.community.mysql import MySqlContainer
from testcontainers.community.redis import RedisContainer
from testcontainers.core.container import DockerContainer

from service.demo.ports import free_port
from tests.polling import wait_until
from tests.servers.mysql import ADMIN, USER, MysqlDatabases, account_statements, execute, is_answering
from tests.servers.redis import is_answering_ping

MYSQL_IMAGE = "mysql:8.4"
REDIS_IMAGE = "redis:7"
ENGINE_TIMEOUT_S = 120
READY_TIMEOUT_S = 90.0
DEFAULT_HOST = "unix:///var/run/docker.sock"

Started = TypeVar("Started")


class UnavailableError(Exception):
    """Docker cannot serve; the message says why, in one line."""


def require_image(image: str) -> None:
    """Returns when the engine has the image, pulled if need be. Raises UnavailableError."""
    _require_listener(os.environ.get("DOCKER_HOST") or DEFAULT_HOST)
    try:
        engine = docker.from_env(timeout=ENGINE_TIMEOUT_S)
    except DockerException as error:
        raise UnavailableError(f"no Docker engine ({_one_line(error)})") from None
    try:
        engine.images.get(image)
    except ImageNotFound:
        _pull(engine, image)
    except (DockerException, requests.RequestException) as error:
        raise UnavailableError(f"Docker does not answer ({_one_line(error)})") from None
    finally:
        engine.close()


def _require_listener(host: str) -> None:
    # Asked of the socket itself, since the client leaks its own when nobody listens, and warnings are errors here.
    path = host.removeprefix("unix://")
    if path == host:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise UnavailableError(f"no Docker engine at {path} ({error.strerror})") from None


def _pull(engine: docker.DockerClient, image: str) -> None:
    try:
        engine.images.pull(image)
    except (DockerException, requests.RequestException) as error:
        raise UnavailableError(f"Docker cannot get {image} ({_one_line(error)})") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


class _Container:
    """A PrivateServer that is a container."""

    def __init__(self, container: DockerContainer) -> None:
        self._container = container
        try:
            container.start()
        except BaseException:
            container.stop()
            raise

    def start(self) -> None:
        self._container.get_wrapped_container().start()
        wait_until(self.answers, READY_TIMEOUT_S, "the container answers again")

    def answers(self) -> bool:
        """Whether a client is served now."""
        raise AssertionError("each kind of server knows how to ask")

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        self._container.get_wrapped_container().unpause()

    def run(self, command: list[str]) -> None:
        """Runs a command inside."""
        code, output = self._container.exec(command)
        assert code == 0, f"{command}: {output!r}"

    def close(self) -> None:
        self._container.stop()


class ContainerMysql(_Container, MysqlDatabases):
    """MySQL as it comes: binary log, `caching_sha2_password`. Its port is fixed, so that it survives a restart.

    `in_memory_mb`: the size of a file system in memory for its data, which do not survive one.
    """

    def __init__(self, in_memory_mb: int | None = None) -> None:
        password = secrets.token_hex(12)
        container = MySqlContainer(MYSQL_IMAGE, username="root", password=password, dbname="holdfast_test")
        if in_memory_mb is not None:
            container.with_kwargs(tmpfs={"/var/lib/mysql": f"size={in_memory_mb}m"})
        container.with_bind_ports(container.port, free_port())
        _Container.__init__(self, container)
        host, port = container.get_container_host_ip(), container.get_exposed_port(container.port)
        execute(f"mysql+asyncmy://root:{password}@{host}:{port}", *account_statements(password))
        self.admin_url = f"mysql+asyncmy://{ADMIN}:{password}@{host}:{port}"
        MysqlDatabases.__init__(self, f"mysql+asyncmy://{USER}:{password}@{host}:{port}", f"Docker, {MYSQL_IMAGE}")

    def answers(self) -> bool:
        return is_answering(self.admin_url)


class ContainerRedis(_Container):
    """Redis as it comes, on a fixed port."""

    def __init__(self) -> None:
        container = RedisContainer(REDIS_IMAGE)
        container.with_bind_ports(container.port, free_port())
        super().__init__(container)
        host, port = container.get_container_host_ip(), container.get_exposed_port(container.port)
        self.url = f"redis://{host}:{port}/0"
        self.origin = f"Docker, {REDIS_IMAGE}"

    def answers(self) -> bool:
        return is_answering_ping(self.url)


def start_mysql_container(in_memory_mb: int | None = None) -> ContainerMysql:
    """A running server, on a disk or in so many megabytes of memory. Raises UnavailableError."""
    return _started(MYSQL_IMAGE, lambda: ContainerMysql(in_memory_mb))


def start_redis_container() -> ContainerRedis:
    """A running server. Raises UnavailableError."""
    return _started(REDIS_IMAGE, ContainerRedis)


def _started(image: str, make: Callable[[], Started]) -> Started:
    require_image(image)
    try:
        return make()
    except Exception as error:  # testcontainers and the engine raise many kinds; all of them mean: not this way
        raise UnavailableError(f"Docker could not start {image} ({_one_line(error)})") from error
