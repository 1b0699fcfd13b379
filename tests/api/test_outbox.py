"""The outbox against the real service: what is sent, what is an answer, what stops it, and what happens after days."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from service.client import Holdfast, Outbox, Unreached, calls, seats, stock
from service.client.calls import AnyCall
from service.client.outbox import WrongCaller
from service.client.problems import (
    ExternalReferenceExists,
    Forbidden,
    HoldExpired,
    InventoryUnavailable,
    Unauthenticated,
)
from service.database.store import Store
from service.demo.tcp_proxy import Direction, Fault, TcpProxy
from service.inventory.wire import EventView, StockView
from service.reservations.sweep import purge_records
from service.reservations.views import ReservationView
from tests.accounts import Account, on_store
from tests.api.reading import expired, held, message_types, read, references, stock_counts
from tests.clients import ONCE, client
from tests.make import hold, put_event, put_stock
from tests.races.purging import age_records
from tests.running import RunningService

HOUR = 3600.0
UNIT = stock("NW-001")


class Device:
    """An outbox on a device whose clock the test sets, and a client that reaches the service through a proxy."""

    def __init__(self, account: Account, proxy: TcpProxy, path: Path) -> None:
        self.account = account
        self.proxy = proxy
        self.now = 1_800_000_000.0
        self.outbox = Outbox(path, clock=lambda: self.now)
        self.client: Holdfast = client(account, url=f"http://127.0.0.1:{proxy.port}", policy=ONCE)

    def lose(self, call: AnyCall, direction: Direction = Direction.TO_CLIENT) -> str:
        """Add the call and send it; the request is lost on its way, or its answer is."""
        key = self.outbox.add(call)
        # Only a request with a key and its answer have these: it is not `me`, with which the sending begins.
        place = key.encode() if direction is Direction.TO_SERVER else b"idempotency-expires"
        cut = self.proxy.cut_at(place, Fault.CUT_BEFORE, direction)
        with pytest.raises(Unreached):
            self.outbox.send(self.client)
        cut.wait_until_done()
        assert [entry.first_sent_at for entry in self.outbox if entry.key == key] == [self.now]
        return key

    def sleep(self, hours: float) -> None:
        """So much time passes, and the service forgets every key."""
        self.now += hours * HOUR
        age_records(self.account)

        async def purge(store: Store) -> None:
            await purge_records(store)

        on_store(self.account.database_url, purge)


@pytest.fixture
def device(account: Account, service: RunningService, tmp_path: Path) -> Iterator[Device]:
    put_stock(account, on_hand=10)
    with TcpProxy(urlsplit(service.url).port or 80) as proxy:
        device = Device(account, proxy, tmp_path / "box")
        yield device
        device.client.close()


def test_requests_are_sent_in_order_and_refusals_are_answers_that_stop_nobody(device: Device) -> None:
    outbox = device.outbox
    first = outbox.add(calls.hold(stock("NW-001", 7), customer="c-77"))
    too_much = outbox.add(calls.hold(stock("NW-001", 4)))
    last = outbox.add(calls.hold(stock("NW-001", 3)))
    assert outbox.send(device.client) == [first, too_much, last]
    reservation = outbox.answer(first, ReservationView)
    assert (reservation.state, reservation.customer, reservation.external_reference) == ("held", "c-77", first)
    with pytest.raises(InventoryUnavailable) as raised:
        outbox.answer(too_much, ReservationView)
    assert raised.value.key == too_much
    confirmed = outbox.add(calls.confirm(reservation.reference))
    assert outbox.send(device.client) == [confirmed]
    assert outbox.answer(confirmed, ReservationView).state == "confirmed"
    # Asked again, after a start: the same, and nothing is sent.
    device.proxy.refuse()
    again = Outbox(outbox._file._path)
    assert again.send(device.client) == []
    assert again.answer(first, ReservationView) == reservation
    reply = again.reply(too_much)
    assert reply is not None
    assert reply.status == 409
    assert stock_counts(device.account) == (3, 7, 0)


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name)
def test_lost_request_or_answer_books_once_at_the_next_sending(device: Device, direction: Direction) -> None:
    key = device.lose(calls.hold(UNIT), direction)
    device.now += 48 * HOUR
    assert device.outbox.send(device.client) == [key]
    reply = device.outbox.reply(key)
    assert reply is not None
    assert reply.replayed is (direction is Direction.TO_CLIENT)
    reference = device.outbox.answer(key, ReservationView).reference
    assert references(device.account) == [reference]
    assert message_types(device.account, reference, 1) == ["reservation.held"]
    assert stock_counts(device.account) == (1, 0, 9)


def test_days_later_a_hold_that_was_made_is_found_by_its_name(device: Device) -> None:
    key = device.lose(calls.hold(UNIT))
    device.sleep(hours=200)
    assert device.outbox.send(device.client) == [key]
    (entry,) = device.outbox.entries()
    assert (entry.state, entry.looked_up) == ("answered", True)
    assert references(device.account) == [device.outbox.answer(key, ReservationView).reference]
    assert stock_counts(device.account) == (1, 0, 9)


def test_days_later_a_hold_that_was_not_made_is_made(device: Device) -> None:
    key = device.lose(calls.hold(UNIT, external_reference="order-1"), Direction.TO_SERVER)
    device.sleep(hours=200)
    assert device.outbox.send(device.client) == [key]
    (entry,) = device.outbox.entries()
    assert (entry.state, entry.looked_up) == ("answered", False)
    assert device.outbox.answer(key, ReservationView).external_reference == "order-1"
    assert stock_counts(device.account) == (1, 0, 9)


def test_forgotten_key_of_a_device_whose_clock_stood_still_books_once(device: Device) -> None:
    key = device.lose(calls.hold(UNIT))
    device.sleep(hours=0)
    assert device.outbox.send(device.client) == [key]
    (entry,) = device.outbox.entries()
    assert (entry.state, entry.looked_up) == ("answered", True)
    assert references(device.account) == [device.outbox.answer(key, ReservationView).reference]


def test_clock_that_went_back_counts_as_days(device: Device) -> None:
    key = device.lose(calls.hold(UNIT))
    device.now -= 30 * 24 * HOUR
    assert device.outbox.send(device.client) == [key]
    assert [entry.looked_up for entry in device.outbox.entries()] == [True]


def test_external_reference_of_another_request_is_a_refusal(device: Device) -> None:
    other = held(device.account, [{"sku": "NW-001", "quantity": 1}], external_reference="order-1")
    key = device.outbox.add(calls.hold(UNIT, external_reference="order-1"))
    assert device.outbox.send(device.client) == [key]
    with pytest.raises(ExternalReferenceExists) as raised:
        device.outbox.answer(key, ReservationView)
    assert raised.value.reference == other["reference"]


def test_retention_is_learned_from_first_answers_alone_and_the_least_stays(device: Device) -> None:
    assert device.outbox.retention_s == 72 * HOUR
    device.outbox._file.keep_least("retention_s", 100 * HOUR)
    device.lose(calls.hold(UNIT))
    assert device.outbox.retention_s == 100 * HOUR
    device.outbox.send(device.client)
    assert device.outbox.retention_s == 100 * HOUR, "a replay does not tell"
    device.outbox.add(calls.hold(UNIT))
    device.outbox.send(device.client)
    assert device.outbox.retention_s == pytest.approx(72 * HOUR, abs=2)
    device.outbox._file.keep_least("retention_s", HOUR)
    device.outbox.add(calls.hold(UNIT))
    device.outbox.send(device.client)
    assert device.outbox.retention_s == HOUR


SAFE: dict[str, tuple[str, Callable[[str], AnyCall]]] = {
    "confirm": ("held", calls.confirm),
    "release": ("held", calls.release),
    "cancel-some": ("confirmed", lambda reference: calls.cancel(reference, [1])),
    "if-match": ("held", lambda reference: calls.extend(reference, 1200, if_match=1)),
    "adjustment": ("held", lambda _: calls.adjust_stock("NW-001", reference="delivery-77", delta=3)),
}


@pytest.mark.parametrize("name", SAFE)
def test_days_later_what_is_safe_twice_is_sent_again_and_done_once(device: Device, name: str) -> None:
    state, make = SAFE[name]
    reference = held(device.account, [{"sku": "NW-001", "quantity": 1}])["reference"]
    if state == "confirmed":
        device.client.confirm(reference)
    device.lose(make(reference))
    version, on_hand = read(device.account, reference)["version"], device.client.stock_item("NW-001").on_hand
    device.sleep(hours=200)
    device.outbox.send(device.client)
    assert [entry.state for entry in device.outbox.entries()] == ["answered"]
    assert read(device.account, reference)["version"] == version
    assert device.client.stock_item("NW-001").on_hand == on_hand == (13 if name == "adjustment" else 10)


UNSAFE: dict[str, Callable[[str], AnyCall]] = {
    "extend": lambda reference: calls.extend(reference, 1200),
    "block": lambda _: calls.block_seats("final", "101-A-1"),
    "put-stock": lambda _: calls.put_stock("NW-001", on_hand=10, amount=1800, currency="USD"),
    "put-event": lambda _: calls.put_event("final", name="Final", starts_at="2097-06-05T19:00:00Z"),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_days_later_what_may_undo_others_work_is_in_doubt_and_the_others_go_on(device: Device, name: str) -> None:
    if name == "block":
        put_event(device.account)
    reference = held(device.account, [{"sku": "NW-001", "quantity": 1}])["reference"]
    doubtful = device.lose(UNSAFE[name](reference))
    after = device.outbox.add(calls.hold(UNIT))
    device.sleep(hours=200)
    assert device.outbox.send(device.client) == [after]
    assert [entry.key for entry in device.outbox.in_doubt()] == [doubtful]
    assert device.outbox.send(device.client) == []
    device.outbox.send_anyway(doubtful)
    assert device.outbox.send(device.client) == [doubtful]
    reply = device.outbox.reply(doubtful)
    assert reply is not None
    assert not reply.is_error


def test_one_in_doubt_may_be_dropped(device: Device) -> None:
    doubtful = device.lose(calls.put_stock("NW-001", on_hand=10, amount=1800, currency="USD"))
    device.sleep(hours=200)
    device.outbox.send(device.client)
    device.outbox.drop(doubtful)
    assert device.outbox.entries() == []


@pytest.mark.parametrize(
    ("scopes", "problem"), [(None, Unauthenticated), (["inventory:read"], Forbidden)], ids=["no-key", "no-scope"]
)
def test_caller_who_may_not_stops_the_sending_and_nothing_is_lost(
    device: Device, scopes: list[str] | None, problem: type[Exception]
) -> None:
    keys = [device.outbox.add(calls.hold(UNIT)) for _ in range(2)]
    key = "hf_0123456789_nobody" if scopes is None else device.account.new_key("default", scopes)
    with client(device.account, api_key=key) as stranger, pytest.raises(problem) as raised:
        device.outbox.send(stranger)
    assert getattr(raised.value, "key", None) == keys[0]
    assert [entry.key for entry in device.outbox] == keys
    assert device.outbox.send(device.client) == keys


def test_file_of_one_caller_is_not_sent_for_another(device: Device, other_account: Account) -> None:
    device.outbox.send(device.client)
    first = device.outbox.add(calls.hold(UNIT))
    device.outbox.send(device.client)
    second = device.outbox.add(calls.hold(UNIT))
    put_stock(other_account)
    with client(other_account) as other, pytest.raises(WrongCaller, match=f"account {device.account.name}, API key de"):
        device.outbox.send(other)
    assert [entry.key for entry in device.outbox] == [second]
    assert references(other_account) == []
    assert device.outbox.reply(first) is not None


def test_many_threads_send_each_request_once(device: Device) -> None:
    keys = [device.outbox.add(calls.hold(UNIT)) for _ in range(8)]
    attempts: list[str | None] = []
    with client(device.account, on_attempt=lambda attempt: attempts.append(attempt.call.key)) as sender:
        threads = [Thread(target=Outbox(device.outbox._file._path).send, args=(sender,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [key for key in attempts if key is not None] == keys
    assert stock_counts(device.account) == (8, 0, 2)


def test_definitions_are_queued_and_answered_like_anything_else(device: Device) -> None:
    event = device.outbox.add(calls.put_event("open", name="Open air", starts_at="2097-06-05T19:00:00Z"))
    item = device.outbox.add(calls.put_stock("NW-002", on_hand=5, amount=100, currency="EUR"))
    device.outbox.send(device.client)
    assert device.outbox.answer(event, EventView).name == "Open air"
    assert device.outbox.answer(item, StockView).available == 5


def test_confirm_that_came_too_late_is_an_answer(device: Device) -> None:
    reference = hold(device.account, [{"sku": "NW-001", "quantity": 1}], hold_seconds=1).json()["reference"]
    key = device.outbox.add(calls.confirm(reference))
    expired(device.account, reference)
    device.outbox.send(device.client)
    with pytest.raises(HoldExpired):
        device.outbox.answer(key, ReservationView)


def test_seats_are_held_from_the_queue(device: Device) -> None:
    put_event(device.account)
    key = device.outbox.add(calls.hold(seats("final", "101-A-1", "101-A-2")))
    device.outbox.send(device.client)
    assert [line.seat for line in device.outbox.answer(key, ReservationView).lines] == ["101-A-1", "101-A-2"]
