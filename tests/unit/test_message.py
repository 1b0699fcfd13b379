"""Bodies of requests as they come over the wire: whole or in chunks, too long, of another type, cut off."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.http.message import BODY_BYTES_MAX, read_body
from service.refusals import InvalidRequest, PayloadTooLarge, UnsupportedMediaType

JSON = {b"content-type": b"application/json"}


def receiving(*messages: dict[str, Any]) -> Callable[[], Awaitable[Any]]:
    """What a server offers: each message once, in order; then the client has gone."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    return receive


def chunks(*bodies: bytes) -> Callable[[], Awaitable[Any]]:
    last = len(bodies) - 1
    return receiving(
        *({"type": "http.request", "body": body, "more_body": place < last} for place, body in enumerate(bodies))
    )


async def test_body_comes_whole_or_in_chunks() -> None:
    assert await read_body(JSON, chunks(b"{}")) == b"{}"
    assert await read_body(JSON, chunks(b"", b'{"a"', b"", b":1}")) == b'{"a":1}'


async def test_no_body_needs_no_content_type() -> None:
    assert await read_body({}, chunks(b"")) == b""
    assert await read_body({}, chunks(b"", b"")) == b""


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json; charset=utf-8",
        b'application/json;charset="UTF-8"',
        b"application/json ; charset=UTF-8",
        b"application/json;",
    ],
)
async def test_json_is_json_in_any_spelling(content_type: bytes) -> None:
    assert await read_body({b"content-type": content_type}, chunks(b"{}")) == b"{}"


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"text/plain",
        b"text/json",
        b"application/jsonp",
        b"application/problem+json",
        b"application/json; charset=latin-1",
        b"application/json; charset=utf-16",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
    ],
)
async def test_anything_else_is_unsupported(content_type: bytes) -> None:
    for receive in (chunks(b"{}"), chunks(b"", b"{}")):
        with pytest.raises(UnsupportedMediaType):
            await read_body({b"content-type": content_type}, receive)


async def test_compressed_body_is_unsupported() -> None:
    with pytest.raises(UnsupportedMediaType):
        await read_body({**JSON, b"content-encoding": b"gzip"}, chunks(b"{}"))
    assert await read_body({**JSON, b"content-encoding": b"identity"}, chunks(b"{}")) == b"{}"


async def test_announced_length_above_the_limit_is_refused_unread() -> None:
    for length in (BODY_BYTES_MAX + 1, 10**30):
        headers = {**JSON, b"content-length": b"%d" % length}
        with pytest.raises(PayloadTooLarge) as raised:
            await read_body(headers, receiving())
        assert raised.value.limit_bytes == BODY_BYTES_MAX


async def test_body_of_just_the_limit_is_taken() -> None:
    half = b" " * (BODY_BYTES_MAX // 2)
    headers = {**JSON, b"content-length": b"%d" % BODY_BYTES_MAX}
    assert len(await read_body(headers, chunks(half, half))) == BODY_BYTES_MAX


async def test_chunks_above_the_limit_are_refused_without_reading_on() -> None:
    megabyte = b" " * 1_000_000
    read = 0

    async def endless() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": megabyte, "more_body": True}

    with pytest.raises(PayloadTooLarge):
        await read_body(JSON, endless)  # type: ignore[arg-type]
    assert read == 11


async def test_body_that_is_cut_off_is_no_body() -> None:
    for receive in (
        receiving(),
        receiving({"type": "http.request", "body": b'{"a":', "more_body": True}),
    ):
        with pytest.raises(InvalidRequest):
            await read_body(JSON, receive)
