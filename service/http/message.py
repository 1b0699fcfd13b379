"""The bytes of an HTTP message, on both sides: header lines and body of a request, the answer to it.

Refuses what is too large or no JSON (413, 415) before anything looks at it.
"""

from functools import lru_cache
from typing import Final

import msgspec
from litestar.types import Receive, Scope, Send

from service.refusals import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

BODY_BYTES_MAX: Final = 10_000_000

Headers = dict[bytes, bytes]
"""Of a request: lower-case names, and of repeated lines the last one."""


class Answer(msgspec.Struct):
    """Status, body and header lines. The body is JSON unless a header says otherwise."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = []


def header_lines(scope: Scope, name: bytes) -> list[bytes]:
    """Every line of one header, in order."""
    return [value for line, value in scope["headers"] if line == name]


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The whole body, empty where there is none. Raises PayloadTooLarge, UnsupportedMediaType."""
    if len(length := headers.get(b"content-length", b"")) >= len(str(BODY_BYTES_MAX)):
        _refuse_above_limit(int(length))
    message = await receive()
    body: bytes = message.get("body", b"")  # type: ignore[assignment]
    if body:
        _require_json(headers)
    if message.get("more_body"):
        return await _read_on(body, headers, receive)
    if message["type"] == "http.disconnect":
        raise InvalidRequest(errors=[("$", "ended before its end")])
    return body


async def _read_on(begun: bytes, headers: Headers, receive: Receive) -> bytes:
    chunks, size, more = [begun], len(begun), True
    while more:
        _refuse_above_limit(size)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest(errors=[("$", "ended before its end")])
        chunk: bytes = message.get("body", b"")  # type: ignore[assignment]
        chunks.append(chunk)
        size += len(chunk)
        more = bool(message.get("more_body"))
    _refuse_above_limit(size)
    if size:
        _require_json(headers)
    return b"".join(chunks)


def _refuse_above_limit(size: int) -> None:
    if size > BODY_BYTES_MAX:
        raise PayloadTooLarge(limit_bytes=BODY_BYTES_MAX)


def _require_json(headers: Headers) -> None:
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if not _is_json(headers.get(b"content-type", b"")) or encoding != b"identity":
        raise UnsupportedMediaType


@lru_cache(maxsize=256)
def _is_json(content_type: bytes) -> bool:
    """`application/json`, in UTF-8 if it says in what. Names in any case, values in quotes (RFC 9110, 8.3.1)."""
    media_type, *parameters = (part.strip() for part in content_type.lower().split(b";"))
    if media_type != b"application/json":
        return False
    return all(part in {b"", b"charset=utf-8", b'charset="utf-8"'} for part in parameters)


_JSON_LINE: Final = (b"content-type", b"application/json")


async def send_answer(answer: Answer, more: tuple[tuple[bytes, bytes], ...], send: Send) -> None:
    """The answer with `more` header lines."""
    lines = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in answer.headers]
    if not any(name == b"content-type" for name, _ in lines):
        lines.append(_JSON_LINE)
    lines.append((b"content-length", b"%d" % len(answer.body)))
    lines.extend(more)
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
