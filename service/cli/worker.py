"""`holdfast worker`: the loops that end lapsed holds, serve who waits, give messages their positions, and purge."""
# ruff: noqa: PLC0415 - what is heavy is imported where it is used

import asyncio
import signal
from typing import TYPE_CHECKING

from service.cli.running import read_settings, require_current_schema

if TYPE_CHECKING:
    from service.settings import Settings

LOOPBACK = "127.0.0.1"


def work() -> None:
    """Run the worker (MySQL family; on SQLite `serve` does its work) until SIGTERM or Ctrl-C.

    The round under way is finished first. Any number of workers may run
    at once. On SQLite the server runs the same loops itself, and no
    worker is needed.
    """
    import uvloop

    from service.http.log import configure_logging

    settings = read_settings()
    configure_logging(settings)
    uvloop.run(_work(settings))


async def _work(settings: "Settings") -> None:
    import structlog

    from service.database.store import open_store
    from service.reservations.command_engine import CommandEngine
    from service.worker import Worker

    log = structlog.get_logger(__name__)
    store = await open_store(settings)
    try:
        await require_current_schema(store)
        engine = CommandEngine(store, settings)
        worker = Worker(store, engine, settings)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        await engine.start()
        try:
            _serve_metrics(settings)
            log.info("worker_started")
            await worker.run()
        finally:
            await engine.drain()
            log.info("worker_stopped")
    finally:
        await store.close()


def _serve_metrics(settings: "Settings") -> None:
    if settings.worker_metrics_port:
        from prometheus_client import start_http_server

        start_http_server(settings.worker_metrics_port, addr=LOOPBACK)
