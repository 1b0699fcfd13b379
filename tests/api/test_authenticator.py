"""What one process knows of API keys, and how old that may be (fine print 14): a real store, a clock that is moved."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import msgspec
import pytest

from service.accounts import use_cases
from service.accounts.authenticate import AGE_MAX_SECONDS, RENEW_AFTER_SECONDS, Authenticator
from service.accounts.use_cases import NewKey
from service.database.store import Store, open_store
from service.refusals import StoreUnavailable, Unauthenticated
from service.settings import Settings


class Clock:
    """Monotonic seconds that move when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    opened = await open_store(msgspec.structs.replace(Settings(), database_url=store_url))
    yield opened
    await opened.close()


@pytest.fixture
async def key(store: Store) -> NewKey:
    account = await use_cases.create_account(store, f"opera-{secrets.token_hex(8)}")
    return await use_cases.create_key(store, account.id, "box-office", ["inventory:read", "reservations:write"])


@pytest.fixture
async def authenticator(store: Store, clock: Clock) -> AsyncIterator[Authenticator]:
    made = Authenticator(store, clock)
    yield made
    await made.close()


def bearer(key: NewKey) -> bytes:
    return f"Bearer {key.key}".encode()


async def until_idle(authenticator: Authenticator) -> None:
    """Return when no SELECT runs."""
    while (reading := authenticator._reading) is not None:
        await asyncio.wait([reading])


async def test_caller_is_account_principal_and_scopes(authenticator: Authenticator, key: NewKey) -> None:
    caller = await authenticator.authenticate(bearer(key))
    assert caller.account_name.startswith("opera-")
    assert (caller.principal, caller.prefix) == ("box-office", key.prefix)
    assert caller.scopes == {"inventory:read", "reservations:write"}


async def test_scheme_is_read_in_any_case(authenticator: Authenticator, key: NewKey) -> None:
    for scheme in (b"bearer ", b"BEARER  "):
        assert (await authenticator.authenticate(scheme + key.key.encode())).principal == "box-office"


async def test_revoked_key_is_refused_when_its_knowledge_is_too_old(
    authenticator: Authenticator, store: Store, key: NewKey, clock: Clock
) -> None:
    await authenticator.authenticate(bearer(key))
    await use_cases.revoke_key(store, key.prefix)
    clock.now += AGE_MAX_SECONDS + 0.001
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(bearer(key))


async def test_revoked_key_in_steady_use_is_refused_in_time(
    authenticator: Authenticator, store: Store, key: NewKey, clock: Clock
) -> None:
    await authenticator.authenticate(bearer(key))
    await use_cases.revoke_key(store, key.prefix)
    clock.now += RENEW_AFTER_SECONDS + 0.001
    await authenticator.authenticate(bearer(key))  # still known, and renewed behind it
    await until_idle(authenticator)
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(bearer(key))


async def test_scope_taken_away_is_gone_when_the_knowledge_is_renewed(
    authenticator: Authenticator, store: Store, key: NewKey, clock: Clock
) -> None:
    await authenticator.authenticate(bearer(key))
    await use_cases.set_scopes(store, key.prefix, ["inventory:read"])
    clock.now += AGE_MAX_SECONDS + 0.001
    assert (await authenticator.authenticate(bearer(key))).scopes == {"inventory:read"}


async def test_key_that_is_known_needs_no_store(authenticator: Authenticator, store: Store, key: NewKey) -> None:
    first = await authenticator.authenticate(bearer(key))
    await store.close()
    assert await authenticator.authenticate(bearer(key)) is first


async def test_thousand_requests_at_once_share_one_select(authenticator: Authenticator, key: NewKey) -> None:
    callers = await asyncio.gather(*(authenticator.authenticate(bearer(key)) for _ in range(1000)))
    assert len({id(caller) for caller in callers}) == 1


async def test_wrong_secret_of_a_known_prefix_is_refused(authenticator: Authenticator, key: NewKey) -> None:
    await authenticator.authenticate(bearer(key))
    other = f"hf_{key.prefix}_{'a' * 32}".encode()
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(b"Bearer " + other)
    await authenticator.authenticate(bearer(key))


async def test_nothing_is_kept_of_keys_that_do_not_exist(authenticator: Authenticator, key: NewKey) -> None:
    symbols = "abcdefghijklmnopqrstuvwxyz234567"
    junk = [f"Bearer hf_{first}{second}aaaaaa_{'a' * 32}".encode() for first in symbols for second in symbols]
    answers = await asyncio.gather(*(authenticator.authenticate(text) for text in junk), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unauthenticated}
    assert len(authenticator._known) + len(authenticator._wanted) == 0
    assert (await authenticator.authenticate(bearer(key))).principal == "box-office"


async def test_caller_that_gives_up_does_not_end_the_select_of_the_others(
    authenticator: Authenticator, key: NewKey
) -> None:
    first = asyncio.create_task(authenticator.authenticate(bearer(key)))
    second = asyncio.create_task(authenticator.authenticate(bearer(key)))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).principal == "box-office"
    assert first.cancelled()


async def test_store_that_cannot_be_asked_lets_nobody_in_and_calls_no_key_bad(clock: Clock) -> None:
    nowhere = "mysql+asyncmy://nobody:nothing@127.0.0.1:1/nothing"
    store = Store(msgspec.structs.replace(Settings(), database_url=nowhere))
    authenticator = Authenticator(store, clock)
    text = f"Bearer hf_abcdefgh_{'a' * 32}".encode()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await authenticator.authenticate(text)
    await store.close()
