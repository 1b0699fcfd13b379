"""Answers that are not the service's: of proxies, login pages and broken servers. None is ever taken for an answer."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.client import (
    AsyncHoldfast,
    Attempt,
    Holdfast,
    HoldfastError,
    Outbox,
    Policy,
    Problem,
    Unreached,
    calls,
    stock,
)
from service.client.problems import UnknownProblem
from tests.faults.scripted import Answer, scripted

API_KEY = "hf_0123456789_nobody"
TWICE = Policy(deadline_s=20, attempt_s=5, pause_s=0.01, attempts_max=2)
DRIP_S = 0.02
ME = b'{"account": "acme", "key_name": "till", "scopes": []}'


def http(status: str, body: bytes, *headers: str, length: int | None = None) -> bytes:
    """A whole answer, unless its `length` says otherwise."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


HTML = "Content-Type: text/html"
JSON = "Content-Type: application/json"
PROBLEM = "Content-Type: application/problem+json"
PAGE = b"<!doctype html><h1>Welcome to our hotel</h1>"
FIRST = "Idempotent-Replayed: false"

# What is not tried again: whole answers that say they are none of a fault.
TAKEN = {
    "login page": http("200 OK", PAGE, HTML),
    "redirect to a login page": http("302 Found", b"", "Location: http://hotel.example/login"),
    "nothing at all": http("204 No Content", b""),
    "JSON of something else": http("200 OK", b'{"ok": true}', JSON),
    "truncated JSON": http("201 Created", b'{"reference": "K7QX2', JSON, FIRST),
    "no UTF-8": http("201 Created", b'{"reference": "\xff"}', JSON),
    "no end of brackets": http("200 OK", b"[" * 100_000, JSON, FIRST),
    "problem in no UTF-8": http("409 Conflict", b'{"type": "\xff"}', PROBLEM),
    "a proxy's own 403": http("403 Forbidden", PAGE, HTML),
    "a proxy's own 404": http("404 Not Found", PAGE, HTML),
    "a proxy's own 413": http("413 Content Too Large", PAGE, HTML),
    "problem of something else": http("409 Conflict", b'{"type": "about:blank", "title": "Conflict"}', PROBLEM),
    "truncated problem": http("409 Conflict", b'{"type": "/problems/state-conf', PROBLEM),
}
# What is: answers that say so, and what is no answer.
TRIED_AGAIN = {
    "a proxy's own 502": http("502 Bad Gateway", PAGE, HTML),
    "a proxy's own 504": http("504 Gateway Timeout", PAGE, HTML),
    "a proxy's own 429": http("429 Too Many Requests", b"", "Retry-After: 0"),
    "less than was announced": http("201 Created", b'{"reference": "K7QX2', JSON, length=500),
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "no bytes": b"",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "broken compression": http("200 OK", b"no gzip", JSON, "Content-Encoding: gzip"),
    "endless headers": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
}
LOST = frozenset(TRIED_AGAIN) - {"a proxy's own 502", "a proxy's own 504", "a proxy's own 429"}


def answering(answer: bytes, but_me: bytes | None = None) -> Answer:
    def pieces(head: bytes) -> Iterator[bytes]:
        yield but_me if but_me is not None and b"/v1/me" in head else answer

    return pieces


async def outcome(kind: type[Holdfast | AsyncHoldfast], url: str, attempts: list[Attempt]) -> HoldfastError:
    call = calls.hold(stock("NW-001"), key="k-1")
    if kind is Holdfast:
        with (
            Holdfast(url, API_KEY, policy=TWICE, on_attempt=attempts.append) as one,
            pytest.raises(HoldfastError) as got,
        ):
            one.send(call)
        return got.value
    async with AsyncHoldfast(url, API_KEY, policy=TWICE, on_attempt=attempts.append) as other:
        with pytest.raises(HoldfastError) as got:
            await other.send(call)
    return got.value


@pytest.mark.parametrize("kind", [Holdfast, AsyncHoldfast])
@pytest.mark.parametrize("name", [*TAKEN, *TRIED_AGAIN])
async def test_garbage_is_a_problem_or_no_answer_and_never_a_reservation(
    kind: type[Holdfast | AsyncHoldfast], name: str
) -> None:
    attempts: list[Attempt] = []
    with scripted(answering(TAKEN.get(name) or TRIED_AGAIN.get(name, b""))) as server:
        error = await outcome(kind, server.url, attempts)
    assert error.key == "k-1"
    assert str(error)
    assert type(error) is (Unreached if name in LOST else UnknownProblem)
    assert len(attempts) == (2 if name in TRIED_AGAIN else 1)
    if isinstance(error, Problem):
        assert error.reply.status == error.status


@pytest.mark.parametrize("name", [*TAKEN, *TRIED_AGAIN])
def test_garbage_stops_the_outbox_and_everything_is_kept(name: str, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "box")
    keys = [outbox.add(calls.hold(stock("NW-001"))) for _ in range(2)]
    garbage = TAKEN.get(name) or TRIED_AGAIN.get(name, b"")
    me = http("200 OK", ME, JSON)
    with (
        scripted(answering(garbage, but_me=me)) as server,
        Holdfast(server.url, API_KEY, policy=TWICE) as client,
        pytest.raises(HoldfastError) as raised,
    ):
        outbox.send(client)
    assert raised.value.key == keys[0]
    assert [(entry.key, entry.state) for entry in outbox.entries()] == [(key, "waiting") for key in keys]


@pytest.mark.parametrize("part", ["headers", "body"])
@pytest.mark.parametrize("kind", [Holdfast, AsyncHoldfast])
async def test_answer_that_drips_in_byte_by_byte_is_over_with_the_deadline(
    kind: type[Holdfast | AsyncHoldfast], part: str
) -> None:
    whole = http("200 OK", ME + b" " * 10_000, JSON)
    start = 0 if part == "headers" else whole.index(b"\r\n\r\n") + 4

    def drip(_head: bytes) -> Iterator[bytes]:
        yield whole[:start]
        yield from (whole[at : at + 1] for at in range(start, len(whole)))

    policy = Policy(deadline_s=0.6, attempt_s=0.3, pause_s=0.01)
    with scripted(drip, pause_s=DRIP_S) as server:
        began = time.monotonic()
        if kind is Holdfast:
            with Holdfast(server.url, API_KEY, policy=policy) as one, pytest.raises(Unreached):
                one.me()
        else:
            async with AsyncHoldfast(server.url, API_KEY, policy=policy) as other:
                with pytest.raises(Unreached):
                    await other.me()
        assert time.monotonic() - began < 5, "the whole answer would take minutes"
        assert len(server.heads) >= 2, "it was given up and tried again"


@pytest.mark.parametrize("kind", [Holdfast, AsyncHoldfast])
async def test_connection_that_the_server_closes_after_each_answer_is_made_anew(
    kind: type[Holdfast | AsyncHoldfast],
) -> None:
    with scripted(answering(http("200 OK", ME, JSON))) as server:
        if kind is Holdfast:
            with Holdfast(server.url, API_KEY, policy=TWICE) as one:
                assert [one.me().account for _ in range(5)] == ["acme"] * 5
        else:
            async with AsyncHoldfast(server.url, API_KEY, policy=TWICE) as other:
                assert [(await other.me()).account for _ in range(5)] == ["acme"] * 5
