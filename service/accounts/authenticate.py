"""Who is calling: from the Authorization header to a Caller.

What a process knows of a key is at most two seconds old whenever it is used (fine print 14), counted from before the
SELECT that read it. Old knowledge is renewed in the background before it is too old, so a busy key never waits.
All keys that wait are read by one SELECT at a time, so junk cannot flood the database; nothing is kept of keys that
do not exist, so it cannot flood the memory either.

A store that cannot be asked is StoreUnavailable: it must never let anybody in, and never says that a key is bad.
"""

import asyncio
import hmac
import time
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from service.accounts.keys import hash_of, parse_key
from service.accounts.queries import KeyInForce, select_keys_in_force
from service.database.errors import StoreError
from service.database.store import Store
from service.refusals import StoreUnavailable, Unauthenticated

log = structlog.get_logger(__name__)

AGE_MAX_SECONDS: Final = 1.8
"""Below the two seconds of the contract, by what a stalled event loop may add."""

RENEW_AFTER_SECONDS: Final = 0.8
READ_SECONDS_MAX: Final = 1.5
"""A SELECT that takes longer would be too old when it answers."""

KEYS_MAX: Final = 20_000
KEYS_PER_SELECT: Final = 512

_SCHEME: Final = b"bearer "


class Caller(msgspec.Struct, frozen=True):
    """Who calls. `principal` is the key's name, which a rotated key keeps; `prefix` is the one key's own."""

    account_id: bytes
    account_name: str
    principal: str
    prefix: str
    scopes: frozenset[str]


class Known:
    """In place of an Authenticator where there is one caller, who has shown that he may by opening the store."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def authenticate(self, _authorization: bytes | None) -> Caller:
        return self._caller

    async def close(self) -> None:
        """Nothing is open."""


class _KeyRead(msgspec.Struct, frozen=True):
    """A key in force as of `read_at` (monotonic seconds)."""

    caller: Caller
    secret_hash: bytes
    read_at: float


class Authenticator:
    """The keys that one process knows. `clock` gives monotonic seconds."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, _KeyRead] = {}
        self._wanted: dict[str, asyncio.Future[_KeyRead | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def authenticate(self, authorization: bytes | None) -> Caller:
        """The caller. Raises Unauthenticated, StoreUnavailable."""
        presented = _presented(authorization)
        if presented is None:
            raise Unauthenticated
        prefix, secret = presented
        known = self._known.get(prefix)
        age = self._clock() - known.read_at if known is not None else AGE_MAX_SECONDS
        if age >= AGE_MAX_SECONDS:
            known = await asyncio.shield(self._want(prefix))
        elif age >= RENEW_AFTER_SECONDS:
            self._want(prefix)
        if known is None or not hmac.compare_digest(known.secret_hash, hash_of(secret)):
            raise Unauthenticated
        return known.caller

    def _want(self, prefix: str) -> asyncio.Future[_KeyRead | None]:
        """What the next SELECT finds under `prefix`."""
        wanted = self._wanted.get(prefix)
        if wanted is None:
            wanted = self._wanted[prefix] = asyncio.get_running_loop().create_future()
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_wanted())
        return wanted

    async def _read_wanted(self) -> None:
        """One SELECT after the other, until nobody waits."""
        waiting: dict[str, asyncio.Future[_KeyRead | None]] = {}
        try:
            while self._wanted:
                # Taken out first: whoever asks from now on gets a SELECT that starts later.
                waiting = {prefix: self._wanted.pop(prefix) for prefix in list(self._wanted)[:KEYS_PER_SELECT]}
                await self._read(waiting)
        finally:
            self._reading = None
            for future in (*waiting.values(), *self._wanted.values()):
                future.cancel()  # none is open, unless this task was cancelled
            self._wanted.clear()

    async def _read(self, waiting: dict[str, asyncio.Future[_KeyRead | None]]) -> None:
        read_at = self._clock()
        try:
            async with asyncio.timeout(READ_SECONDS_MAX), self._store.read() as reader:
                found = await select_keys_in_force(reader, list(waiting))
        except (StoreError, TimeoutError) as error:
            log.warning("keys_not_read", reason=type(error).__name__)
            _refuse(waiting, StoreUnavailable(retry_after_s=1))
        except Exception as error:
            log.exception("keys_not_read")
            _refuse(waiting, error)
        else:
            for prefix, future in waiting.items():
                future.set_result(self._remember(prefix, found.get(prefix), read_at))

    def _remember(self, prefix: str, key: KeyInForce | None, read_at: float) -> _KeyRead | None:
        """The last one read is the last in the dict, so the first one is the one to forget."""
        self._known.pop(prefix, None)
        if key is None:
            return None
        if len(self._known) >= KEYS_MAX:
            del self._known[next(iter(self._known))]
        known = self._known[prefix] = _KeyRead(_caller(key), key.secret_hash, read_at)
        return known

    async def close(self) -> None:
        """End a SELECT that still runs."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])


def _presented(authorization: bytes | None) -> tuple[str, bytes] | None:
    """Prefix and secret of `Bearer hf_…`; the scheme in any case (RFC 9110, section 11.1)."""
    if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    return parse_key(authorization[len(_SCHEME) :].strip(b" "))


def _refuse(waiting: dict[str, asyncio.Future[_KeyRead | None]], error: Exception) -> None:
    for future in waiting.values():
        future.set_exception(error)
        future.exception()  # seen: of a renewal in the background nobody asks


def _caller(key: KeyInForce) -> Caller:
    return Caller(
        account_id=key.account_id,
        account_name=key.account_name,
        principal=key.name,
        prefix=key.prefix,
        scopes=key.scopes,
    )
