"""Cross-origin requests of browsers, from the origins that the settings name (the Fetch standard, "CORS protocol").

Plain ASGI, in place only where an origin is set. An origin that is not named gets no headers: its browser refuses then.
"""

from collections.abc import Sequence
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_ALLOW_HEADERS: Final = b"Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-Id"
_ALLOW_METHODS: Final = b"GET, POST, PUT, PATCH, DELETE"
_EXPOSE_HEADERS: Final = (
    b"ETag, Idempotency-Expires, Idempotent-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
)
_MAX_AGE_SECONDS: Final = b"600"


class Cors:
    """`app`, open to browsers from `origins`; the origin `*` stands for all."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        lines = self._lines(origin)
        if origin and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await send({"type": "http.response.start", "status": 204, "headers": [*lines, *_preflight(lines)]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def send_with_lines(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *lines, (b"access-control-expose-headers", _EXPOSE_HEADERS)]
            await send(message)

        await self._app(scope, receive, send_with_lines if origin else send)

    def _lines(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        if b"*" in self._origins:
            return [(b"access-control-allow-origin", b"*")]
        vary = (b"vary", b"Origin")
        return [(b"access-control-allow-origin", origin), vary] if origin and origin in self._origins else [vary]


def _preflight(lines: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    if not any(name == b"access-control-allow-origin" for name, _ in lines):
        return []
    return [
        (b"access-control-allow-methods", _ALLOW_METHODS),
        (b"access-control-allow-headers", _ALLOW_HEADERS),
        (b"access-control-max-age", _MAX_AGE_SECONDS),
    ]
