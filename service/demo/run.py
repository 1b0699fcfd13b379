"""Begins and ends everything: files, server, story, verdict. Whatever happens, the server is gone at the end."""

import asyncio
import time
from typing import Final

from service.audit import audit
from service.database import migrations
from service.database.store import Store, open_store
from service.demo import closing, interrupts, server
from service.demo.calls import Caller, ConnectionLost
from service.demo.customers import Gone, crowd
from service.demo.found import find
from service.demo.place import DATABASE, LOG, DemoFailed, locked
from service.demo.screen import Screen
from service.demo.server import Server
from service.demo.stage import SEATS_FILE, STOCK_FILE, Stage, load_stock, load_venue, new_account, stage_of
from service.demo.story import Story
from service.demo.verdict import judge
from service.imports.seats import plan_seats
from service.imports.stock import plan_stock

DONE: Final = 0
FINDINGS: Final = 1
INTERRUPTED: Final = 130
"""Exit code of what Ctrl-C ended before the verdict, as shells have it."""


def run(port: int, *, stay: bool) -> int:
    """The exit code. Raises DemoFailed, StoreError, and what else stops it; the server is gone then, too."""
    interrupts.listen()
    try:
        return _run(Screen(), port, stay=stay)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Gone, ConnectionLost) as error:
        raise DemoFailed(f"the server does not answer any more ({error}). Its log is {LOG}.") from error


def _run(screen: Screen, port: int, *, stay: bool) -> int:
    settings = server.settings()
    with locked() as lock:
        server.require_free_port(port)
        began = time.monotonic()
        screen.heading("Holdfast: booked exactly once")
        asyncio.run(migrations.upgrade(settings))
        connections_max = server.raise_open_files()
        with server.started(port, lock) as running:
            good, key = asyncio.run(_show(screen, running, connections_max))
            screen.say("took", f"{time.monotonic() - began:.1f} s")
            if stay:
                _stay(screen, running, key)
    return DONE if good else FINDINGS


def _stay(screen: Screen, running: Server, key: str) -> None:
    """Until Ctrl-C, which is the good end of it."""
    closing.invite(screen, running.port, key)
    try:
        running.wait_for_end()
    except KeyboardInterrupt:
        screen.say("end", f"the server stops; {DATABASE} is kept")


async def _show(screen: Screen, running: Server, connections_max: int) -> tuple[bool, str]:
    """Whether everything was as it must be, and the API key."""
    store = await open_store(server.settings())
    try:
        stage, key = await _set_the_stage(screen, store, running)
        customers, watcher = (Caller(running.port, key, connections_max) for _ in range(2))
        story = Story(screen, customers, watcher, crowd(stage))
        await running.beside(story.play())
        found = await find(watcher)
        verdict = judge(story.told, found)
        report = await audit(store)
    finally:
        await store.close()
    closing.tell(screen, story.told, customers.tally, verdict, report)
    return verdict.is_clean and report.clean, key


async def _set_the_stage(screen: Screen, store: Store, running: Server) -> tuple[Stage, str]:
    account, key = await new_account(store)
    screen.say("database", f"{DATABASE}, kept from run to run; the new account is {account.name}")
    ignored = server.ignored_settings()
    if ignored:
        screen.say("", f"{', '.join(ignored)}: not used, the demonstration has settings of its own")
    venue, warehouse = plan_seats(SEATS_FILE), plan_stock(STOCK_FILE)
    await running.wait_until_ready(Caller(running.port, key, 1))
    screen.say("server", f"process {running.pid} at {running.url}, its log is {LOG}")
    with screen.bar("seats", len(venue.seats)) as show:
        await load_venue(store, account, venue, show)
    sections = len({seat.section for seat in venue.seats})
    screen.say("seats", f"{len(venue.seats):,} in {sections} sections of a real stadium")
    with screen.bar("stock", len(warehouse.rows)) as show:
        await load_stock(store, account, warehouse, show)
    screen.say("stock", f"{len(warehouse.rows)} items, {sum(row.on_hand for row in warehouse.rows):,} units")
    return stage_of(venue, warehouse), key
