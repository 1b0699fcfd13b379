"""An account of the service with a key, made as the operator makes it, and the HTTP client that a test calls with.

Isolation between tests is by account: each gets a new one on the database that they share.
"""

import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import httpx

from service.accounts.queries import AccountRecord
from service.accounts.use_cases import NewKey, create_account, create_key, revoke_key
from service.database.store import Store, open_store
from service.settings import Settings
from tests.own_loop import run_in_own_loop

T = TypeVar("T")

TIMEOUT_S = 30.0
# Tests speak plain HTTP; loading the machine's certificates for each client would take longer than most tests.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_MANY = httpx.Limits(max_connections=500, max_keepalive_connections=100)


def on_store(database_url: str, work: Callable[[Store], Awaitable[T]]) -> T:
    """The result of `work` on a store of its own, opened and closed for it."""

    async def open_work_close() -> T:
        store = await open_store(Settings.from_environment({"HOLDFAST_DATABASE_URL": database_url}))
        try:
            return await work(store)
        finally:
            await store.close()

    return run_in_own_loop(open_work_close())


def http_client(url: str, key: str | None = None) -> httpx.Client:
    """A client of the service at `url` that may be used from many threads; without a key it is nobody."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # The environment's proxies are for the world outside, not for servers on this machine.
    return httpx.Client(
        base_url=url, headers=headers, timeout=TIMEOUT_S, limits=_MANY, verify=_NO_CERTIFICATES, trust_env=False
    )


@dataclass
class Account:
    """`key` has every scope; `http` calls with it."""

    id: bytes
    name: str
    key: str
    url: str
    database_url: str
    http: httpx.Client
    _clients: list[httpx.Client] = field(default_factory=list)

    def new_key(self, name: str = "other", scopes: Sequence[str] | None = None) -> str:
        """Another key of the account, with these scopes or with every one."""

        async def make(store: Store) -> NewKey:
            return await create_key(store, self.id, name, None if scopes is None else list(scopes))

        return on_store(self.database_url, make).key

    def client(self, key: str) -> httpx.Client:
        """A client that calls with another key; closed with the account."""
        client = http_client(self.url, key)
        self._clients.append(client)
        return client

    def revoke(self, key_prefix: str) -> None:
        """Takes a key out of force. It may work for two more seconds."""

        async def revoke(store: Store) -> None:
            await revoke_key(store, key_prefix)

        on_store(self.database_url, revoke)

    def at(self, url: str) -> "Account":
        """The same account and key at another server of the same database, or behind a proxy; closed with this one."""
        client = http_client(url, self.key)
        self._clients.append(client)
        return Account(self.id, self.name, self.key, url, self.database_url, client)

    def close(self) -> None:
        """Closes every client."""
        for client in (self.http, *self._clients):
            client.close()


def new_account(url: str, database_url: str) -> Account:
    """A new account of the service at `url`, which runs on that database."""

    async def make(store: Store) -> tuple[AccountRecord, NewKey]:
        account = await create_account(store, f"test-{secrets.token_hex(8)}")
        return account, await create_key(store, account.id, "default", None)

    account, key = on_store(database_url, make)
    return Account(account.id, account.name, key.key, url, database_url, http_client(url, key.key))
