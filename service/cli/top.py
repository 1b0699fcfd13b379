"""`holdfast top`: a live screen of what a running Holdfast does, from its metrics, and of holds that time is ending."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from service.cli.desk import Desk, Where, at_desk, checked_address, open_desk
from service.cli.failures import ExitCode, describe
from service.cli.output import JsonOption, print_json
from service.cli.running import log_warnings, read_settings

if TYPE_CHECKING:
    from rich.console import Console, Group

    from service.settings import Settings
    from service.top.document import Document, Holds
    from service.top.sources import Sources

AskHolds: TypeAlias = "Callable[[], Awaitable[Holds]]"
"""How many holds end within a minute, and how many are past their time."""

EXPIRING_MS = 60_000
COUNTED_MAX = 10_000
PATIENCE_SECONDS = 5.0
"""A database that hangs must not keep the metrics off the screen."""

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - asked, not listened on


@at_desk
def top(
    where: Where,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Where metrics are, of a server or a worker; repeat for more "
            "[http://HOLDFAST_HOST:HOLDFAST_PORT/metrics, and the worker's where it has a port].",
        ),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print one reading, of one interval, and end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show live what a running service does: requests, batches, conflicts, refusals, transitions, holds.

    Rates are those of all sources together. A source that is gone is
    named, and looked for on. Ctrl-C ends it.
    """
    settings = read_settings()
    log_warnings(settings)
    urls = [
        checked_address(url, f"{url!r} is no address of metrics: say http://HOST:PORT/metrics.")
        for url in metrics or _usual(settings, where.url)
    ]
    if not asyncio.run(_watch(where, urls, interval, once=once or as_json, as_json=as_json)):
        raise typer.Exit(ExitCode.STORE)


def _usual(settings: "Settings", url: str | None) -> list[str]:
    """The metrics of the service that is meant without saying which."""
    if url is not None:
        return [f"{url.rstrip('/')}/metrics"]
    host = EVERYWHERE.get(settings.host, f"[{settings.host}]" if ":" in settings.host else settings.host)
    found = [f"http://{host}:{settings.port}/metrics"]
    if settings.worker_metrics_port:
        found.append(f"http://127.0.0.1:{settings.worker_metrics_port}/metrics")
    return found


async def _watch(where: Where, urls: list[str], interval: float, *, once: bool, as_json: bool) -> bool:
    """Whether anybody answered at last."""
    import httpx

    from service.top.sources import Sources

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    # The environment's proxies are for the world outside: metrics are asked for on the inside.
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        readings = _readings(Sources(urls, http), await stack.enter_async_context(_asking(where)), interval, stopping)
        if once:
            return await _show_once(readings, as_json=as_json)
        await _show_live(readings)
    return True


async def _readings(
    sources: "Sources", ask_holds: AskHolds, interval: float, stopping: asyncio.Event
) -> AsyncIterator["Document"]:
    """One at once, which has no figures yet; then one an interval, until it is to stop."""
    from service.top.document import Document
    from service.top.readings import Look, figures

    before: Look | None = None
    while True:
        seen, holds = await asyncio.gather(sources.look(), ask_holds())
        known = before is not None and bool(before.samples.keys() & seen.look.samples.keys())
        found = figures(before, seen.look) if before is not None and known else None
        yield Document(list(sources.urls), seen.gone, found, holds)
        before = seen.look
        try:
            async with asyncio.timeout(interval):
                await stopping.wait()
        except TimeoutError:
            continue
        return


async def _show_once(readings: AsyncIterator["Document"], *, as_json: bool) -> bool:
    await anext(readings)
    found = await anext(readings, None)
    if found is None:  # interrupted
        return True
    if as_json:
        print_json(found)
    else:
        _console().print(_drawn(found))
    return len(found.gone) < len(found.sources)


async def _show_live(readings: AsyncIterator["Document"]) -> None:
    from rich.live import Live
    from rich.text import Text

    console = _console()
    if not console.is_terminal:
        async for found in readings:
            console.print(_drawn(found))
        return
    with Live(Text("looking …", style="dim"), console=console, auto_refresh=False) as live:
        async for found in readings:
            live.update(_drawn(found), refresh=True)


def _console() -> "Console":
    from rich.console import Console

    return Console(soft_wrap=not sys.stdout.isatty())


def _drawn(found: "Document") -> "Group":
    from service.top.screen import screen

    return screen(found.figures, found.holds, found.gone, len(found.sources))


@asynccontextmanager
async def _asking(where: Where) -> AsyncIterator[AskHolds]:
    """Asks at the operator's desk. Where none can be opened the screen says why, and shows the rest."""
    from service.top.document import Holds

    async with AsyncExitStack() as stack:
        desk: Desk | None = None
        note = "not known: with --url an API key is needed (--key)"
        if where.url is None or where.api_key is not None:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    desk = await stack.enter_async_context(open_desk(where))
            except TimeoutError:
                note = f"not known: no answer within {PATIENCE_SECONDS:g} s"
            except Exception as error:  # noqa: BLE001 - what it means is told
                note = f"not known: {describe(error).message}"

        async def ask() -> Holds:
            if desk is None:
                return Holds(note=note)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return await _holds(desk)
            except TimeoutError:
                return Holds(note=f"not known: no answer within {PATIENCE_SECONDS:g} s")
            except Exception as error:  # noqa: BLE001
                return Holds(note=f"not known: {describe(error).message}")

        yield ask


async def _holds(desk: Desk) -> "Holds":
    from service.clock import from_rfc3339, to_rfc3339
    from service.top.document import Holds

    stale = await desk.client.count_reservations(stale=True, at_most=COUNTED_MAX)
    soon = to_rfc3339(from_rfc3339(stale.as_of) + EXPIRING_MS)
    expiring = await desk.client.count_reservations(stale=False, expires_before=soon, at_most=COUNTED_MAX)
    return Holds(expiring.count, expiring.exact, stale.count, stale.exact)
