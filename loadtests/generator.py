"""The load generator: streams of requests over many connections, closed (as fast as answered) or at a fixed rate.

A process of its own, so that its work is not counted as the server's; raw sockets, since an HTTP client would cost more
than the server that it measures. Reads a Plan from standard input, writes an Outcome to standard output, both as JSON.

Of an open stream each request has a time at which it is due, and its latency counts from then on, whether or not a
connection was free to send it: a server that stalls cannot hide it by keeping the client from asking.
"""

import asyncio
import math
import resource
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import cast

import msgspec
import uvloop

TIMEOUT_S = 300
REFERENCE_AT = len('{"reference":"')
REFERENCE_BYTES = 11
TICK_S = 0.001


class Request(msgspec.Struct, frozen=True):
    """One request; the head is completed with host, key and length."""

    method: str
    path: str
    body: str = ""
    idempotency_key: str = ""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that belong together. With `rate` (requests/s) it is open, else closed.

    `repeat` sends the list again and again until the first stream of the plan is done.
    """

    requests: list[Request]
    connections: int
    rate: float | None = None
    repeat: bool = False
    keep_references: bool = False


class Plan(msgspec.Struct, frozen=True):
    """Whom to ask: connections are spread over the ports, one process each. The first stream's end is the run's end."""

    host: str
    ports: list[int]
    api_key: str
    streams: list[Stream]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Of one stream: seconds from its start to its last answer, answers by status, latencies in ms."""

    seconds: float
    statuses: dict[str, int]
    median_ms: float
    p99_ms: float
    max_ms: float
    references: list[str] = []

    @property
    def count(self) -> int:
        return sum(self.statuses.values())

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


class Outcome(msgspec.Struct, frozen=True):
    """A Result for each stream, and the processor time of the generator itself."""

    results: list[Result]
    cpu_seconds: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The least of the sorted values that at least `share` (0 to 1) of them do not exceed; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def due_after(number: int, rate: float) -> float:
    """Seconds from the start at which the request of this number (from 0) is due: evenly spread."""
    return number / rate


class Connection(asyncio.Protocol):
    """One request at a time; `free` tells its stream that the next one may be sent."""

    def __init__(self, stream: "Running") -> None:
        self._stream = stream
        self._received = bytearray()
        self._since = 0.0
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class, of the same methods

    def send(self, request: bytes, since: float) -> None:
        self._since = since
        self._busy = True
        cast("asyncio.Transport", self._transport).write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        at = head.index(b"content-length:") + len(b"content-length:")
        length = int(head[at : head.find(b"\r\n", at) if b"\r\n" in head[at:] else None])
        body = end + 4
        if len(self._received) < body + length:
            return
        self._busy = False
        start = body + REFERENCE_AT
        reference = bytes(self._received[start : start + REFERENCE_BYTES]) if self._stream.keeps_references else b""
        del self._received[: body + length]
        self._stream.answered(self, head[9:12].decode(), time.perf_counter() - self._since, reference)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._busy:
            self._stream.failed()

    def close(self) -> None:
        cast("asyncio.Transport", self._transport).close()


class Running:
    """One stream while it runs."""

    def __init__(self, stream: Stream, plan: Plan) -> None:
        self._stream = stream
        self._plan = plan
        self._queue = deque(_bytes_of(request, plan) for request in stream.requests)
        self._free: list[Connection] = []
        self._connections: list[Connection] = []
        self._due: deque[float] = deque()
        self._statuses: Counter[str] = Counter()
        self._latencies: list[float] = []
        self._references: list[str] = []
        self._running = 0
        self._ended_at = 0.0
        self._stopped = False
        self.keeps_references = stream.keep_references
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for number in range(self._stream.connections):
            port = self._plan.ports[number % len(self._plan.ports)]
            _, connection = await loop.create_connection(lambda: Connection(self), self._plan.host, port)
            self._connections.append(connection)
        self._free = list(self._connections)

    def start(self) -> None:
        self._started_at = time.perf_counter()
        if self._stream.rate is not None:
            self._pacing = asyncio.ensure_future(self._pace(self._stream.rate))
            return
        while self._free and self._queue:
            self._send(self._free.pop(), time.perf_counter())

    async def _pace(self, rate: float) -> None:
        """Make due what is due, every millisecond or so; a due request waits for the next free connection."""
        sent = 0
        while not self._stopped and (self._stream.repeat or sent < len(self._stream.requests)):
            due = self._started_at + due_after(sent, rate)
            now = time.perf_counter()
            if due > now:
                await asyncio.sleep(max(TICK_S, due - now))
                continue
            sent += 1
            self._due.append(due)
            if self._free:
                self._send(self._free.pop(), self._due.popleft())

    def _send(self, connection: Connection, since: float) -> None:
        request = self._queue.popleft()
        if self._stream.repeat:
            self._queue.append(request)
        self._running += 1
        connection.send(request, since)

    def answered(self, connection: Connection, status: str, latency: float, reference: bytes) -> None:
        self._running -= 1
        self._statuses[status] += 1
        self._latencies.append(latency)
        if reference:
            self._references.append(reference.decode())
        if self._stopped:
            self._free.append(connection)
        elif self._stream.rate is None and self._queue:
            self._send(connection, time.perf_counter())
            return
        elif self._due:
            self._send(connection, self._due.popleft())
            return
        else:
            self._free.append(connection)
        if not self._running and (self._stopped or not self._queue):
            self._end()

    def _end(self) -> None:
        self._ended_at = time.perf_counter()
        if not self.done.done():
            self.done.set_result(None)

    def stop(self) -> None:
        """Send no more; what runs is still answered."""
        self._stopped = True
        if not self._running:
            self._end()

    def failed(self) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed a connection in the middle of the load"))

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def result(self) -> Result:
        ordered = sorted(self._latencies)
        return Result(
            seconds=self._ended_at - self._started_at,
            statuses=dict(self._statuses),
            median_ms=1000 * percentile(ordered, 0.5),
            p99_ms=1000 * percentile(ordered, 0.99),
            max_ms=1000 * percentile(ordered, 1),
            references=self._references,
        )


async def run_plan(plan: Plan) -> Outcome:
    """Start all streams at once; when the first one is done the others are stopped."""
    streams = [Running(stream, plan) for stream in plan.streams]
    for running in streams:
        await running.connect()
    before = _cpu_seconds()
    for running in streams:
        running.start()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await streams[0].done
            for running in streams[1:]:
                running.stop()
                await running.done
    finally:
        for running in streams:
            running.close()
        await asyncio.sleep(0)  # connections are closed in the loop's next round
    used = _cpu_seconds() - before
    return Outcome([running.result() for running in streams], used)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _bytes_of(request: Request, plan: Plan) -> bytes:
    body = request.body.encode()
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        f"Host: {plan.host}:{plan.ports[0]}",
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
    sys.stdout.buffer.write(msgspec.json.encode(await run_plan(plan)))


if __name__ == "__main__":
    uvloop.run(_main())
