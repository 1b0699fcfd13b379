"""Pages for people: the start page, the API reference, the problems. And the OpenAPI document that the reference shows.

Everything comes from this server: the reference's script and style are those that the package `offapi` brings (Swagger
UI), so it works without internet access, and its content security policy lets nothing else in.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from service.http import problem_pages
from service.http.endpoint import Endpoint
from service.http.openapi import document
from service.refusals import NotFound

HTML: Final = "text/html"
DAY: Final = "public, max-age=86400"

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REFERENCE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_ASSETS: Final = {
    "swagger-ui.js": ("swagger_bundle.js", "text/javascript"),
    "swagger-ui.css": ("swagger_style.css", "text/css"),
}

_START_SCRIPT: Final = """
window.onload = () => SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""

_START: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast</title><link rel="icon" href="data:,">
<style>:root { color-scheme: light dark; } body { max-width: 40rem; margin: 3rem auto; padding: 0 1.25rem;
font: 1rem/1.6 system-ui, sans-serif; } dt { margin-top: 1rem; } dd { margin: 0; opacity: .75; }</style></head><body>
<h1>Holdfast</h1>
<p>Books seats and stock exactly once, however often a client retries.</p>
<dl>
<dt><a href="/docs">API reference</a></dt><dd>Every operation with an example; try them with your API key.</dd>
<dt><a href="/openapi.json">OpenAPI document</a></dt><dd>The same for programs.</dd>
<dt><a href="/problems">Problems</a></dt><dd>Every error, what it means and what to do.</dd>
<dt><a href="/healthz">Health</a>, <a href="/readyz">readiness</a>, <a href="/metrics">metrics</a></dt>
<dd>For operators.</dd>
</dl></body></html>"""

_REFERENCE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API reference · Holdfast</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body><div id="reference"></div>
<noscript>This page is made by a script from the <a href="/openapi.json">OpenAPI document</a>.</noscript>
<script src="/docs/swagger-ui.js"></script><script src="/docs/start.js"></script></body></html>"""


def handlers(endpoints: Sequence[Endpoint]) -> list[HTTPRouteHandler]:
    """The pages of an application that has these endpoints."""

    @get("/openapi.json")
    async def read_openapi() -> Response[bytes]:
        return Response(_document(tuple(endpoints)), media_type=MediaType.JSON, headers={"Cache-Control": "no-cache"})

    return [read_openapi, read_start, read_reference, read_reference_asset, read_problems, read_problem]


@lru_cache(maxsize=4)
def _document(endpoints: tuple[Endpoint, ...]) -> bytes:
    return document(endpoints)


@get("/")
async def read_start() -> Response[str]:
    return _page(_START, PAGE_POLICY)


@get("/docs")
async def read_reference() -> Response[str]:
    return _page(_REFERENCE, REFERENCE_POLICY)


@get("/docs/{asset:str}")
async def read_reference_asset(asset: str) -> Response[bytes]:
    if asset == "start.js":
        return Response(_START_SCRIPT.encode(), media_type="text/javascript")
    if asset not in _ASSETS:
        raise NotFound(kind="page", name=f"/docs/{asset[:64]}")
    file, media_type = _ASSETS[asset]
    return Response(_asset(file), media_type=media_type, headers={"Cache-Control": DAY})


@get("/problems")
async def read_problems() -> Response[str]:
    return _page(problem_pages.index_page(), PAGE_POLICY)


@get("/problems/{slug:str}")
async def read_problem(slug: str) -> Response[str]:
    page = problem_pages.page(slug)
    if page is None:
        raise NotFound(kind="problem", name=slug[:64])
    return _page(page, PAGE_POLICY)


def _page(html: str, policy: str) -> Response[str]:
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return Response(html, media_type=HTML, headers=headers)


@lru_cache(maxsize=len(_ASSETS))
def _asset(file: str) -> bytes:
    """Read without importing the package: on import it builds pages of nine megabytes that nobody asks for."""
    package = find_spec("offapi")
    if package is None or package.origin is None:
        raise FileNotFoundError("offapi")
    return Path(package.origin).with_name(file).read_bytes()
