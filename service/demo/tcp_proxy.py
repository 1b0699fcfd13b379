"""A small TCP proxy that breaks connections on command, between any client and any server of this machine.

The demonstration of the phone stands behind it, and so do the fault tests.

It passes bytes on unless told otherwise: cut at a byte, cut before or after the bytes of a pattern (a COMMIT, a status
line), cut a share of all connections, delay or swallow one direction, refuse new connections, cut everything now.
`heal` takes everything back that is not done yet. A cut is a reset, so that the other end learns of it at once. Orders
to cut are counted, so that who ordered can see that it really happened, and are carried out once unless told
otherwise, so that a retry gets through.

Patterns are looked for in what crosses the wire, so the connection must not be encrypted.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Final, Self, TypeVar

from service.demo.calls import HOST
from service.demo.ports import free_port

T = TypeVar("T")

CHUNK_BYTES: Final = 65_536
CALL_TIMEOUT_S: Final = 10.0
COMMIT: Final = b"\x03COMMIT"  # the MySQL protocol's packet, without its header: COM_QUERY and the statement


class Direction(Enum):
    """Which way bytes go."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"

    @property
    def opposite(self) -> "Direction":
        return Direction.TO_CLIENT if self is Direction.TO_SERVER else Direction.TO_SERVER


class Fault(Enum):
    """What happens to a connection in which the ordered place is reached."""

    CUT_BEFORE = "nothing from there on is delivered, and both sides are cut"
    CUT_AFTER = "it is delivered, of the answer no more than was ordered, and both sides are cut"
    CUT_CLIENT = "nothing from there on is delivered; the client is cut, the server keeps an idle connection"


@dataclass(eq=False)
class Order:
    """A place in the stream and what to do there: the first occurrence of `pattern`, or after `skip` bytes.

    Before the cut `pattern_bytes` of the pattern are delivered, by CUT_AFTER `answer_bytes` of the answer.
    """

    direction: Direction
    fault: Fault
    times: int
    pattern: bytes = b""
    skip: int = 0
    pattern_bytes: int = 0
    answer_bytes: int = 0
    done: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def happened(self) -> None:
        """It was carried out once more."""
        with self._changed:
            self.done += 1
            self._changed.notify_all()

    def wait_until_done(self, timeout: float = 10.0, times: int | None = None) -> None:
        """Returns when the fault has happened so often, or as often as was ordered. Raises TimeoutError."""
        wanted = self.times if times is None else times
        with self._changed:
            if not self._changed.wait_for(lambda: self.done >= wanted, timeout):
                raise TimeoutError(f"not within {timeout:g} s: {self.done} of {wanted}: {self}")


def _reset(transport: asyncio.WriteTransport) -> None:
    if not transport.is_closing():
        # Lingering for 0 seconds makes the close a reset.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


@dataclass(eq=False)
class _Connection:
    """One client's connection and the one to the server that was opened for it."""

    writers: dict[Direction, asyncio.StreamWriter]
    passed: dict[Order, int] = field(default_factory=dict)
    tail: dict[Order, bytes] = field(default_factory=dict)
    doomed: frozenset[Direction] = frozenset()
    latency_s: dict[Direction, float] = field(default_factory=dict)
    cut_at_answer: Order | None = None
    client_is_cut: bool = False

    def cut(self, *sides: Direction) -> None:
        for side in sides or tuple(Direction):
            _reset(self.writers[side].transport)

    def place(self, order: Order, data: bytes) -> int | None:
        """Offset in `data`, just read, of the order's place; None: not reached yet. To be asked once a chunk."""
        if not order.pattern:
            passed = self.passed.get(order, 0)
            self.passed[order] = passed + len(data)
            return order.skip - passed if passed + len(data) > order.skip else None
        tail = self.tail.get(order, b"")
        found = (tail + data).find(order.pattern)
        self.tail[order] = (tail + data)[-(len(order.pattern) - 1) :] if len(order.pattern) > 1 else b""
        return None if found < 0 else max(0, found - len(tail) + order.pattern_bytes)


class TcpProxy:
    """A port in front of `host:port`. A context manager; every method may be called from any thread.

    Orders hold for the connections there are and for new ones.
    """

    def __init__(self, port: int, host: str = HOST) -> None:
        self._upstream = (host, port)
        self.host = HOST
        self.port = free_port()
        self._swallow: set[Direction] = set()
        self._delay_s: dict[Direction, float] = {}
        self._shares_cut: dict[Direction, float] = {}
        self._latencies_s: dict[Direction, tuple[float, float]] = {}
        self.cut_by_chance = 0
        self._orders: list[Order] = []
        self._connections: set[_Connection] = set()
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="tcp-proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def cut_at_byte(self, direction: Direction, skip: int = 0, times: int = 1) -> Order:
        """Delivers `skip` more bytes of a connection in that direction, and cuts it in place of the next one."""
        return self._order(Order(direction, Fault.CUT_BEFORE, times, skip=skip))

    def cut_at(
        self,
        pattern: bytes,
        fault: Fault,
        direction: Direction = Direction.TO_SERVER,
        times: int = 1,
        pattern_bytes: int = 0,
        answer_bytes: int = 0,
    ) -> Order:
        """Does what `fault` says where `pattern` goes by."""
        if not pattern:
            raise ValueError("an empty pattern is everywhere")
        order = Order(direction, fault, times, pattern, pattern_bytes=pattern_bytes, answer_bytes=answer_bytes)
        return self._order(order)

    def cut_now(self) -> None:
        """Cuts every connection."""
        self._call(self._cut_all)

    def delay(self, direction: Direction, seconds: float) -> None:
        """What goes in that direction arrives so much later."""
        self._call(lambda: self._delay_s.update({direction: seconds}))

    def delay_between(self, direction: Direction, least_s: float, most_s: float) -> None:
        """Each new connection has a latency of its own in that direction, drawn from this range."""
        self._call(lambda: self._latencies_s.update({direction: (least_s, most_s)}))

    def cut_share(self, direction: Direction, share: float) -> None:
        """Of new connections this share (0 to 1) is cut in place of the first byte that would go in that direction.

        To the client that is: the server has the whole request, and its answer is lost. `cut_by_chance` counts them.
        """
        self._call(lambda: self._shares_cut.update({direction: share}))

    def swallow(self, direction: Direction) -> None:
        """What goes in that direction vanishes, and the connection stays."""
        self._call(lambda: self._swallow.add(direction))

    def refuse(self) -> None:
        """Nobody listens any more; connections that exist go on."""
        self._run(self._stop_listening())

    def listen(self) -> None:
        """The end of `refuse`; orders stay."""
        self._run(self._listen())

    def heal(self) -> None:
        """Listens and passes everything on again. What was swallowed is lost."""
        self._call(self._forget_orders)
        self._run(self._listen())

    def _order(self, order: Order) -> Order:
        self._call(lambda: self._orders.append(order))
        return order

    def _cut_all(self) -> None:
        for connection in list(self._connections):
            connection.cut()

    def _forget_orders(self) -> None:
        self._orders.clear()
        self._swallow.clear()
        self._delay_s.clear()
        self._shares_cut.clear()
        self._latencies_s.clear()

    def _run(self, work: Coroutine[object, object, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(timeout=CALL_TIMEOUT_S)

    def _call(self, change: Callable[[], object]) -> None:
        async def apply() -> None:
            change()

        self._run(apply())

    async def _listen(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._serve, HOST, self.port)

    async def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def _close(self) -> None:
        await self._stop_listening()
        self._cut_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            _reset(writer.transport)
            return
        connection = self._connected({Direction.TO_SERVER: server_writer, Direction.TO_CLIENT: writer})
        self._connections.add(connection)
        try:
            await asyncio.gather(
                self._pump(connection, Direction.TO_SERVER, reader),
                self._pump(connection, Direction.TO_CLIENT, server_reader),
            )
        finally:
            self._connections.discard(connection)
            writer.close()
            server_writer.close()

    def _connected(self, writers: dict[Direction, asyncio.StreamWriter]) -> _Connection:
        return _Connection(
            writers,
            doomed=frozenset(way for way, share in self._shares_cut.items() if random.random() < share),  # noqa: S311 - chance
            latency_s={way: random.uniform(*between) for way, between in self._latencies_s.items()},  # noqa: S311
        )

    async def _pump(self, connection: _Connection, direction: Direction, reader: asyncio.StreamReader) -> None:
        writer = connection.writers[direction]
        try:
            while data := await reader.read(CHUNK_BYTES):
                delay_s = self._delay_s.get(direction, 0) + connection.latency_s.get(direction, 0)
                if delay_s:
                    await asyncio.sleep(delay_s)
                await self._pass_on(connection, direction, data)
            if not connection.client_is_cut and not writer.is_closing():
                writer.write_eof()
        except OSError:
            # One end is gone; the other one shall know, unless it was ordered that it shall not.
            if not connection.client_is_cut:
                connection.cut()

    async def _pass_on(self, connection: _Connection, direction: Direction, data: bytes) -> None:
        writer = connection.writers[direction]
        if direction in connection.doomed:
            self.cut_by_chance += 1
            connection.cut()
            return
        answered = connection.cut_at_answer
        if answered is not None and answered.direction is not direction:
            answered.happened()
            if answered.answer_bytes:
                # Sent before the reset: the other end may still read it, or lose it with the reset, as on a real line.
                writer.write(data[: answered.answer_bytes])
                await writer.drain()
            connection.cut()
            return
        order, offset = self._first_reached(connection, direction, data)
        if order is None or order.fault is Fault.CUT_AFTER:
            connection.cut_at_answer = order or connection.cut_at_answer
            if direction not in self._swallow:
                writer.write(data)
                await writer.drain()
            return
        writer.write(data[:offset])
        await writer.drain()
        order.happened()
        connection.client_is_cut = order.fault is Fault.CUT_CLIENT
        connection.cut(*([Direction.TO_CLIENT] if connection.client_is_cut else []))

    def _first_reached(self, connection: _Connection, direction: Direction, data: bytes) -> tuple[Order | None, int]:
        """The order to carry out in this chunk, and the offset of its place."""
        reached: list[tuple[int, Order]] = []
        for order in self._orders:
            if order.direction is direction and order.done < order.times:
                place = connection.place(order, data)
                if place is not None:
                    reached.append((place, order))
        if not reached:
            return None, 0
        offset, order = min(reached, key=lambda item: item[0])
        return order, offset
