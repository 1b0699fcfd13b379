"""Where an operator's command works: on the database in this process, or against the API of a running service.

Either way it speaks through the client of `service/client` to the same endpoints, so a command is written once and
every change goes the way of every request: checked, decided, written and told by the engine. On the database the caller
is `operator:<name>` with every scope of one account; against an API it is whoever owns the key.
"""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from service.cli.changing import AsOption, operator
from service.cli.failures import CommandFailed, ExitCode
from service.cli.options import gathered
from service.cli.running import log_warnings, read_settings, require_account, require_current_schema

if TYPE_CHECKING:
    from service.client import AsyncHoldfast

T = TypeVar("T")

PANEL = "Where"
URL_VARIABLE, KEY_VARIABLE = "HOLDFAST_API_URL", "HOLDFAST_API_KEY"

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", envvar=URL_VARIABLE, rich_help_panel=PANEL, help="Work against the API there, not on the database."
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar=KEY_VARIABLE,
        rich_help_panel=PANEL,
        help="The API key for --url; better in the variable, since others see options.",
    ),
]
AccountOption = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="NAME",
        rich_help_panel=PANEL,
        help="Whose; may be left out where there is only one account.",
    ),
]


class Where(msgspec.Struct, frozen=True):
    """What the options say of the place to work at."""

    url: UrlOption = None
    api_key: KeyOption = None
    account: AccountOption = None
    operator: AsOption = None


class Desk(msgspec.Struct, frozen=True):
    """An open place to work at. `place` and `actor` are for people: where, and as whom."""

    client: "AsyncHoldfast"
    place: str
    actor: str

    async def now(self) -> str:
        """The service's time: ages and spans count by it, never by this host's."""
        return (await self.client.count_reservations(state="held", at_most=1)).as_of


at_desk = gathered(Where, last=True)
"""Gives a command the options that say where it works."""


def run_at_desk(where: Where, work: "Callable[[Desk], Awaitable[T]]") -> T:
    """The result of `work` at an open desk, which is closed afterwards."""
    settings = read_settings()
    log_warnings(settings)

    async def run() -> T:
        async with open_desk(where) as desk:
            return await work(desk)

    return asyncio.run(run())


def checked_address(url: str, complaint: str) -> str:
    """An address that can be asked. Raises CommandFailed, with the complaint, where it is none."""
    import httpx

    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        parts = httpx.URL()
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise CommandFailed(complaint, ExitCode.USAGE)
    return url


@asynccontextmanager
async def open_desk(where: Where) -> AsyncIterator[Desk]:
    """Raises CommandFailed, and what opening a store raises."""
    if where.url is not None:
        async with _remote(where) as desk:
            yield desk
    else:
        async with _local(where) as desk:
            yield desk


@asynccontextmanager
async def _remote(where: Where) -> AsyncIterator[Desk]:
    from service.client import AsyncHoldfast

    for name, given in (("--account", where.account), ("--as", where.operator)):
        if given is not None:
            raise CommandFailed(
                f"{name} is for work on the database: with --url the key says who asks.", ExitCode.USAGE
            )
    if where.api_key is None:
        raise CommandFailed(f"--url needs an API key: give --key, or better set {KEY_VARIABLE}.", ExitCode.USAGE)
    try:
        client = AsyncHoldfast(str(where.url), where.api_key)
    except ValueError as error:
        raise CommandFailed(f"{error}. Correct --url or --key and try again.", ExitCode.USAGE) from None
    async with client:
        me = await client.me()
        yield Desk(client, f"account {me.account!r} of {where.url}", me.key_name)


@asynccontextmanager
async def _local(where: Where) -> AsyncIterator[Desk]:
    import httpx

    from service.accounts.authenticate import Caller
    from service.accounts.keys import SCOPES
    from service.app import app_of
    from service.client import AsyncHoldfast
    from service.database.store import open_store

    if where.api_key is not None and KEY_VARIABLE not in os.environ:
        raise CommandFailed("--key is for --url: on the database no key is needed.", ExitCode.USAGE)
    actor = operator(where.operator)
    settings = read_settings()
    store = await open_store(settings)
    try:
        await require_current_schema(store)
        account = await require_account(store, where.account)
        caller = Caller(account.id, account.name, actor, "", frozenset(SCOPES))
        async with (
            app_of(caller, store, settings) as app,
            # The same protocol, typed by two libraries in two ways.
            AsyncHoldfast("http://database", "operator", transport=httpx.ASGITransport(app)) as client,  # type: ignore[arg-type]
        ):
            yield Desk(client, f"account {account.name!r}", actor)
    finally:
        await store.close()


def whole_store_only(command: str) -> CommandFailed:
    """For commands about more than one account: an API must never answer those."""
    return CommandFailed(f"`{command}` works on the database itself, so not with --url.", ExitCode.USAGE)
