"""Rows 1, 4, 5 with the Python client: wherever the network fails, one call books once, and its answer is true."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from threading import Thread
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from service.client import Attempt, Holdfast, Policy, Problem, Unreached, new_key, stock
from service.client.problems import Overloaded, RateLimited
from service.demo.tcp_proxy import Direction, Fault, TcpProxy
from service.reservations.views import ReservationView
from tests.accounts import Account, new_account
from tests.api.foreign_locks import stock_locked
from tests.api.reading import messages, stock_counts
from tests.clients import async_client, client
from tests.conftest import NewStore
from tests.make import hold, put_stock
from tests.polling import wait_until
from tests.races.databases import audit_now
from tests.running import RunningService, start_service

UNIT = [{"sku": "NW-001", "quantity": 1}]
IMPATIENT = Policy(deadline_s=30, attempt_s=0.3, pause_s=0.01, pause_max_s=0.05)
EVERY_BYTES, LEAST_CUTS = 16, 20
END_OF_HEAD = b"\r\n\r\n"


class Place(NamedTuple):
    """Where a connection is cut: in front of a pattern, or so many bytes into it."""

    direction: Direction
    pattern: bytes
    into: int = 0
    fault: Fault = Fault.CUT_BEFORE


PLACES = {
    "before the request": Place(Direction.TO_SERVER, b"POST"),
    "in its first line": Place(Direction.TO_SERVER, b"/v1/reservations", 5),
    "in its headers": Place(Direction.TO_SERVER, b"Idempotency-Key", 20),
    "after its headers": Place(Direction.TO_SERVER, END_OF_HEAD, 4),
    "in its body": Place(Direction.TO_SERVER, b'"quantity"', 3),
    "before the last byte of its body": Place(Direction.TO_SERVER, b'"customer":"c-77"}', 17),
    "after its body": Place(Direction.TO_SERVER, b'"customer":"c-77"}', fault=Fault.CUT_AFTER),
    "before the answer": Place(Direction.TO_CLIENT, b"HTTP/1.1"),
    "in its status line": Place(Direction.TO_CLIENT, b"HTTP/1.1 2", 10),
    "in the answer's headers": Place(Direction.TO_CLIENT, b"location", 4),
    "after the answer's headers": Place(Direction.TO_CLIENT, END_OF_HEAD, 4),
    "in the answer's body": Place(Direction.TO_CLIENT, b'"reference"', 14),
    "before the last byte of the answer": Place(Direction.TO_CLIENT, b'"ended_at":null}', 15),
}


@pytest.fixture
def proxy(service: RunningService) -> Iterator[TcpProxy]:
    with TcpProxy(urlsplit(service.url).port or 80) as proxy:
        yield proxy


class Phone:
    """The client behind the proxy; `attempts` is what its hook was told."""

    def __init__(self, account: Account, proxy: TcpProxy, policy: Policy) -> None:
        self.attempts: list[Attempt] = []
        self.account = account
        self.proxy = proxy
        url = f"http://127.0.0.1:{proxy.port}"
        self.client: Holdfast = client(account, url=url, policy=policy, on_attempt=self.attempts.append)

    def book(self) -> ReservationView:
        return self.client.hold(stock("NW-001"), customer="c-77")


@pytest.fixture
def phone(account: Account, proxy: TcpProxy) -> Iterator[Phone]:
    put_stock(account, on_hand=1000)
    phone = Phone(account, proxy, IMPATIENT)
    yield phone
    phone.client.close()


def assert_booked_once_each(account: Account, booked: list[ReservationView]) -> None:
    """One reservation and one message of each, which are as it was told; the counts are their sum."""
    told = {reservation.reference: reservation for reservation in booked}
    assert len(told) == len(booked)
    with client(account) as reader:
        found = {reservation.reference: reservation for reservation in reader.reservations(page_size=500)}
    assert found.keys() == told.keys()
    for reference, reservation in told.items():
        assert (found[reference].lines, found[reference].created_at) == (reservation.lines, reservation.created_at)

    def messages_of_holds() -> Counter[str]:
        return Counter(message["reference"] for message in messages(account) if message["reference"])

    wait_until(lambda: len(messages_of_holds()) >= len(booked))
    assert messages_of_holds() == dict.fromkeys(told, 1)
    assert stock_counts(account) == (len(booked), 0, 1000 - len(booked))


@pytest.mark.parametrize("name", PLACES)
def test_rows_01_and_04_connection_cut_at_any_part_books_once(phone: Phone, name: str) -> None:
    place = PLACES[name]
    cut = phone.proxy.cut_at(place.pattern, place.fault, place.direction, pattern_bytes=place.into)
    booked = phone.book()
    cut.wait_until_done()
    assert [at.status for at in phone.attempts] == [None, 201]
    assert phone.attempts[0].call is phone.attempts[1].call
    assert_booked_once_each(phone.account, [booked])


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name)
def test_rows_01_and_04_connection_cut_after_any_number_of_bytes_books_once(phone: Phone, direction: Direction) -> None:
    booked = []
    is_whole = False
    while not is_whole:
        cut = phone.proxy.cut_at_byte(direction, skip=len(booked) * EVERY_BYTES)
        before = len(phone.attempts)
        booked.append(phone.book())
        is_whole = not cut.done
        assert len(phone.attempts) - before == (1 if is_whole else 2)
        phone.proxy.heal()
        # The next one is a connection of its own, counted from its first byte.
        phone.proxy.cut_now()
        wait_until(lambda: phone.proxy.connections == 0)
    assert len(booked) > LEAST_CUTS
    assert_booked_once_each(phone.account, booked)
    audit_now(phone.account.database_url)


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name)
def test_row_05_bytes_that_vanish_are_waited_for_and_sent_again(phone: Phone, direction: Direction) -> None:
    phone.proxy.swallow(direction)
    healing = Thread(target=lambda: (wait_until(lambda: len(phone.attempts) >= 2), phone.proxy.heal()))
    healing.start()
    booked = phone.book()
    healing.join()
    assert [at.status for at in phone.attempts[:2]] == [None, None]
    assert_booked_once_each(phone.account, [booked])


def test_row_01_refused_connections_are_tried_again_until_somebody_listens(phone: Phone) -> None:
    phone.proxy.refuse()
    healing = Thread(target=lambda: (wait_until(lambda: len(phone.attempts) >= 3), phone.proxy.heal()))
    healing.start()
    booked = phone.book()
    healing.join()
    assert_booked_once_each(phone.account, [booked])


def test_row_04_connection_that_died_while_it_was_idle_is_made_anew(phone: Phone) -> None:
    booked = [phone.book()]
    for _ in range(5):
        phone.proxy.cut_now()
        wait_until(lambda: phone.proxy.connections == 0)
        booked.append(phone.book())
    assert_booked_once_each(phone.account, booked)


def test_row_01_nobody_listening_is_unreached_with_the_key_to_ask_again(phone: Phone) -> None:
    phone.proxy.refuse()
    short = Policy(deadline_s=0.5, attempt_s=0.2, pause_s=0.05)
    key = new_key()
    with client(phone.account, url=f"http://127.0.0.1:{phone.proxy.port}", policy=short) as impatient:
        with pytest.raises(Unreached, match="no answer, tried") as raised:
            impatient.hold(stock("NW-001"), customer="c-77", key=key)
        assert (raised.value.key, raised.value.attempts > 1) == (key, True)
        phone.proxy.heal()
        assert impatient.status(key).state == "unseen"
        booked = impatient.hold(stock("NW-001"), customer="c-77", key=key)
    assert_booked_once_each(phone.account, [booked])


async def test_rows_01_and_04_with_asyncio_cut_anywhere_books_once(account: Account, proxy: TcpProxy) -> None:
    put_stock(account, on_hand=1000)
    booked = []
    attempts: list[Attempt] = []
    url = f"http://127.0.0.1:{proxy.port}"
    for place in PLACES.values():
        cut = proxy.cut_at(place.pattern, place.fault, place.direction, pattern_bytes=place.into)
        async with async_client(account, url=url, policy=IMPATIENT, on_attempt=attempts.append) as other:
            booked.append(await other.hold(stock("NW-001"), customer="c-77"))
        cut.wait_until_done()
    assert [at.status for at in attempts] == [None, 201] * len(PLACES)
    assert_booked_once_each(account, booked)


def test_service_that_asks_for_time_gets_it(new_store: NewStore) -> None:
    url = new_store("sqlite")
    env = {"HOLDFAST_RATE_LIMIT_REQUESTS": "2", "HOLDFAST_RATE_LIMIT_WINDOW_SECONDS": "2"}
    with start_service(url, env=env) as service, closing(new_account(service.url, url)) as account:
        attempts: list[Attempt] = []
        with client(account, on_attempt=attempts.append) as patient:
            for _ in range(3):
                patient.me()
        assert [at.status for at in attempts] == [200, 200, 429, 200]
        assert 1 <= (attempts[2].pause_s or 0) <= 3
        with client(account, policy=Policy(attempts_max=1)) as hasty, pytest.raises(RateLimited) as raised:
            list(map(Holdfast.me, [hasty] * 3))
        assert raised.value.retry_after_s >= 1


def test_service_with_a_full_queue_is_asked_again_until_there_is_room(new_store: NewStore) -> None:
    url = new_store("sqlite")
    env = {"HOLDFAST_QUEUE_COMMANDS_MAX": "16", "HOLDFAST_DEADLINE_SECONDS": "60", "HOLDFAST_LOCK_WAIT_SECONDS": "50"}
    with start_service(url, env=env) as service, closing(new_account(service.url, url)) as account:
        put_stock(account, on_hand=1000)
        attempts: list[Attempt] = []
        with ExitStack() as lock:
            lock.enter_context(stock_locked(account))
            # One of them may find the queue full, too: the question whether it is takes a place itself.
            told: list[int] = []
            crowd = [Thread(target=lambda: told.append(hold(account, UNIT).status_code)) for _ in range(8)]
            for each in crowd:
                each.start()

            def let_go(attempt: Attempt) -> None:
                attempts.append(attempt)
                lock.close()

            def is_full() -> bool:
                with client(account, policy=Policy(attempts_max=1, attempt_s=0.5)) as hasty:
                    try:
                        hasty.hold(stock("NW-001", 1001))
                    except Overloaded as refused:
                        return refused.retry_after_s >= 1
                    except (Unreached, Problem):
                        return False
                    raise AssertionError("more than there is")

            wait_until(is_full)
            with client(account, on_attempt=let_go) as patient:
                patient.hold(stock("NW-001"))
            for each in crowd:
                each.join()
        assert [at.status for at in attempts] == [503, 201]
        assert (attempts[0].pause_s or 0) >= 1
        assert stock_counts(account)[0] == 1 + told.count(201)


def test_time_is_up_when_it_is_up_whatever_the_clock_of_the_network(phone: Phone) -> None:
    phone.proxy.swallow(Direction.TO_CLIENT)
    short = Policy(deadline_s=0.6, attempt_s=10)
    with client(phone.account, url=f"http://127.0.0.1:{phone.proxy.port}", policy=short) as impatient:
        began = time.monotonic()
        with pytest.raises(Unreached):
            impatient.me()
        assert time.monotonic() - began < 5
