"""Begins and ends everything: files, server, network, phone, story, proof. Whatever happens, no process is left."""

import asyncio
import sys
from typing import Final

import msgspec

from service.audit import Report, audit
from service.client import AsyncHoldfast, HoldfastError
from service.database import migrations
from service.database.store import open_store
from service.demo import interrupts, server
from service.demo.calls import Caller, ConnectionLost
from service.demo.mobile.handset import Handset, forget
from service.demo.mobile.proof import Check, Found, judge
from service.demo.mobile.story import Story
from service.demo.mobile.timeline import SERVICE, Moment, Timeline
from service.demo.place import LOG, OUTBOX, DemoFailed, locked
from service.demo.ports import free_port
from service.demo.run import DONE, FINDINGS, INTERRUPTED
from service.demo.screen import Screen
from service.demo.server import Server
from service.demo.stage import EVENT, EVENT_NAME, new_account
from service.demo.tcp_proxy import TcpProxy
from service.inventory.bodies import Category, PutSeat

ROW: Final = range(1, 11)
STARTS_AT: Final = "2097-06-05T19:00:00Z"


class Outcome(msgspec.Struct, frozen=True):
    """What `--json` prints."""

    clean: bool
    seconds: float
    timeline: list[Moment]
    proof: list[Check]


def run(*, as_json: bool) -> int:
    """The exit code. Raises DemoFailed, StoreError, and what else stops it; server and phone are gone then, too."""
    interrupts.listen()
    screen = None if as_json else Screen()
    try:
        outcome = _run(Timeline(screen))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (HoldfastError, ConnectionLost) as error:
        raise DemoFailed(f"the server does not answer any more ({error}). Its log is {LOG}.") from error
    if screen is None:
        sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
        sys.stdout.buffer.flush()
    else:
        _show(screen, outcome)
    return DONE if outcome.clean else FINDINGS


def _run(timeline: Timeline) -> Outcome:
    settings = server.settings()
    with locked() as lock:
        asyncio.run(migrations.upgrade(settings))
        forget(OUTBOX)
        port = free_port()
        with server.started(port, lock) as running, TcpProxy(port) as network:
            proof = asyncio.run(_play(timeline, running, network))
    return Outcome(all(check.good for check in proof), timeline.seconds, timeline.moments, proof)


async def _play(timeline: Timeline, running: Server, network: TcpProxy) -> list[Check]:
    store = await open_store(server.settings())
    try:
        account, key = await new_account(store)
        await running.wait_until_ready(Caller(running.port, key, 1))
        timeline.scene("Holdfast: a phone, a bad network, and one booking")
        phone = Handset(timeline, OUTBOX, f"http://{network.host}:{network.port}", EVENT, key)
        async with AsyncHoldfast(running.url, key) as watcher:
            await _set_the_stage(watcher)
            timeline.tell(SERVICE, f"runs (process {running.pid}) and sells {len(ROW)} seats; account {account.name}")
            try:
                await running.beside(Story(timeline, phone, network, watcher).play())
            finally:
                await phone.close()
            found = await find(watcher)
        report = await audit(store)
    finally:
        await store.close()
    return judge(phone.said, found, phone.killed, audit_clean=report.clean, audited=_audited(report))


async def _set_the_stage(watcher: AsyncHoldfast) -> None:
    await watcher.put_event(
        EVENT, name=EVENT_NAME, starts_at=STARTS_AT, categories=[Category("1", "Lower tier", 12500, "EUR")]
    )
    await watcher.put_seats(EVENT, [PutSeat("101", "A", str(number), "1") for number in ROW])


async def find(watcher: AsyncHoldfast) -> Found:
    """Everything that the account has."""
    reservations = [reservation async for reservation in watcher.reservations()]
    actions = [change.action async for change in watcher.history(reservations[0].reference)] if reservations else []
    messages = [message.type for message in (await watcher.messages(limit=500)).messages if message.reference]
    seats = [seat.seat async for seat in watcher.seat_map(EVENT) if seat.state in {"held", "confirmed"}]
    return Found(reservations, actions, messages, seats)


def _audited(report: Report) -> str:
    offenders = [f"{check.invariant}: {offender}" for check in report.checks for offender in check.offenders]
    rows = sum(check.rows_checked for check in report.checks)
    return "; ".join(offenders) or f"{len(report.checks)} checks of {rows:,} rows, no findings"


def _show(screen: Screen, outcome: Outcome) -> None:
    screen.heading("Proof")
    for check in outcome.proof:
        screen.verdict(f"{check.claim}: {'yes' if check.good else 'NO'}; {check.seen}", good=check.good)
    screen.say("took", f"{outcome.seconds:g} s; the phone's file is {OUTBOX}")
