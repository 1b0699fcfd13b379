"""Accounts and API keys as the operator makes and changes them."""

import secrets
from collections.abc import AsyncIterator

import msgspec
import pytest

from service.accounts import use_cases
from service.accounts.keys import SCOPES
from service.accounts.queries import AccountRecord
from service.database.store import Store, open_store
from service.settings import Settings


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    opened = await open_store(msgspec.structs.replace(Settings(), database_url=store_url))
    yield opened
    await opened.close()


@pytest.fixture
async def opera(store: Store) -> AccountRecord:
    return await use_cases.create_account(store, f"opera-{secrets.token_hex(8)}")


async def test_account_is_found_by_its_name_and_by_no_other(store: Store, opera: AccountRecord) -> None:
    assert await use_cases.find_account(store, opera.name) == opera
    for other in (opera.name.upper(), f"{opera.name} ", opera.name.replace("o", "ó"), ""):
        assert await use_cases.find_account(store, other) is None


async def test_second_account_of_a_name_is_refused(store: Store, opera: AccountRecord) -> None:
    with pytest.raises(use_cases.AccountExists):
        await use_cases.create_account(store, opera.name)
    other = await use_cases.create_account(store, opera.name.upper())
    listed = await use_cases.list_accounts(store)
    assert opera in listed
    assert other in listed
    names = [account.name.encode() for account in listed]
    assert names == sorted(names)


async def test_name_in_two_forms_of_one_text_is_one_name(store: Store) -> None:
    some = secrets.token_hex(8)
    made = await use_cases.create_account(store, f"the\u0301a\u0302tre {some}")
    with pytest.raises(use_cases.AccountExists):
        await use_cases.create_account(store, f"th\u00e9\u00e2tre {some}")
    assert await use_cases.find_account(store, f"the\u0301a\u0302tre {some}") == made


@pytest.mark.parametrize("name", ["", "a" * 61, "a\nb", "a\x00", "\u202eabc"])
async def test_bad_name_is_refused(store: Store, opera: AccountRecord, name: str) -> None:
    with pytest.raises(use_cases.BadName):
        await use_cases.create_account(store, name)
    with pytest.raises(use_cases.BadName):
        await use_cases.create_key(store, opera.id, name)


async def test_key_without_scopes_named_has_every_one(store: Store, opera: AccountRecord) -> None:
    made = await use_cases.create_key(store, opera.id, "main")
    assert made.scopes == list(SCOPES)
    (listed,) = await use_cases.list_keys(store, opera.id)
    assert (listed.prefix, listed.name, listed.scopes) == (made.prefix, "main", list(SCOPES))
    assert (listed.account_name, listed.revoked_at) == (opera.name, None)


async def test_scopes_are_kept_in_one_order_each_once(store: Store, opera: AccountRecord) -> None:
    made = await use_cases.create_key(
        store, opera.id, "till", ["reservations:write", "inventory:read", "inventory:read"]
    )
    assert made.scopes == ["inventory:read", "reservations:write"]
    assert (await use_cases.set_scopes(store, made.prefix, [])).scopes == []


async def test_unknown_scope_is_refused_and_changes_nothing(store: Store, opera: AccountRecord) -> None:
    made = await use_cases.create_key(store, opera.id, "till", ["ops"])
    for scopes in (["root"], ["ops", "OPS"], ["ops "]):
        with pytest.raises(use_cases.UnknownScope):
            await use_cases.create_key(store, opera.id, "till", scopes)
        with pytest.raises(use_cases.UnknownScope):
            await use_cases.set_scopes(store, made.prefix, scopes)
    assert [key.scopes for key in await use_cases.list_keys(store, opera.id)] == [["ops"]]


async def test_key_of_no_account_is_refused(store: Store) -> None:
    with pytest.raises(use_cases.NoSuchAccount):
        await use_cases.create_key(store, bytes(16), "main")


async def test_revoking_twice_keeps_the_first_time(store: Store, opera: AccountRecord) -> None:
    made = await use_cases.create_key(store, opera.id, "main")
    first = await use_cases.revoke_key(store, made.prefix)
    assert first.revoked_at is not None
    assert await use_cases.revoke_key(store, made.prefix) == first


async def test_prefix_that_nobody_has_is_refused(store: Store) -> None:
    with pytest.raises(use_cases.NoSuchKey):
        await use_cases.revoke_key(store, "zzzzzzzz")
    with pytest.raises(use_cases.NoSuchKey):
        await use_cases.set_scopes(store, "zzzzzzzz", ["ops"])


async def test_keys_of_two_accounts_are_listed_apart_and_together(store: Store, opera: AccountRecord) -> None:
    arena = await use_cases.create_account(store, f"arena-{secrets.token_hex(8)}")
    first = await use_cases.create_key(store, opera.id, "main")
    second = await use_cases.create_key(store, arena.id, "main")
    assert [key.prefix for key in await use_cases.list_keys(store, opera.id)] == [first.prefix]
    everyone = [key.prefix for key in await use_cases.list_keys(store)]
    assert everyone.index(first.prefix) < everyone.index(second.prefix)
