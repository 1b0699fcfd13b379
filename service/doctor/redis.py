"""Redis, if any: reached, quick enough, its rights, and what it does when it is full (R9)."""

import secrets
import time
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from service.doctor.findings import Finding, ok, told, warning, wrong
from service.doctor.patient import Patient
from service.engine.redis_locks import RELEASE, TIMEOUT_SECONDS
from service.engine.row_locks import LOCK_NAME
from service.settings import PREFIX

URL = f"{PREFIX}REDIS_URL"
WITHOUT = f"or {URL}= for doing without it"

PATIENCE_SECONDS: Final = 3.0
"""Longer than the service has, so that a slow Redis is told from one that is gone."""

LOOKS: Final = 5
FULL: Final = 0.9


def _connect(patient: Patient) -> Redis:
    return Redis.from_url(
        patient.settings.redis_url,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def _place(patient: Patient) -> str:
    """Without the password, which make_url cannot read of every form that Redis has."""
    text = patient.settings.redis_url
    scheme, _, rest = text.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


async def reached(patient: Patient) -> Finding:
    """PING, and the time that it takes."""
    if URL in patient.wrong:
        return wrong(f"{URL} is wrong", f"{URL}=redis://USER:PASSWORD@HOST:PORT/NUMBER", WITHOUT)
    place = _place(patient)
    async with _connect(patient) as redis:
        try:
            await redis.ping()
            seconds = [await _ping(redis) for _ in range(LOOKS)]
        except AuthenticationError as error:
            return wrong(f"{place}: {told(error)}", f"{URL}=redis://USER:PASSWORD@HOST:PORT/NUMBER", WITHOUT)
        except (RedisError, OSError, TimeoutError) as error:
            return wrong(f"{place}: {told(error)}", f"start it, or correct HOST:PORT in {URL}", WITHOUT)
    middle = sorted(seconds)[LOOKS // 2]
    seen = f"{place} answers in {middle * 1000:.1f} ms"
    if middle > TIMEOUT_SECONDS:
        return wrong(f"{seen}: later than it is waited for ({TIMEOUT_SECONDS} s)", "a Redis nearer by", WITHOUT)
    if middle > TIMEOUT_SECONDS / 5:
        return warning(f"{seen}: a lock in the database would be quicker", "a Redis nearer by", WITHOUT)
    return ok(seen)


async def _ping(redis: Redis) -> float:
    begun = time.perf_counter()
    await redis.ping()
    return time.perf_counter() - begun


async def locks(patient: Patient) -> Finding:
    """A lock is taken and given back as the engine does it, under a name of its own."""
    name, token = LOCK_NAME.format(table="doctor", row=secrets.token_hex(16)), secrets.token_hex(16)
    async with _connect(patient) as redis:
        try:
            granted = await redis.set(name, token, nx=True, px=1000)
            again = await redis.set(name, token, nx=True, px=1000)
            released = await redis.eval(RELEASE, 1, name, token)
        except NoPermissionError as error:
            user = await _user(redis)
            return wrong(told(error), f"ACL SETUSER {user} +ping +set +get +del +eval ~{LOCK_NAME.partition('{')[0]}*")
        except RedisError as error:
            return wrong(told(error), "a Redis that is written to: no replica, and with room left", WITHOUT)
    if not granted or again or not released:
        return wrong(
            f"granted {granted!r}, again {again!r}, released {released!r}: this is no Redis as it should be", WITHOUT
        )
    return ok("a lock is granted once and given back (SET NX PX, EVAL)")


async def _user(redis: Redis) -> str:
    try:
        who: Any = await redis.acl_whoami()
    except RedisError:
        return "default"
    return who.decode() if isinstance(who, bytes) else str(who)


async def eviction(patient: Patient) -> Finding:
    """What happens to locks when it is full: evicted ones cost work done twice, refused ones a lock in the database."""
    async with _connect(patient) as redis:
        try:
            memory: dict[str, Any] = await redis.info("memory")
        except NoPermissionError:
            return ok("it does not tell (INFO is not allowed), and nothing depends on it")
    limit, used = int(memory.get("maxmemory", 0)), int(memory.get("used_memory", 0))
    policy = memory.get("maxmemory_policy", "noeviction")
    if not limit:
        return ok("no limit of memory")
    seen = f"{policy}, {used / limit:.0%} of {limit / 1_000_000:,.0f} MB used"
    if policy == "noeviction" and used > FULL * limit:
        return warning(f"{seen}: full, it refuses locks", "CONFIG SET maxmemory-policy volatile-ttl")
    return ok(seen)


async def absent(patient: Patient) -> Finding:
    """Nobody has asked for one."""
    if patient.settings.is_sqlite:
        return ok(f"{URL} is empty: not needed on SQLite")
    return ok(f"{URL} is empty: hot rows are locked in the database")
