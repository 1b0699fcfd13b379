"""Every place of a cut, and there the phone is killed: started again, it has booked once and knows it.

The phone is the one of `holdfast demo mobile`, forked from a process that has everything imported.
"""

import multiprocessing
import queue
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from service.client import Outbox
from service.demo.mobile import phone
from service.demo.mobile.phone import Said
from service.demo.mobile.proof import judge
from service.demo.mobile.run import find
from service.demo.tcp_proxy import Direction, Fault, Order, TcpProxy
from tests.accounts import Account
from tests.clients import async_client
from tests.make import put_event
from tests.running import RunningService

ALWAYS = 1000
PATIENCE_S = 30

PHONES = multiprocessing.get_context("forkserver")
PHONES.set_forkserver_preload(["tests.faults.test_phone_killed"])


class Place(NamedTuple):
    """A cut of the request that orders, or of the one that pays, or of its answer."""

    direction: Direction
    pattern: bytes
    into: int = 0
    fault: Fault = Fault.CUT_BEFORE
    answer_bytes: int = 0

    def order(self, proxy: TcpProxy) -> Order:
        return proxy.cut_at(
            self.pattern, self.fault, self.direction, ALWAYS, pattern_bytes=self.into, answer_bytes=self.answer_bytes
        )


OUT, BACK = Direction.TO_SERVER, Direction.TO_CLIENT
PLACES = {
    "order: before the request": Place(OUT, b"POST /v1/reservations HTTP"),
    "order: in its headers": Place(OUT, b"Idempotency-Key", 20),
    "order: after its headers": Place(OUT, b'{"lines"'),
    "order: in its body": Place(OUT, b'"best_available"', 4),
    "order: at the end of its body": Place(OUT, b'"external_reference"', 30),
    "order: after its body": Place(OUT, b'"external_reference"', fault=Fault.CUT_AFTER),
    "order: in the answer's status line": Place(OUT, b'"external_reference"', 0, Fault.CUT_AFTER, 10),
    "order: in the answer's headers": Place(BACK, b"idempotent-replayed", 5),
    "order: after the answer's headers": Place(BACK, b'{"reference"'),
    "order: in the answer's body": Place(BACK, b'"totals"', 3),
    "order: before the answer's last byte": Place(BACK, b'"ended_at":null', 15),
    "payment: before the request": Place(OUT, b"POST /v1/reservations/"),
    "payment: in its headers": Place(OUT, b"-pay"),
    "payment: after the request": Place(OUT, b"-pay", fault=Fault.CUT_AFTER),
    "payment: in the answer": Place(BACK, b'"state":"confirmed"', 10),
}


def live(path: str, url: str, api_key: str, taps: list[str], told: Connection) -> None:
    """A phone whose customer taps so."""
    finger: queue.Queue[str] = queue.Queue()
    for tap in taps:
        finger.put(tap)

    def tell(said: Said) -> None:
        told.send((said.did, said.about, said.reference, said.state, said.seats, said.error))

    phone.run(path, url, "final", api_key, finger, tell)


class Phone:
    """Phones on one outbox, one after the other; all that they have said."""

    def __init__(self, account: Account, proxy: TcpProxy, path: Path) -> None:
        self.path = path
        self.said: list[Said] = []
        self._arguments = (str(path), f"http://127.0.0.1:{proxy.port}", account.key)
        self._process: BaseProcess | None = None
        self._hear: Connection | None = None

    def switch_on(self, *taps: str) -> None:
        self._hear, told = PHONES.Pipe(duplex=False)
        self._process = PHONES.Process(target=live, args=(*self._arguments, list(taps), told), daemon=True)
        self._process.start()
        told.close()

    def wait_for_payment(self) -> None:
        while not any(said.did == "answered" and said.about == "confirm" for said in self.said):
            assert self._hear is not None
            assert self._hear.poll(PATIENCE_S), f"the phone never paid; it said {self.said}"
            self._take()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.join()
        try:
            while True:
                self._take()
        except (EOFError, OSError):
            pass

    def _take(self) -> None:
        assert self._hear is not None
        did, about, reference, state, seats, error = self._hear.recv()
        self.said.append(Said(did=did, about=about, reference=reference, state=state, seats=seats, error=error))


@pytest.fixture
def proxy(service: RunningService) -> Iterator[TcpProxy]:
    with TcpProxy(urlsplit(service.url).port or 80) as proxy:
        yield proxy


@pytest.mark.parametrize("name", PLACES)
async def test_rows_01_and_04_phone_killed_at_a_cut_books_once_and_knows_it(
    account: Account, proxy: TcpProxy, tmp_path: Path, name: str
) -> None:
    put_event(account)
    handset = Phone(account, proxy, tmp_path / "box")
    cut = PLACES[name].order(proxy)
    handset.switch_on("order", "pay")
    cut.wait_until_done(PATIENCE_S, times=1)
    handset.kill()
    waiting = Outbox(tmp_path / "box").waiting()
    assert len(waiting) == 1
    proxy.heal()
    is_paying = waiting[0].key.endswith("-pay")
    handset.switch_on(*([] if is_paying else ["pay"]))
    handset.wait_for_payment()
    handset.kill()
    async with async_client(account) as watcher:
        found = await find(watcher)
    lost = Said(did="tried", about="hold", error="killed before it could say so")
    checks = judge([lost, *handset.said], found, 2, audit_clean=True, audited="at the end of the session")
    assert not [check for check in checks if not check.good]
