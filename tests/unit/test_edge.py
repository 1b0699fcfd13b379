"""The outermost layer: an id on every answer, a last resort behind every failure, browsers let in by origin alone."""

import re
from typing import Any

import pytest
from litestar.types import ASGIApp
from prometheus_client import REGISTRY

from service.http.cors import Cors
from service.http.edge import Edge

Json = dict[str, Any]


async def calm(scope: Any, _receive: Any, send: Any) -> None:
    scope["path_template"] = "/calm/{name}"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
    raise ZeroDivisionError("the secret of the inside")


async def broken_half_way(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ZeroDivisionError


async def ask(app: ASGIApp, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request to an ASGI application."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Json = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": lines,
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    start, *bodies = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], answered, b"".join(message["body"] for message in bodies)


async def test_caller_finds_its_own_id_on_the_answer() -> None:
    _, headers, _ = await ask(Edge(calm), x_request_id="order-9001~a.b_c")
    assert headers["x-request-id"] == "order-9001~a.b_c"
    assert headers["content-type"] == "text/plain"


@pytest.mark.parametrize("insane", ["", "a b", "a" * 129, "naïve", "<b>", "a\x00", '"a"'])
async def test_insane_id_is_replaced_by_a_fresh_one(insane: str) -> None:
    _, headers, _ = await ask(Edge(calm), x_request_id=insane)
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-request-id"])


async def test_each_request_gets_an_id_of_its_own() -> None:
    ids = {(await ask(Edge(calm)))[1]["x-request-id"] for _ in range(50)}
    assert len(ids) == 50


async def test_what_nothing_caught_is_a_problem_that_tells_nothing() -> None:
    status, headers, body = await ask(Edge(broken), x_request_id="r-1")
    assert (status, headers["content-type"], headers["x-request-id"]) == (500, "application/problem+json", "r-1")
    assert b'"/problems/internal"' in body
    assert b'"r-1"' in body
    assert b"secret" not in body


async def test_half_an_answer_is_cut_off_and_not_continued() -> None:
    with pytest.raises(ZeroDivisionError):
        await ask(Edge(broken_half_way))


async def test_requests_are_counted_by_route_not_by_path() -> None:
    facts = {"method": "GET", "route": "/calm/{name}", "status": "200"}
    before = REGISTRY.get_sample_value("holdfast_requests_total", facts) or 0
    await ask(Edge(calm), "/calm/1")
    await ask(Edge(calm), "/calm/2")
    assert REGISTRY.get_sample_value("holdfast_requests_total", facts) == before + 2


async def test_method_that_nobody_knows_adds_no_label_of_its_own() -> None:
    await ask(Edge(calm), method="FROBNICATE")
    assert REGISTRY.get_sample_value(
        "holdfast_requests_total", {"method": "other", "route": "/calm/{name}", "status": "200"}
    )
    assert not REGISTRY.get_sample_value(
        "holdfast_requests_total", {"method": "FROBNICATE", "route": "/calm/{name}", "status": "200"}
    )


async def test_encoded_slash_stays_in_its_part_of_the_path() -> None:
    assert (await ask(Edge(calm), "/v1/events/a%2Fb"))[2] == b"/v1/events/a%2Fb"


ORIGIN = "https://shop.example"


async def test_named_origin_may_read_answers_and_their_headers() -> None:
    _, headers, _ = await ask(Cors(calm, [ORIGIN]), origin=ORIGIN)
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["vary"] == "Origin"
    assert {"ETag", "Location", "Idempotent-Replayed", "Retry-After", "X-Request-Id"} <= set(
        headers["access-control-expose-headers"].split(", ")
    )


@pytest.mark.parametrize("origin", ["https://shop.example.evil", "http://shop.example", "null", "https://SHOP.example"])
async def test_other_origin_may_not(origin: str) -> None:
    _, headers, _ = await ask(Cors(calm, [ORIGIN]), origin=origin)
    assert "access-control-allow-origin" not in headers
    assert headers["vary"] == "Origin"


async def test_preflight_of_a_named_origin_is_answered_at_once() -> None:
    status, headers, body = await ask(
        Cors(broken, [ORIGIN]), method="OPTIONS", origin=ORIGIN, access_control_request_method="PUT"
    )
    assert (status, body) == (204, b"")
    assert "PUT" in headers["access-control-allow-methods"]
    assert {"Authorization", "Idempotency-Key", "If-Match"} <= set(headers["access-control-allow-headers"].split(", "))


async def test_preflight_of_another_origin_allows_nothing() -> None:
    status, headers, _ = await ask(
        Cors(broken, [ORIGIN]), method="OPTIONS", origin="https://evil.example", access_control_request_method="PUT"
    )
    assert status == 204
    assert not any(name.startswith("access-control") for name in headers)


async def test_star_lets_every_origin_in() -> None:
    _, headers, _ = await ask(Cors(calm, ["*"]), origin="https://any.example")
    assert headers["access-control-allow-origin"] == "*"
