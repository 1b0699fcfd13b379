"""`holdfast serve`: the API, by one process or several.

uvicorn serves; with several processes its supervisor starts them anew when they die. Prometheus then adds their metrics
up over files in a directory of this run, which must be named before a process imports prometheus_client.
On SQLite there is one server process, which runs the worker's loops too (service/app.py).
"""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from service.cli.failures import CommandFailed
from service.cli.running import read_settings, require_current_schema

if TYPE_CHECKING:
    from service.settings import Settings

METRICS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

KEEP_ALIVE_SECONDS = 65
"""Longer than the 60 s after which load balancers usually drop idle connections: the server must not be first."""

HUNG_AFTER_SECONDS = 30
"""Silence of a process after which its supervisor replaces it; starting one on a busy machine takes a while, too."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [HOLDFAST_HOST, 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [HOLDFAST_PORT, 8000].")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes, more than 1 only on the MySQL family [HOLDFAST_WORKERS, 1].")
    ] = None,
) -> None:
    """Serve the API until SIGTERM or Ctrl-C; requests that run then are answered first."""
    from service.http.log import configure_logging

    settings = read_settings(host=host, port=port, workers=workers)
    configure_logging(settings)
    signal.signal(signal.SIGTERM, _leave)
    asyncio.run(_require_usable_store(settings))
    # What the options said, for the app that this process or its children build from the environment.
    os.environ.update(
        HOLDFAST_HOST=settings.host, HOLDFAST_PORT=str(settings.port), HOLDFAST_WORKERS=str(settings.workers)
    )
    with _listening(settings) as listening:
        if settings.workers == 1:
            os.environ.pop(METRICS_DIRECTORY, None)
            _serve_alone(settings, listening)
        else:
            with _metrics_directory():
                _serve_together(settings, listening)


def _leave(_number: int, _frame: object) -> NoReturn:
    """An orderly end is exit code 0. While uvicorn runs it has its own handler, and calls this one at its end."""
    sys.exit(0)


async def _require_usable_store(settings: "Settings") -> None:
    from service.database.store import open_store

    store = await open_store(settings)
    try:
        await require_current_schema(store)
    finally:
        await store.close()


def _options(settings: "Settings") -> dict[str, Any]:
    from service.http.protocol import BoundedHttpProtocol

    return {
        "app": "service.app:create_app_from_environment",
        "factory": True,
        "interface": "asgi3",
        "host": settings.host,
        "port": settings.port,
        "workers": settings.workers,
        "loop": "uvloop",
        "http": BoundedHttpProtocol,
        "ws": "none",
        "lifespan": "on",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": settings.drain_seconds,
        "timeout_worker_healthcheck": HUNG_AFTER_SECONDS,
    }


def _serve_alone(settings: "Settings", listening: socket.socket) -> None:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(**_options(settings)))
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        return
    if not server.started:
        sys.exit(1)  # the log has the reason


def _serve_together(settings: "Settings", listening: socket.socket) -> None:
    import uvicorn

    from service.cli.supervisor import Supervisor

    Supervisor(uvicorn.Config(**_options(settings)), sockets=[listening]).run()


@contextmanager
def _listening(settings: "Settings") -> Iterator[socket.socket]:
    """The bound port, which all processes share; bound before anything starts, so that a taken one is told plainly."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((settings.host, settings.port))
        except OSError as error:
            told = f"cannot listen on port {settings.port} of {settings.host}: {error.strerror}"
            raise CommandFailed(f"{told}. Choose another with --port or --host.") from None
        listening.set_inheritable(True)
        yield listening


@contextmanager
def _metrics_directory() -> Iterator[None]:
    directory = tempfile.mkdtemp(prefix="holdfast-metrics-")
    os.environ[METRICS_DIRECTORY] = directory
    try:
        yield
    finally:
        shutil.rmtree(directory, ignore_errors=True)
