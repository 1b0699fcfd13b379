"""The load generator: a fixed list of requests over a fixed number of connections, as fast as they are answered.

A process of its own, so that its work is not counted as the server's; raw sockets, since an HTTP client would cost more
than the server that it measures. Reads a plan from standard input, writes a result to standard output, both as JSON.
"""

import asyncio
import sys
import time
from collections import Counter
from typing import cast

import msgspec
import uvloop

TIMEOUT_S = 120


class Request(msgspec.Struct, frozen=True):
    """One request; the head is completed with host, key and length."""

    method: str
    path: str
    body: str = ""
    idempotency_key: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What to send, and how many connections send at once."""

    host: str
    port: int
    api_key: str
    connections: int
    requests: list[Request]


class Result(msgspec.Struct, frozen=True):
    """Seconds from the first byte sent to the last one received, answers by status, and latencies in ms."""

    seconds: float
    statuses: dict[str, int]
    median_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return sum(self.statuses.values()) / self.seconds


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered."""

    def __init__(self, queue: list[bytes], load: "Load") -> None:
        self._queue = queue
        self._load = load
        self._received = bytearray()
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class, of the same methods

    def send_next(self) -> None:
        if self._transport is None:
            return
        if not self._queue:
            self._transport.close()
            self._load.one_done()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._queue.pop())

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        at = head.index(b"content-length:") + len(b"content-length:")
        length = int(head[at : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None])
        if len(self._received) < end + 4 + length:
            return
        self._load.answered(head[9:12].decode(), time.perf_counter() - self._sent_at)
        del self._received[: end + 4 + length]
        self.send_next()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._received or self._queue:
            self._load.failed()


class Load:
    """One run of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._statuses: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._open = plan.connections
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> Result:
        queue = [_bytes_of(request, self._plan) for request in reversed(self._plan.requests)]
        loop = asyncio.get_running_loop()
        connections = []
        for _ in range(self._plan.connections):
            _, connection = await loop.create_connection(
                lambda: Connection(queue, self), self._plan.host, self._plan.port
            )
            connections.append(connection)
        started = time.perf_counter()
        for connection in connections:
            connection.send_next()
        async with asyncio.timeout(TIMEOUT_S):
            await self._done
        seconds = time.perf_counter() - started
        ordered = sorted(self._latencies)
        return Result(
            seconds=seconds,
            statuses=dict(self._statuses),
            median_ms=1000 * ordered[len(ordered) // 2],
            p99_ms=1000 * ordered[int(len(ordered) * 0.99)],
        )

    def answered(self, status: str, latency: float) -> None:
        self._statuses[status] += 1
        self._latencies.append(latency)

    def one_done(self) -> None:
        self._open -= 1
        if not self._open and not self._done.done():
            self._done.set_result(None)

    def failed(self) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError("the server closed a connection in the middle of the load"))


def _bytes_of(request: Request, plan: Plan) -> bytes:
    body = request.body.encode()
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        f"Host: {plan.host}:{plan.port}",
        f"Authorization: Bearer {plan.api_key}",
        f"Content-Length: {len(body)}",
    ]
    if body:
        lines.append("Content-Type: application/json")
    if request.idempotency_key:
        lines.append(f"Idempotency-Key: {request.idempotency_key}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _main() -> None:
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(await Load(plan).run()))


if __name__ == "__main__":
    uvloop.run(_main())
