"""How a command gets its settings and an open store, and how its coroutine is run."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from service.cli.failures import CommandFailed

if TYPE_CHECKING:
    from service.accounts.queries import AccountRecord
    from service.database.store import Store
    from service.settings import Settings

T = TypeVar("T")

NAMED = 10
"""Accounts that a message names."""


def read_settings(**overrides: str | int | None) -> "Settings":
    """The environment's settings, with those options of the command line that were given. Raises SettingsError."""
    from service.settings import PREFIX, Settings

    given = {f"{PREFIX}{name.upper()}": str(value) for name, value in overrides.items() if value is not None}
    return Settings.from_environment({**os.environ, **given})


def run_on_store(work: "Callable[[Store], Awaitable[T]]") -> T:
    """Run `work` on an open store whose schema is current, log warnings alone, close the store."""
    settings = read_settings()
    log_warnings(settings)
    return asyncio.run(_on_store(settings, work))


def log_warnings(settings: "Settings") -> None:
    """Logs of a command are for people and on standard error: standard output is the command's answer."""
    import msgspec

    from service.http.log import configure_logging

    level = settings.log_level if settings.log_level in {"debug", "error"} else "warning"
    configure_logging(msgspec.structs.replace(settings, log_format="console", log_level=level))


async def _on_store(settings: "Settings", work: "Callable[[Store], Awaitable[T]]") -> T:
    from service.database.store import open_store

    store = await open_store(settings)
    try:
        await require_current_schema(store)
        return await work(store)
    finally:
        await store.close()


async def require_current_schema(store: "Store") -> None:
    """Raises CommandFailed naming the command that brings the schema up to date."""
    from service.database import revisions

    revision = await revisions.current(store)
    if revision == revisions.head():
        return
    has = "no schema yet" if revision is None else f"schema revision {revision}"
    raise CommandFailed(
        f"the database has {has}, and this version of Holdfast needs {revisions.head()}. "
        f"Run `{revisions.UPGRADE_COMMAND}`, then try again."
    )


async def require_account(store: "Store", name: str | None) -> "AccountRecord":
    """The account of this name; without a name the only one there is. Raises CommandFailed."""
    from service.accounts import use_cases
    from service.cli.failures import ExitCode

    if name is not None:
        account = await use_cases.find_account(store, name)
        if account is None:
            raise CommandFailed(f"there is no account {name!r}. `holdfast accounts list` shows those there are.")
        return account
    accounts = await use_cases.list_accounts(store)
    if not accounts:
        raise CommandFailed("there is no account yet. Make one with `holdfast accounts create NAME`.")
    if len(accounts) > 1:
        names = ", ".join(account.name for account in accounts[:NAMED]) + (" …" if len(accounts) > NAMED else "")
        raise CommandFailed(
            f"there are {len(accounts)} accounts ({names}); say which one with --account.", ExitCode.USAGE
        )
    return accounts[0]
