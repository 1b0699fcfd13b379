"""Endpoints as Litestar routes, and the framework's own refusals as problems of ours.

A handler returns an ASGI application that Litestar then runs: the pipeline of its endpoint. So Litestar finds path and
method, and its models of signatures, which would cost half of what the pipeline costs, are left out.
"""

from collections.abc import Sequence
from typing import Any, Final

from litestar import HttpMethod, Litestar, Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from service.http.endpoint import Endpoint, answer_request
from service.http.message import send_answer
from service.http.refuse import refused
from service.http.services import Services
from service.refusals import InvalidRequest, MethodNotAllowed, NotFound

SHOWN_MAX: Final = 200


def route_handlers(endpoints: Sequence[Endpoint]) -> list[HTTPRouteHandler]:
    methods: dict[str, list[str]] = {}
    for each in endpoints:
        methods.setdefault(each.path, ["OPTIONS"]).append(each.method)
    return [
        # First, or Litestar makes its own for each path.
        *(_options_handler(path, allowed) for path, allowed in methods.items()),
        *(_route_handler(each) for each in endpoints),
    ]


def _options_handler(path: str, allowed: list[str]) -> HTTPRouteHandler:
    """Says what may be done there. Litestar's own knows one handler of a path, not all."""
    headers = [(b"allow", ", ".join(sorted(allowed)).encode())]

    async def tell(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def handle() -> ASGIApp:
        return tell

    return HTTPRouteHandler(
        path.replace("}", ":str}"), http_method=HttpMethod.OPTIONS, name=f"OPTIONS {path}", sync_to_thread=False
    )(handle)


def _route_handler(asked: Endpoint) -> HTTPRouteHandler:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        answer, rate = await answer_request(asked, services_of(scope["litestar_app"]), scope, receive)
        await send_answer(answer, rate, send)

    def handle() -> ASGIApp:
        return serve

    return HTTPRouteHandler(
        asked.path.replace("}", ":str}"),
        http_method=HttpMethod(asked.method),
        name=f"{asked.method} {asked.path}",
        sync_to_thread=False,
    )(handle)


def services_of(app: Litestar) -> Services:
    """What the lifespan opened."""
    services: Services = app.state.services
    return services


def answer_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's handler of every exception that reaches it: its own, and bugs outside of the pipeline."""
    answer = refused(_meant(error, request.scope["path"]), request.scope["state"]["request_id"])
    headers = dict(answer.headers)
    return Response(answer.body, status_code=answer.status, media_type=headers.pop("Content-Type"), headers=headers)


def _meant(error: Exception, path: str) -> Exception:
    match error:
        case NotFoundException():
            return NotFound(kind="path", name=path[:SHOWN_MAX])
        case MethodNotAllowedException():
            allowed = {name.lower(): value for name, value in (error.headers or {}).items()}.get("allow", "")
            return MethodNotAllowed(allow=[method.strip() for method in allowed.split(",")])
        case HTTPException() if error.status_code < 500:  # noqa: PLR2004 - from here on it is the server's fault
            return InvalidRequest(errors=[("request", "is not well-formed HTTP")])
        case _:
            return error
