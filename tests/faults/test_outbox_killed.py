"""`kill -9` of a device at any moment of adding to its outbox and of sending from it: nothing is lost, nothing doubled.

The devices are real processes, forked from one that has everything imported, so that many deaths fit into a second.
"""

import multiprocessing
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from service.client import Holdfast, Outbox, Policy, calls, stock
from service.reservations.views import ReservationView
from tests.accounts import Account
from tests.api.reading import messages, stock_counts
from tests.clients import client
from tests.make import put_stock
from tests.polling import wait_until

DEATHS_ADDING, DEATHS_SENDING = 15, 8
ORDERS = 60

DEVICES = multiprocessing.get_context("forkserver")
DEVICES.set_forkserver_preload(["tests.faults.test_outbox_killed"])


def add_until_killed(path: str, told: Connection) -> None:
    """Orders, one after the other; says the key of each that is safe."""
    outbox = Outbox(path)
    while True:
        told.send(outbox.add(calls.hold(stock("NW-001"))))


def send_until_killed(path: str, told: Connection, url: str, api_key: str) -> None:
    """Sends all there is; says of each attempt when it is over."""
    policy = Policy(deadline_s=20, pause_s=0.01)
    with Holdfast(url, api_key, policy=policy, on_attempt=lambda attempt: told.send(attempt.call.key)) as sender:
        Outbox(path).send(sender)


def run_and_kill(work: Callable[..., None], *arguments: str) -> list[str]:
    """What a device says before it is killed, or ends."""
    hear, told = DEVICES.Pipe(duplex=False)
    device = DEVICES.Process(target=work, args=(arguments[0], told, *arguments[1:]), daemon=True)
    device.start()
    told.close()
    said: list[str] = []
    try:
        hear.poll(30)
        device.join(random.uniform(0, 0.05))
        device.kill()
        device.join()
        while True:
            said.append(hear.recv())
    except (EOFError, OSError):  # the second where it died within a word
        return said
    finally:
        hear.close()


def assert_whole(path: Path) -> None:
    Outbox(path)  # rolls back what the dead left behind, as every opening does
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_device_killed_while_it_adds_keeps_all_that_it_was_told_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "box"
    safe: list[str] = []
    for _ in range(DEATHS_ADDING):
        safe += run_and_kill(add_until_killed, str(path))
        assert_whole(path)
        kept = [entry.key for entry in Outbox(path)]
        assert [key for key in kept if key in set(safe)] == safe
        # At most the one that was under way when each was killed is there unsaid.
    assert len(safe) > DEATHS_ADDING
    assert len(safe) <= len(kept) <= len(safe) + DEATHS_ADDING


def test_device_killed_while_it_sends_books_everything_once(account: Account, tmp_path: Path) -> None:
    put_stock(account, on_hand=1000)
    path = tmp_path / "box"
    outbox = Outbox(path)
    keys = [outbox.add(calls.hold(stock("NW-001"))) for _ in range(ORDERS)]
    deaths = 0
    while outbox.waiting() and deaths < DEATHS_SENDING:
        run_and_kill(send_until_killed, str(path), account.url, account.key)
        deaths += 1
        assert_whole(path)
    with client(account) as survivor:
        outbox.send(survivor)
    assert outbox.waiting() == []
    booked = [outbox.answer(key, ReservationView) for key in keys]
    assert [one.external_reference for one in booked] == keys
    assert len({one.reference for one in booked}) == ORDERS
    wait_until(lambda: len(of_holds(account)) >= ORDERS)
    assert Counter(of_holds(account)) == dict.fromkeys((one.reference for one in booked), 1)
    assert stock_counts(account) == (ORDERS, 0, 1000 - ORDERS)


def of_holds(account: Account) -> list[str]:
    return [message["reference"] for message in messages(account) if message["type"] == "reservation.held"]
