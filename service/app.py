"""The application: which endpoints there are, what a process opens when it starts and closes when it ends.

Order of the layers around a request: Edge (id, measure, last resort), Cors where it is wanted, Litestar's router, the
pipeline of `http/endpoint.py`.
"""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
import structlog
from litestar import Litestar
from litestar.types import ASGIApp

from service.accounts import routes as accounts
from service.accounts.authenticate import Authenticator, Caller, Known
from service.database.revisions import UPGRADE_COMMAND, is_current
from service.database.store import Store, open_store
from service.http import operations, pages
from service.http.cors import Cors
from service.http.edge import Edge
from service.http.endpoint import Endpoint
from service.http.log import configure_logging
from service.http.rate_limit import RateLimits
from service.http.routing import answer_exception, route_handlers
from service.http.services import Services
from service.idempotency import routes as idempotency
from service.inventory import events_routes, seats_routes, stock_routes
from service.inventory.availability import AvailabilityReader
from service.outbox import routes as outbox
from service.reservations import hot_rows_routes as hot_rows
from service.reservations import lists_routes as reservation_lists
from service.reservations import releases_routes as reservation_releases
from service.reservations import routes as reservations
from service.reservations import timeline_routes as timelines
from service.reservations.command_engine import CommandEngine
from service.settings import Settings
from service.worker import Worker

log = structlog.get_logger(__name__)

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]

ENDPOINTS: tuple[Endpoint, ...] = (
    *events_routes.ENDPOINTS,
    *seats_routes.ENDPOINTS,
    *stock_routes.ENDPOINTS,
    *reservations.ENDPOINTS,
    *reservation_releases.ENDPOINTS,
    *reservation_lists.ENDPOINTS,
    *timelines.ENDPOINTS,
    *hot_rows.ENDPOINTS,
    *outbox.ENDPOINTS,
    *idempotency.ENDPOINTS,
    *accounts.ENDPOINTS,
)


class SchemaNotCurrent(RuntimeError):
    """The database's schema is not the one that this version works with."""


def create_app(settings: Settings) -> ASGIApp:
    """The ASGI application. It opens nothing before its lifespan starts.

    The lifespan raises StoreUnreachable, SessionError, SchemaNotCurrent.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with running(settings) as services:
            app.state.services = services
            yield

    app: ASGIApp = _routes(settings, lifespan)
    origins = [origin for part in settings.cors_origins.split(",") if (origin := part.strip())]
    if origins:
        app = Cors(app, origins)
    return Edge(app)


def _routes(settings: Settings, *lifespans: Lifespan) -> Litestar:
    endpoints = list(ENDPOINTS)
    if settings.bench_endpoints:
        endpoints.append(operations.echo_endpoint(reservations.create_reservation))
    return Litestar(
        route_handlers=[*route_handlers(endpoints), *operations.HANDLERS, *pages.handlers(ENDPOINTS)],
        exception_handlers={Exception: answer_exception},
        lifespan=list(lifespans),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,  # the pipeline has its own limit
    )


@asynccontextmanager
async def app_of(caller: Caller, store: Store, settings: Settings) -> AsyncIterator[ASGIApp]:
    """The application for one caller who needs no key, on a store that is open: for the operator at the database.

    Nobody listens on a port, and no worker runs beside it; whoever calls it goes the way of every request (R6).
    """
    unlimited = msgspec.structs.replace(settings, rate_limit_requests=0)
    app = _routes(unlimited)
    async with _services(store, unlimited, Known(caller)) as services:
        app.state.services = services
        yield Edge(app)


def create_app_from_environment() -> ASGIApp:
    """What a server process runs, whoever started it: settings and logs are its own."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings)
    return create_app(settings)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """Everything that serves requests, open for as long as the block runs; then drained and closed."""
    store = await open_store(settings)
    try:
        if not await is_current(store):
            raise SchemaNotCurrent(f"The database's schema is not current. Run `{UPGRADE_COMMAND}`, then start again.")
        async with _services(store, settings, Authenticator(store)) as services:
            _calm_collector()
            async with _worker_beside(services):
                yield services
    finally:
        await store.close()


@asynccontextmanager
async def _services(store: Store, settings: Settings, authenticator: Authenticator | Known) -> AsyncIterator[Services]:
    services = Services(
        settings=settings,
        store=store,
        engine=CommandEngine(store, settings),
        authenticator=authenticator,
        rate_limits=RateLimits(settings),
        availability=AvailabilityReader(store),
        keyed_operations=tuple((each.method, each.path) for each in ENDPOINTS if each.key is not None),
    )
    await services.engine.start()
    try:
        yield services
    finally:
        await services.engine.drain()
        await services.authenticator.close()


def _calm_collector() -> None:
    """Let the cyclic collector look at new garbage only, and seldom.

    What is loaded by now stays for the life of the process; walking it again and again was a quarter of the processor
    time of a hold. Requests free nearly all they make by reference counts, so a first generation takes a minute of full
    load to fill; the others need not wait long after it: beside what was loaded, all is a few thousand objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 2, 2)


@asynccontextmanager
async def _worker_beside(services: Services) -> AsyncIterator[None]:
    """On the embedded store the worker's loops run in the server's own process."""
    if not services.settings.is_sqlite:
        yield
        return
    worker = Worker(services.store, services.engine, services.settings)
    task = asyncio.create_task(worker.run())
    task.add_done_callback(_log_end)
    try:
        yield
    finally:
        worker.stop()
        await asyncio.wait([task], timeout=services.settings.drain_seconds)
        task.cancel()


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("worker_ended", exc_info=error)
