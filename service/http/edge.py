"""The outermost layer: every request gets an id, is measured, and is answered even where everything else has failed.

Plain ASGI around the whole app, because a middleware of the framework would neither see what the router refuses nor
cost so little.
"""

import re
import time
from functools import lru_cache
from typing import Any, Final

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import Counter, Histogram

from service.http.message import send_answer
from service.http.parameters import exact_path
from service.http.refuse import refused
from service.ids import id_text, new_id
from service.metrics import REQUEST_SECONDS, REQUESTS

log = structlog.get_logger(__name__)

_SANE: Final = re.compile(rb"[A-Za-z0-9._~-]{1,128}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED: Final = "unmatched"


class Edge:
    """`app` with an id, a measurement and a last resort for each request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _request_id(scope)
        structlog.contextvars.bind_contextvars(request_id=request_id, client=_client(scope))
        scope.setdefault("state", {})["request_id"] = request_id
        raw_path = scope.get("raw_path") or b""
        if b"%" in raw_path or b"//" in raw_path:
            scope["path"] = exact_path(raw_path)
        id_line = (b"x-request-id", request_id.encode())
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], id_line]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            if status:
                raise  # half an answer is out: the server cuts the connection, and the client asks again
            await send_answer(refused(error, request_id), (), send_with_id)
        finally:
            _measure(scope, status, time.perf_counter() - began)


def _request_id(scope: Any) -> str:  # noqa: ANN401 - a scope of HTTP
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            if _SANE.fullmatch(value):
                return str(value, "ascii")
            break
    return id_text(new_id())


def _client(scope: Any) -> str | None:  # noqa: ANN401 - a scope of HTTP
    """The address that asks; behind a proxy that is believed (HOLDFAST_TRUSTED_PROXIES) the one that it names."""
    client = scope.get("client")
    return client[0] if client else None


def _measure(scope: Any, status: int, seconds: float) -> None:  # noqa: ANN401 - a scope of HTTP
    route = scope.get("path_template") or UNMATCHED
    method = scope["method"] if scope["method"] in _METHODS else "other"
    _requests(method, route, status).inc()
    _request_seconds(route).observe(seconds)
    log.debug("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2))


# Looking up a labelled child costs more than counting; there are as many as routes times statuses.
@lru_cache(maxsize=4096)
def _requests(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, status)


@lru_cache(maxsize=512)
def _request_seconds(route: str) -> Histogram:
    return REQUEST_SECONDS.labels(route)
