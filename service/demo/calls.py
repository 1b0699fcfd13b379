"""HTTP over sockets of the demonstration's own: one connection a request, which may be cut at a chosen place.

A usual client hides its connections; here they must break in the middle of a request, before the answer and within it.
An answer counts only if all of it has arrived: anything less is a lost connection, never an answer.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum
from typing import Final

import msgspec

HOST: Final = "127.0.0.1"
ANSWER_SECONDS: Final = 30.0
STATUS_LINE_BYTES: Final = len("HTTP/1.1 201")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ConnectionLost(Exception):
    """No answer, or not all of it. The request may have been carried out or not."""


class Cut(Enum):
    """Where the client's connection breaks."""

    IN_REQUEST = "in the request"
    BEFORE_ANSWER = "before the answer"
    IN_ANSWER = "in the answer"


class Request(msgspec.Struct, frozen=True):
    """What is sent; again under the same `key` it is the same operation."""

    method: str
    path: str
    body: bytes = b""
    key: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a client has been told. `replayed` is None where the service says nothing of it."""

    status: int
    body: bytes
    replayed: bool | None = None
    etag: str | None = None
    location: str | None = None

    @property
    def is_success(self) -> bool:
        return self.status < 300  # noqa: PLR2004 - where HTTP's successes end


class Tally(msgspec.Struct):
    """What went over the wires."""

    requests: int = 0
    cut: int = 0
    answers: int = 0
    replays: int = 0


class Caller:
    """Calls the service at `port` with one API key, over at most `connections_max` connections at once."""

    def __init__(self, port: int, api_key: str, connections_max: int) -> None:
        self.tally = Tally()
        self.on_answer: Callable[[Tally], None] | None = None
        self._port = port
        self._api_key = api_key
        self._free = asyncio.Semaphore(connections_max)

    async def send(self, request: Request) -> Answer:
        """The whole answer. Raises ConnectionLost."""
        async with self._connection() as (reader, writer):
            self.tally.requests += 1
            writer.write(self._text(request))
            answer = _parse(await reader.read(-1))
        self.tally.answers += 1
        self.tally.replays += answer.replayed is True
        if self.on_answer is not None:
            self.on_answer(self.tally)
        return answer

    async def send_and_cut(self, request: Request, where: Cut) -> None:
        """Send the request, or some of it, and never read the answer."""
        async with self._connection() as (reader, writer):
            self.tally.requests += 1
            self.tally.cut += 1
            text = self._text(request)
            writer.write(text[: len(text) - len(request.body) // 2] if where is Cut.IN_REQUEST else text)
            await writer.drain()
            if where is Cut.IN_ANSWER:
                await reader.read(STATUS_LINE_BYTES)
            _reset_at_close(writer)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Streams]:
        async with self._free:
            writer: asyncio.StreamWriter | None = None
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    reader, writer = await asyncio.open_connection(HOST, self._port)
                    yield reader, writer
            except (OSError, TimeoutError) as error:
                raise ConnectionLost(str(error) or type(error).__name__) from error
            finally:
                if writer is not None:
                    writer.transport.abort()

    def _text(self, request: Request) -> bytes:
        lines = [
            f"{request.method} {request.path} HTTP/1.1",
            f"Host: {HOST}:{self._port}",
            f"Authorization: Bearer {self._api_key}",
            "Connection: close",
        ]
        if request.key is not None:
            lines.append(f"Idempotency-Key: {request.key}")
        if request.body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(request.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + request.body


def _reset_at_close(writer: asyncio.StreamWriter) -> None:
    """The other side is to see a broken connection, not a polite end."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _parse(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("content-length") != str(len(body)):
        raise ConnectionLost("the answer is not whole")
    replayed = headers.get("idempotent-replayed")
    return Answer(
        status=int(status_line.split()[1]),
        body=body,
        replayed=None if replayed is None else replayed == "true",
        etag=headers.get("etag"),
        location=headers.get("location"),
    )
