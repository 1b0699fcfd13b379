"""A MySQL-family server: databases made on it, and a private one run from a program on this machine.

The private one is as durable as in production (`innodb_flush_log_at_trx_commit=1`, on MySQL the binary log with
`sync_binlog=1` as it comes), because the fault tests kill it and then ask what was kept. The service's account has the
server's default authentication, on MySQL `caching_sha2_password`, and rights on `holdfast_…` databases only.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import asyncmy
from sqlalchemy import URL, make_url

from service.demo.ports import free_port
from tests.own_loop import run_in_own_loop
from tests.process import ChildProcess, make_directory
from tests.servers.local import LocalServer

PROGRAMS = ("mariadbd", "mysqld")
# Debian keeps servers in sbin, which is not in every user's PATH.
PLACES = ("/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
USER = "holdfast"
ADMIN = "holdfast_admin"


def find_program(names: Sequence[str]) -> str | None:
    """Full path of the first of the programs that is installed."""
    path = os.pathsep.join((os.environ.get("PATH", ""), *PLACES))
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def execute(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Runs the statements on a connection of their own, with autocommit; the rows of the last one."""
    return run_in_own_loop(_execute(make_url(url), statements))


async def _execute(url: URL, statements: Sequence[str]) -> list[tuple[object, ...]]:
    connection = await asyncmy.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        db=url.database,
        autocommit=True,
    )
    try:
        async with connection.cursor() as cursor:
            for statement in statements:
                await cursor.execute(statement)
            return list(await cursor.fetchall())
    finally:
        await connection.ensure_closed()


def is_answering(url: str) -> bool:
    """Whether the server lets the URL's account in and answers a query."""
    try:
        return execute(url, "SELECT 1") == [(1,)]
    except (OSError, asyncmy.errors.Error):
        return False


def account_statements(password: str) -> list[str]:
    """SQL that makes the two accounts: the service's, and an administrator's for tests that look inside."""
    return [
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{password}'",
        f"GRANT ALL ON `holdfast\\_%`.* TO '{USER}'@'%'",
        f"CREATE USER IF NOT EXISTS '{ADMIN}'@'%' IDENTIFIED BY '{password}'",
        f"GRANT ALL ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION",
    ]


class MysqlDatabases:
    """Makes databases on a server, whoever runs it."""

    def __init__(self, server_url: str, origin: str) -> None:
        self.server_url = make_url(server_url).set(drivername="mysql+asyncmy", database=None)
        self.origin = origin

    def new_database(self) -> str:
        """URL of a new, empty database."""
        name = f"holdfast_test_{secrets.token_hex(6)}"
        execute(_text(self.server_url), f"CREATE DATABASE {name}")
        return _text(self.server_url.set(database=name))

    def drop_database(self, url: str) -> None:
        """Removes a database that new_database made."""
        execute(_text(self.server_url), f"DROP DATABASE IF EXISTS {make_url(url).database}")


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


class ExistingMysql(MysqlDatabases):
    """A server that somebody else runs."""

    def close(self) -> None:
        """The server was here before and stays."""


class LocalMysql(LocalServer, MysqlDatabases):
    """A private server process. Killed and started again it keeps its data, port and accounts."""

    start_timeout_s = 90.0

    def __init__(self, program: str, root: Path | None = None, inside: Path | None = None) -> None:
        """`root`: the directory tree in which `program` is run by chroot. `inside`: where its directory is made."""
        self._root = root
        self._program = ["chroot", str(root), program] if root else [program]
        self._directory = make_directory("mysql", inside=inside or (root / "tmp" if root else None))
        self.version = self._run("--version")
        self.port = free_port()
        password = secrets.token_hex(12)
        MysqlDatabases.__init__(self, f"mysql+asyncmy://{USER}:{password}@127.0.0.1:{self.port}", self.version)
        self.admin_url = _text(self.server_url.set(username=ADMIN))
        self._make_data_directory()
        accounts = "".join(f"{statement};\n" for statement in account_statements(password))
        (self._directory / "accounts.sql").write_text(accounts)
        process = ChildProcess(self._server_command(), log_path=self._directory / "server.log")
        LocalServer.__init__(self, process, self._directory)

    @property
    def is_mariadb(self) -> bool:
        return "MariaDB" in self.version

    def answers(self) -> bool:
        return is_answering(_text(self.server_url))

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._program, *arguments], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{self._program} {arguments} failed\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def _make_data_directory(self) -> None:
        options = [f"--datadir={self._inside}/data", *self._as_user]
        if not self.is_mariadb:
            self._run("--no-defaults", "--initialize-insecure", "--secure-file-priv=NULL", *options)
            return
        installer = find_program(("mariadb-install-db", "mysql_install_db"))
        assert installer, f"{self._program[-1]} is installed without mariadb-install-db, which makes its data directory"
        options += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        done = subprocess.run([installer, "--no-defaults", *options], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{installer} failed\n{done.stdout}{done.stderr}"

    @property
    def _inside(self) -> str:
        """The directory's path as the server sees it."""
        return f"/{self._directory.relative_to(self._root)}" if self._root else str(self._directory)

    @property
    def _as_user(self) -> list[str]:
        # Both servers refuse to run as root unless told so by name.
        return ["--user=root"] if os.geteuid() == 0 else []

    def _server_command(self) -> list[str]:
        return [
            *self._program,
            "--no-defaults",
            *self._as_user,
            f"--datadir={self._inside}/data",
            f"--socket={self._inside}/server.sock",
            f"--pid-file={self._inside}/server.pid",
            # Run at every start, before the server takes connections; one statement a line.
            f"--init-file={self._inside}/accounts.sql",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-size=268435456",
            "--max-connections=400",
            *([] if self.is_mariadb else ["--mysqlx=OFF", "--secure-file-priv=NULL"]),
        ]
