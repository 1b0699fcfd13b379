"""A Holdfast behind a URL, as its clients see it: nothing of its host, its settings or its database."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from service.doctor.checks import REACHED, Diagnosis
from service.doctor.clock import judged
from service.doctor.findings import Check, Finding, examine, not_looked_at, ok, told, warning, wrong
from service.doctor.port import is_alive

TIMEOUT_SECONDS: Final = 10.0
DATE_UNSURE_MS: Final = 500.0
"""A Date header has whole seconds."""

LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
KEPT_BACK: Final = {401, 403, 404}


class Visitor:
    """Somebody outside, with a key or without."""

    def __init__(self, url: str, key: str | None, http: httpx.AsyncClient) -> None:
        self.url = httpx.URL(url)
        self.key = key
        self.http = http
        self.me: httpx.Response | None = None
        self.ahead_ms = 0.0
        self.unsure_ms = 0.0

    async def ask(self) -> httpx.Response:
        """GET /v1/me, with the clocks' difference by its Date."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        before, begun = time.time_ns() / 1e6, time.monotonic_ns()
        answer = await self.http.get("/v1/me", headers=headers)
        way = (time.monotonic_ns() - begun) / 1e6
        if date := answer.headers.get("date"):
            theirs = parsedate_to_datetime(date).timestamp() * 1000 + DATE_UNSURE_MS
            self.ahead_ms, self.unsure_ms = before + way / 2 - theirs, way / 2 + DATE_UNSURE_MS
        return answer


async def reached(visitor: Visitor) -> Finding:
    """Something answers, and it is a Holdfast: it refuses who has no key with a problem, or knows the key."""
    try:
        await visitor.ask()  # opens the connection, so that the next one's time is that of the way alone
        answer = await visitor.ask()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return wrong(
            f"{visitor.url}: {told(error)}", "start the server, or correct --url (https://HOST or http://HOST:PORT)"
        )
    problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    if not (answer.is_success or problem) or "x-request-id" not in answer.headers:
        return wrong(
            f"what answers at {visitor.url} is no Holdfast (GET /v1/me: {answer.status_code})",
            "correct --url, or let the proxy pass /v1/ on to Holdfast",
        )
    visitor.me = answer
    return ok(f"{visitor.url}, in {(visitor.unsure_ms - DATE_UNSURE_MS) * 2:.0f} ms")


async def encrypted(visitor: Visitor) -> Finding:
    if visitor.url.scheme == "https":
        return ok("TLS, with a certificate that is trusted here")
    if visitor.url.host in LOOPBACK:
        return ok("no TLS, and none is needed on this machine itself")
    return warning("no TLS: keys can be read on their way", "a proxy that speaks TLS in front (README, Behind a proxy)")


async def alive(visitor: Visitor) -> Finding:
    answer = await visitor.http.get("/healthz")
    if is_alive(answer):
        return ok("/healthz says that the process lives")
    if answer.status_code in KEPT_BACK:
        return ok(f"/healthz: {answer.status_code}, a proxy keeps it back")
    return wrong(f"/healthz: {answer.status_code}", "see the server's log")


async def ready(visitor: Visitor) -> Finding:
    answer = await visitor.http.get("/readyz")
    if answer.is_success:
        return ok("/readyz says that the database answers and the schema is current")
    if answer.status_code in KEPT_BACK:
        return ok(f"/readyz: {answer.status_code}, a proxy keeps it back")
    return wrong(
        f"/readyz: {answer.status_code}, the database does not answer or its schema is another version's",
        "holdfast doctor (on the server's host, without --url)",
    )


async def metrics(visitor: Visitor) -> Finding:
    """They ask for no key."""
    answer = await visitor.http.get("/metrics")
    if not answer.is_success:
        return ok(f"/metrics: {answer.status_code}, a proxy keeps it back")
    if visitor.url.host in LOOPBACK:
        return ok("/metrics is open, on this machine")
    return warning("/metrics is open to whoever can reach this URL", "let the proxy pass on /v1/ alone")


async def key(visitor: Visitor) -> Finding:
    """Whether the key works, and what it may do."""
    if visitor.key is None:
        return not_looked_at("no key was given", "--key KEY")
    answer = visitor.me
    assert answer is not None, "needs the check that asks"  # noqa: S101 - the order of checks
    said: Any = answer.json()
    if answer.is_success:
        return ok(f"{said['key_name']!r} of {said['account']!r}: {', '.join(said['scopes'])}")
    seen = f"{answer.status_code}: {said.get('detail') or said.get('title')}"
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return wrong(seen, "holdfast keys create ACCOUNT (on the server's host)")
    return wrong(seen, "holdfast doctor (on the server's host, without --url)")


async def clock(visitor: Visitor) -> Finding:
    if not visitor.unsure_ms:
        return not_looked_at("the answers carry no Date")
    return judged(visitor.ahead_ms, visitor.unsure_ms, "the server's")


CHECKS: Final = (
    Check("server", REACHED, reached),
    Check("server", "TLS", encrypted, (REACHED,)),
    Check("server", "alive", alive, (REACHED,)),
    Check("server", "ready", ready, (REACHED,)),
    Check("server", "metrics", metrics, (REACHED,)),
    Check("server", "key", key, (REACHED,)),
    Check("server", "clock", clock, (REACHED,)),
)


async def diagnose_from_outside(url: str, key: str | None, on_check: Callable[[str], None]) -> Diagnosis:
    """What can be seen of the Holdfast at `url`. Raises httpx.InvalidURL."""
    # The environment's proxies are for the world outside, not for servers on this machine.
    far = httpx.URL(url).host not in LOOPBACK
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=far) as http:
        return Diagnosis(await examine(CHECKS, Visitor(url, key, http), on_check))
