"""A MySQL-family server whose disk fills up when a test says so, and has room again when it says that.

Two ways, both real errors of the operating system. Where file systems may be mounted: one of its own in memory, made as
small as what it has (ENOSPC). Anywhere else: a limit to the size of the server's files (EFBIG), all data being in one.
A container has a file system in memory, which is filled from inside.

A server on a full disk may end itself: InnoDB does where a rollback finds no room ("Out of disk space in rollback").
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import asyncmy

from tests.polling import wait_until
from tests.process import make_directory, remove_directory
from tests.reaper import forget_mount, guard_mount
from tests.servers.containers import ContainerMysql, start_mysql_container
from tests.servers.find import MYSQLD_ROOT, PrivateMysql
from tests.servers.mysql import PROGRAMS, LocalMysql, execute, find_program

ROOMY_MB = 3072
CONTAINER_MB = 768
BALLAST = "x" * 60_000
BALLAST_ROWS_MAX = 20_000
DATA = "/var/lib/mysql"


class SmallDisk(Protocol):
    """The disk of one server."""

    def fill(self) -> None:
        """From now on no file of the server can grow."""

    def make_room(self) -> None:
        """There is room again."""


class MountedDisk:
    """A file system in memory, as small as its contents while it is full."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        # What is written between the look and the change makes it refuse.
        wait_until(lambda: self._is_resized(f"{self._used_kb()}k"), 10, "the file system is as small as its contents")

    def make_room(self) -> None:
        assert self._is_resized(f"{ROOMY_MB}m")

    def _used_kb(self) -> int:
        done = subprocess.run(["df", "-k", "--output=used", self.path], check=True, capture_output=True, text=True)
        return int(done.stdout.split()[-1])

    def _is_resized(self, size: str) -> bool:
        command = ["mount", "-o", f"remount,size={size}", self.path]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0


@contextmanager
def mounted_disk(inside: Path | None = None) -> Iterator[MountedDisk | None]:
    """A file system of its own; None where this process may not mount one."""
    path = make_directory("disk", inside=inside)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY_MB}m,mode=0755", "holdfast-tests", path]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        remove_directory(path)
        yield None
        return
    guard_mount(path)
    try:
        yield MountedDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
        forget_mount(path)
        remove_directory(path)


class LimitedFiles:
    """The server's files cannot grow past the largest one there is; the one with all data is made to be that."""

    def __init__(self, server: LocalMysql) -> None:
        self._server = server
        self._ballast = server.new_database()
        execute(self._ballast, "CREATE TABLE ballast (text MEDIUMBLOB)")

    def fill(self) -> None:
        files = [file for file in (self._server.directory / "data").rglob("*") if file.is_file()]
        self._limit(max(file.stat().st_size for file in files))
        for _ in range(BALLAST_ROWS_MAX):
            try:
                execute(self._ballast, f"INSERT INTO ballast VALUES ('{BALLAST}')")
            except asyncmy.errors.Error:
                return
        raise AssertionError(f"{BALLAST_ROWS_MAX} rows, and the server's files can grow still")

    def make_room(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        _, most = resource.prlimit(self._server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._server.process.pid, resource.RLIMIT_FSIZE, (size, most))


def with_limited_files(program: str, root: Path | None) -> LocalMysql:
    """A server, not yet started, that outlives a limit to the size of its files."""
    server = LocalMysql(program, root)
    # Ignored signals stay ignored in what a shell becomes; else the kernel would end the server by this one.
    survive = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh"]
    # One file with all the data, larger than any other, that grows in small steps.
    one_file = ["--innodb-file-per-table=OFF", "--innodb-autoextend-increment=4", "--loose-innodb-log-file-size=8M"]
    server.process.command[:] = [*survive, *server.process.command, *one_file]
    return server


class ContainerDisk:
    """The file system in memory of a container."""

    def __init__(self, server: ContainerMysql) -> None:
        self._server = server

    def fill(self) -> None:
        self._server.run(["sh", "-c", f"dd if=/dev/zero of={DATA}/ballast bs=64k 2>/dev/null; sync"])

    def make_room(self) -> None:
        self._server.run(["rm", "-f", f"{DATA}/ballast"])


def is_started_again(server: PrivateMysql) -> bool:
    """Starts the server, as whoever runs it would, if it has ended itself; whether it had."""
    if server.answers():
        return False
    server.kill()
    server.start()
    return True


@contextmanager
def mysql_on_small_disk(*, may_mount: bool = True) -> Iterator[tuple[PrivateMysql, SmallDisk]]:
    """A running server of the caller's own, and its disk. Raises UnavailableError where nothing can run one.

    One on a mounted disk and one with limited files keep their data when they are killed; a container does not.
    """
    named = os.environ.get(MYSQLD_ROOT)
    root = Path(named) if named else None
    program = "mysqld" if root else find_program(PROGRAMS)
    if program is None:
        with closing(start_mysql_container(in_memory_mb=CONTAINER_MB)) as container:
            yield container, ContainerDisk(container)
        return
    if may_mount:
        with mounted_disk(root / "tmp" if root else None) as disk:
            if disk is not None:
                with closing(LocalMysql(program, root, disk.path)) as server:
                    # Its log has room: what it says of a full disk must be readable.
                    server.process.log_path = disk.path.with_suffix(".log")
                    server.start()
                    yield server, disk
                return
    with closing(with_limited_files(program, root)) as server:
        server.start()
        yield server, LimitedFiles(server)
