"""What operators ask: is the process alive, may it be sent requests, what does it count. And the benchmark's no-op."""

import asyncio
import os
from typing import Any, Final

import msgspec
from litestar import MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from service.clock import now_ms
from service.database.revisions import is_current
from service.http.endpoint import Call, Endpoint, stored
from service.http.message import Answer
from service.http.routing import services_of
from service.idempotency.records import StoredAnswer
from service.refusals import StoreUnavailable

READY_SECONDS_MAX: Final = 3
NOT_STORED: Final = {"Cache-Control": "no-store"}


@get("/healthz", media_type=MediaType.JSON, response_headers=NOT_STORED)
async def read_health() -> dict[str, str]:
    """The process lives and its loop turns. Says nothing of the database: a restart would not mend that."""
    return {"status": "alive"}


@get("/readyz", media_type=MediaType.JSON, response_headers=NOT_STORED)
async def read_readiness(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The database answers and its schema is the one this version knows; else 503 `store-unavailable`."""
    try:
        async with asyncio.timeout(READY_SECONDS_MAX):
            current = await is_current(services_of(request.app).store)
    except TimeoutError as error:
        raise StoreUnavailable(retry_after_s=1) from error
    if not current:
        raise StoreUnavailable(retry_after_s=READY_SECONDS_MAX)
    return {"status": "ready"}


@get("/metrics", sync_to_thread=True, response_headers=NOT_STORED)
def read_metrics() -> Response[bytes]:
    """Prometheus text; of all server processes together, where there are several."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


HANDLERS: Final[tuple[HTTPRouteHandler, ...]] = (read_health, read_readiness, read_metrics)


def echo_endpoint(create_reservation: Endpoint) -> Endpoint:
    """`POST /bench/echo`: passes the pipeline as a create does and answers as much, without engine and database."""
    view = create_reservation.answer_example
    encode = msgspec.json.Encoder().encode

    async def echo(call: Call) -> Answer:
        expires_at = now_ms() + call.services.settings.idempotency_ms
        location = f"/v1/reservations/{view['reference']}"
        return stored(StoredAnswer(status=201, body=encode(view), location=location, etag='"1"', expires_at=expires_at))

    return msgspec.structs.replace(create_reservation, path="/bench/echo", handle=echo, name="echo")
