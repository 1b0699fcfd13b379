"""Rows 1, 4, 5: the network between client and service dies before, in and after the request, or the client goes away.

Every retry is the same request with the same key, straight to the service.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from service.demo.tcp_proxy import Direction, Fault, TcpProxy
from tests.accounts import Account
from tests.api.foreign_locks import stock_locked
from tests.api.reading import references, stock_counts
from tests.faults.patient import Customers
from tests.make import act, hold, new_idempotency_key, put_stock, wait_until
from tests.running import RunningService

UNIT = [{"sku": "NW-001", "quantity": 1}]
HANDED_OVER_AFTER_S = 0.5
EVERY_BYTES, LEAST_CUTS = 16, 20


@pytest.fixture
def proxy(service: RunningService) -> Iterator[TcpProxy]:
    """In front of the service."""
    with TcpProxy(urlsplit(service.url).port or 80) as proxy:
        yield proxy


@pytest.fixture
def far(account: Account, proxy: TcpProxy) -> Account:
    """The account behind the proxy."""
    return account.at(f"http://127.0.0.1:{proxy.port}")


def state_of(account: Account, key: str) -> dict[str, object]:
    """What the service says became of a create."""
    query = {"key": key, "method": "POST", "route": "/v1/reservations"}
    response = account.http.get("/v1/idempotency-keys", params=query)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("place", [b"POST", b"Idempotency-Key", b'"lines"', b'"quantity"'])
def test_row_01_request_cut_on_its_way_is_unseen_and_then_executes_once(
    account: Account, far: Account, proxy: TcpProxy, place: bytes
) -> None:
    put_stock(account, on_hand=10)
    key = new_idempotency_key()
    cut = proxy.cut_at(place, Fault.CUT_BEFORE)
    with pytest.raises(httpx.TransportError):
        hold(far, UNIT, key=key)
    cut.wait_until_done()
    assert state_of(account, key)["state"] == "unseen"
    assert references(account) == []
    answer = hold(account, UNIT, key=key)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "false")
    assert stock_counts(account) == (1, 0, 9)


@pytest.mark.parametrize("place", [b"HTTP/1.1", b"location", b'"reference"', b'"created_at"'])
def test_row_04_answer_cut_on_its_way_is_replayed_whole(
    account: Account, far: Account, proxy: TcpProxy, place: bytes
) -> None:
    put_stock(account, on_hand=10)
    key = new_idempotency_key()
    cut = proxy.cut_at(place, Fault.CUT_BEFORE, Direction.TO_CLIENT)
    with pytest.raises(httpx.TransportError):
        hold(far, UNIT, key=key)
    cut.wait_until_done()
    told = state_of(account, key)
    assert (told["state"], told["status"]) == ("completed", 201)
    answer = hold(account, UNIT, key=key)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")
    assert answer.headers["Location"] == told["location"]
    assert references(account) == [answer.json()["reference"]]
    assert stock_counts(account) == (1, 0, 9)


@pytest.mark.parametrize("direction", Direction)
def test_rows_01_and_04_cut_at_every_part_of_request_and_answer_then_retried_has_one_effect(
    account: Account, far: Account, proxy: TcpProxy, direction: Direction
) -> None:
    put_stock(account, on_hand=1000)
    cuts = 0
    is_whole = False
    while not is_whole:
        key = new_idempotency_key()
        cut = proxy.cut_at_byte(direction, skip=cuts * EVERY_BYTES)
        try:
            lost: httpx.Response | None = hold(far, UNIT, key=key)
        except httpx.TransportError:
            lost = None
        # Past its last byte nothing is cut any more.
        is_whole = not cut.done
        assert (lost is not None) == is_whole
        proxy.heal()
        again = hold(account, UNIT, key=key)
        replayed = again.headers["Idempotent-Replayed"]
        assert (again.status_code, replayed) == (201, str(is_whole or direction is Direction.TO_CLIENT).lower())
        cuts += 1
        assert stock_counts(account) == (cuts, 0, 1000 - cuts)
        # The next one is a connection of its own, counted from its first byte.
        proxy.cut_now()
        wait_until(lambda: proxy.connections == 0)
    assert cuts > LEAST_CUTS


def test_row_04_answer_of_an_action_cut_on_its_way_is_replayed_whole(
    account: Account, far: Account, proxy: TcpProxy
) -> None:
    put_stock(account, on_hand=10)
    reference = hold(account, UNIT).json()["reference"]
    key = new_idempotency_key()
    proxy.cut_at(b"HTTP/1.1", Fault.CUT_BEFORE, Direction.TO_CLIENT)
    with pytest.raises(httpx.TransportError):
        act(far, reference, "confirm", key=key)
    answer = act(account, reference, "confirm", key=key)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (200, "true")
    assert answer.json()["version"] == 2


def test_row_05_client_that_went_away_finds_its_answer_when_it_comes_back(account: Account) -> None:
    put_stock(account, on_hand=10)
    key = new_idempotency_key()
    impatient = account.at(account.url)
    impatient.http.timeout = httpx.Timeout(HANDED_OVER_AFTER_S)
    with stock_locked(account):
        with pytest.raises(httpx.ReadTimeout):
            hold(impatient, UNIT, key=key)
        assert state_of(account, key)["state"] == "in_progress"
        impatient.http.close()
    wait_until(lambda: state_of(account, key)["state"] == "completed", 30)
    answer = hold(account, UNIT, key=key)
    assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")
    assert stock_counts(account) == (1, 0, 9)


def test_rows_01_and_04_connections_cut_under_load_lose_and_double_nothing(far: Account, proxy: TcpProxy) -> None:
    with Customers([far]) as customers:
        for place, direction in [
            (b"Idempotency-Key", Direction.TO_SERVER),
            (b'"quantity"', Direction.TO_SERVER),
            (b"HTTP/1.1", Direction.TO_CLIENT),
            (b'"reference"', Direction.TO_CLIENT),
        ]:
            proxy.cut_at(place, Fault.CUT_BEFORE, direction, times=5).wait_until_done(30)
            customers.wait_for(5)
        proxy.cut_now()
        customers.wait_for(10)
    assert customers.tries_lost >= 20
    customers.settle()
