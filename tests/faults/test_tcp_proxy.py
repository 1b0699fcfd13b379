"""The proxy does what the fault tests believe it does; its counterpart here is a server that answers in capitals."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from service.demo.tcp_proxy import COMMIT, Direction, Fault, TcpProxy
from tests.polling import wait_until

CUT = ConnectionResetError


class Shouter(socketserver.ThreadingTCPServer):
    """Answers in capitals. `received` holds what each connection sent, in order of connecting."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Shout)
        self.port: int = self.server_address[1]
        self.received: list[bytes] = []
        self.ended = 0


class Shout(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Shouter)
        number = len(server.received)
        server.received.append(b"")
        try:
            while data := self.request.recv(1000):
                server.received[number] += data
                self.request.sendall(data.upper())
        except ConnectionError:
            pass
        server.ended += 1


@pytest.fixture
def shouter() -> Iterator[Shouter]:
    with Shouter() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(shouter: Shouter) -> Iterator[TcpProxy]:
    with TcpProxy(shouter.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: TcpProxy) -> Iterator[socket.socket]:
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"HELLO"
        yield client


def connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(client: socket.socket, question: bytes) -> bytes:
    client.sendall(question)
    return client.recv(1000)


def test_answer_is_cut_at_the_byte(proxy: TcpProxy, client: socket.socket) -> None:
    order = proxy.cut_at_byte(Direction.TO_CLIENT, 3)
    assert ask(client, b"abcdef") == b"ABC"
    with pytest.raises(CUT):
        client.recv(1)
    order.wait_until_done()


def test_request_is_cut_at_the_byte(proxy: TcpProxy, shouter: Shouter, client: socket.socket) -> None:
    proxy.cut_at_byte(Direction.TO_SERVER, 3)
    client.sendall(b"abcdef")
    wait_until(lambda: shouter.ended == 1)
    assert shouter.received == [b"helloabc"]


def test_fault_happens_once_so_that_a_retry_gets_through(proxy: TcpProxy, client: socket.socket) -> None:
    proxy.cut_at_byte(Direction.TO_CLIENT)
    with pytest.raises(CUT):
        ask(client, b"first")
    with connect(proxy) as retry:
        assert ask(retry, b"second") == b"SECOND"


def test_pattern_swallowed_with_its_connection(proxy: TcpProxy, shouter: Shouter, client: socket.socket) -> None:
    order = proxy.cut_at(COMMIT, Fault.CUT_BEFORE)
    with pytest.raises(CUT):
        ask(client, b"-" + COMMIT)
    wait_until(lambda: shouter.ended == 1)
    assert shouter.received == [b"hello-"]
    assert order.done == 1


def test_pattern_is_cut_in_its_middle(proxy: TcpProxy, shouter: Shouter, client: socket.socket) -> None:
    order = proxy.cut_at(COMMIT, Fault.CUT_BEFORE, pattern_bytes=3)
    with pytest.raises(CUT):
        ask(client, b"-" + COMMIT)
    wait_until(lambda: shouter.ended == 1)
    assert shouter.received == [b"hello-" + COMMIT[:3]]
    assert order.done == 1


def test_pattern_is_found_across_two_packets(proxy: TcpProxy, client: socket.socket) -> None:
    proxy.cut_at(COMMIT, Fault.CUT_BEFORE)
    assert ask(client, COMMIT[:3]) == COMMIT[:3].upper()
    with pytest.raises(CUT):
        ask(client, COMMIT[3:])


def test_pattern_delivered_and_its_answer_swallowed(proxy: TcpProxy, shouter: Shouter, client: socket.socket) -> None:
    order = proxy.cut_at(COMMIT, Fault.CUT_AFTER)
    with pytest.raises(CUT):
        ask(client, COMMIT)
    assert shouter.received == [b"hello" + COMMIT]
    assert order.done == 1


def test_pattern_delivered_and_its_answer_cut_at_the_byte(
    proxy: TcpProxy, shouter: Shouter, client: socket.socket
) -> None:
    order = proxy.cut_at(COMMIT, Fault.CUT_AFTER, answer_bytes=3)
    assert ask(client, COMMIT) == COMMIT[:3].upper()
    with pytest.raises(CUT):
        client.recv(1)
    assert shouter.received == [b"hello" + COMMIT]
    assert order.done == 1


def test_client_cut_while_the_server_keeps_its_connection(
    proxy: TcpProxy, shouter: Shouter, client: socket.socket
) -> None:
    proxy.cut_at(COMMIT, Fault.CUT_CLIENT)
    with pytest.raises(CUT):
        ask(client, COMMIT)
    with connect(proxy) as other:
        assert ask(other, b"x") == b"X"
        assert shouter.ended == 0
        assert proxy.connections == 2
    proxy.cut_now()
    wait_until(lambda: shouter.ended == 2)


def test_swallowed_direction_stays_silent_until_healed(proxy: TcpProxy, client: socket.socket) -> None:
    proxy.swallow(Direction.TO_CLIENT)
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        ask(client, b"lost")
    proxy.heal()
    client.settimeout(5)
    assert ask(client, b"heard") == b"HEARD"


def test_delay_holds_back_one_direction(proxy: TcpProxy, client: socket.socket) -> None:
    proxy.delay(Direction.TO_CLIENT, 0.2)
    began = time.monotonic()
    assert ask(client, b"slow") == b"SLOW"
    assert time.monotonic() - began >= 0.2


def test_share_of_the_connections_is_cut_before_the_answer(proxy: TcpProxy, shouter: Shouter) -> None:
    proxy.cut_share(Direction.TO_CLIENT, 0.5)
    lost = 0
    for _ in range(100):
        with connect(proxy) as client:
            try:
                assert ask(client, b"asked") == b"ASKED"
            except CUT:
                lost += 1
    assert 20 < lost < 80
    assert proxy.cut_by_chance == lost
    assert shouter.received == [b"asked"] * 100


def test_connection_that_is_cut_by_chance_has_not_asked(proxy: TcpProxy, shouter: Shouter) -> None:
    proxy.cut_share(Direction.TO_SERVER, 1)
    with connect(proxy) as client, pytest.raises(CUT):
        ask(client, b"asked")
    wait_until(lambda: shouter.ended == 1)
    assert shouter.received == [b""]
    proxy.heal()
    with connect(proxy) as client:
        assert ask(client, b"again") == b"AGAIN"


def test_each_connection_has_a_latency_of_its_own(proxy: TcpProxy) -> None:
    proxy.delay_between(Direction.TO_CLIENT, 0.1, 0.3)
    with connect(proxy) as client:
        took = [timed(client), timed(client)]
    assert all(0.1 <= seconds < 1 for seconds in took)
    proxy.delay_between(Direction.TO_CLIENT, 0, 0)
    with connect(proxy) as other:
        assert timed(other) < 0.1


def timed(client: socket.socket) -> float:
    began = time.monotonic()
    assert ask(client, b"slow") == b"SLOW"
    return time.monotonic() - began


def test_refused_until_healed_while_old_connections_go_on(proxy: TcpProxy, client: socket.socket) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    assert ask(client, b"still") == b"STILL"
    proxy.heal()
    with connect(proxy) as again:
        assert ask(again, b"back") == b"BACK"


def test_end_of_one_side_reaches_the_other(proxy: TcpProxy, shouter: Shouter, client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    wait_until(lambda: shouter.ended == 1 and proxy.connections == 0)


def test_nothing_behind_the_proxy_ends_the_connection(proxy: TcpProxy, shouter: Shouter) -> None:
    shouter.server_close()
    with connect(proxy) as client, pytest.raises(CUT):
        client.recv(1)
