"""What is looked at: the environment, the settings in it, and the store, which is opened without being judged."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import URL, make_url

from service.database.store import Store
from service.settings import Settings

DEADLINE_SECONDS = 5
"""A server that hangs must not hold up a look at everything else for as long as it may hold up a request."""


class Server(msgspec.Struct, frozen=True):
    """A server of the MySQL family: its version, whom it takes us for, and its global variables."""

    version: str
    user: str
    variables: dict[str, str]

    @property
    def is_mariadb(self) -> bool:
        return "mariadb" in self.version.lower()

    @property
    def kind(self) -> str:
        return "MariaDB" if self.is_mariadb else "MySQL"

    def number(self, name: str) -> int | None:
        """A variable that is a number; None where the server does not have it."""
        value = self.variables.get(name, "")
        return int(value) if value.isdecimal() else None

    def set_to(self, name: str, value: object) -> tuple[str, ...]:
        """How a variable is changed now, and stays so after a restart."""
        if not self.is_mariadb:
            return (f"SET PERSIST {name} = {value}",)
        return f"SET GLOBAL {name} = {value}", self.in_file(name, value)

    def in_file(self, name: str, value: object) -> str:
        return f"my.cnf, under [{'mariadbd' if self.is_mariadb else 'mysqld'}]: {name} = {value}"


class Patient:
    """`wrong`: by name what is wrong with the environment. `server` is known as soon as one has been reached."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.settings, self.wrong = Settings.sorted_out(environ)
        self.url: URL = make_url(self.settings.database_url)
        self._server: Server | None = None
        self._store: Store | None = None

    @property
    def place(self) -> str:
        """The database, without the password."""
        return f"{self.url.username}@{self.url.host}:{self.url.port or 3306}/{self.url.database}"

    @property
    def database(self) -> str:
        """Its name in a statement."""
        return f"`{self.url.database}`"

    @property
    def store(self) -> Store:
        """Connects when it is first used. On SQLite that would make a file where there is none."""
        if self._store is None:
            self._store = Store(msgspec.structs.replace(self.settings, deadline_seconds=DEADLINE_SECONDS))
        return self._store

    @property
    def server(self) -> Server:
        assert self._server is not None, "needs the check that reaches it"  # noqa: S101 - the order of checks
        return self._server

    @server.setter
    def server(self, reached: Server) -> None:
        self._server = reached

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()
