"""Accounts and API keys, made and changed by the operator. Each is one plain transaction.

None of them is an endpoint: whoever may run the command line on the host may make keys, and nobody else.
What is wrong raises an AccountError whose message is for the person who asked.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from service.accounts import queries
from service.accounts.keys import SCOPES, new_key_text
from service.accounts.queries import AccountRecord, KeyRecord
from service.database.store import Store
from service.database.transaction import Transaction
from service.database.transactional import transactional
from service.ids import new_id
from service.inventory.bodies import HOLD_SECONDS_LONGEST
from service.names import HolderName, nfc

HOLD_SECONDS: Final = 600
HOLD_SECONDS_MAX: Final = 3600
"""Of holds on stock alone, until the operator sets others (`set_hold_times`); events bring their own."""


class AccountError(Exception):
    """Something about accounts or keys that cannot be done."""


class AccountExists(AccountError):
    """The name is taken."""


class NoSuchAccount(AccountError):
    """No account has this id."""


class NoSuchKey(AccountError):
    """No key, revoked or not, has this prefix."""


class UnknownScope(AccountError):
    """The scope is none of ours."""


class BadName(AccountError):
    """The name of an account or of a key breaks the grammar."""


class BadHoldTimes(AccountError):
    """A hold time is out of bounds, or the usual one is above the most."""


class NewKey(msgspec.Struct, frozen=True):
    """A key just made. `key` holds the secret and cannot be had again."""

    key: str
    prefix: str
    name: str
    scopes: list[str]


@transactional
async def create_account(transaction: Transaction, name: str) -> AccountRecord:
    """Raises BadName, AccountExists."""
    name = _holder_name(name)
    if await queries.select_account(transaction, name) is not None:
        raise AccountExists(f"There is an account {name!r} already.")
    account_id, now = new_id(), await transaction.now_ms()
    await queries.insert_account(transaction, (account_id, name.encode(), HOLD_SECONDS, HOLD_SECONDS_MAX, now))
    return AccountRecord(account_id, name, HOLD_SECONDS, HOLD_SECONDS_MAX)


@transactional
async def set_hold_times(
    transaction: Transaction, name: str, hold_seconds: int | None = None, hold_seconds_max: int | None = None
) -> AccountRecord:
    """The account as it is now; what is None stays. Reservations that exist keep their times.

    Raises NoSuchAccount, BadHoldTimes.
    """
    account = await queries.select_account(transaction, nfc(name))
    if account is None:
        raise NoSuchAccount(f"There is no account {name!r}. `holdfast accounts list` shows those there are.")
    usual = account.hold_seconds if hold_seconds is None else hold_seconds
    most = account.hold_seconds_max if hold_seconds_max is None else hold_seconds_max
    for option, seconds in (("--hold-seconds", usual), ("--hold-seconds-max", most)):
        if not 1 <= seconds <= HOLD_SECONDS_LONGEST:
            raise BadHoldTimes(f"{option} must be 1 to {HOLD_SECONDS_LONGEST} seconds, not {seconds}.")
    if usual > most:
        raise BadHoldTimes(f"Holds would last {usual} s, and {most} s at most: set the other one, too.")
    await queries.update_hold_times(transaction, account.id, usual, most)
    return msgspec.structs.replace(account, hold_seconds=usual, hold_seconds_max=most)


@transactional
async def create_key(
    transaction: Transaction, account_id: bytes, name: str, scopes: Sequence[str] | None = None
) -> NewKey:
    """A key with these scopes, or with every one. A second key of a name is the same principal: so a key is rotated.

    Raises BadName, UnknownScope, NoSuchAccount.
    """
    name, granted = _holder_name(name), _scopes(scopes)
    if not await queries.is_account(transaction, account_id):
        raise NoSuchAccount("There is no such account.")
    drawn, now = new_key_text(), await transaction.now_ms()
    row = (
        new_id(),
        account_id,
        name.encode(),
        drawn.prefix.encode(),
        drawn.secret_hash,
        queries.scopes_text(granted),
        now,
    )
    await queries.insert_key(transaction, row)
    return NewKey(key=drawn.text, prefix=drawn.prefix, name=name, scopes=granted)


@transactional
async def revoke_key(transaction: Transaction, prefix: str) -> KeyRecord:
    """The key as it is now; revoking it again changes nothing. It may work for two more seconds. Raises NoSuchKey."""
    await queries.update_key_revoked(transaction, prefix, await transaction.now_ms())
    return await _key(transaction, prefix)


@transactional
async def set_scopes(transaction: Transaction, prefix: str, scopes: Sequence[str]) -> KeyRecord:
    """The key as it is now. A scope taken away may work for two more seconds. Raises UnknownScope, NoSuchKey."""
    await queries.update_key_scopes(transaction, prefix, _scopes(scopes))
    return await _key(transaction, prefix)


async def list_accounts(store: Store) -> list[AccountRecord]:
    """By name."""
    async with store.read() as reader:
        return await queries.select_accounts(reader)


async def list_keys(store: Store, account_id: bytes | None = None) -> list[KeyRecord]:
    """Of one account or of all, oldest first, revoked ones included."""
    async with store.read() as reader:
        return await queries.select_keys(reader, account_id)


async def find_account(store: Store, name: str) -> AccountRecord | None:
    async with store.read() as reader:
        return await queries.select_account(reader, nfc(name))


async def _key(transaction: Transaction, prefix: str) -> KeyRecord:
    found = await queries.select_key(transaction, prefix)
    if found is None:
        raise NoSuchKey(f"There is no key with the prefix {prefix!r}.")
    return found


def _holder_name(name: str) -> str:
    try:
        return msgspec.convert(nfc(name), HolderName)
    except msgspec.ValidationError:
        raise BadName(f"{name!r} is no name: 1 to 60 characters without control characters.") from None


def _scopes(scopes: Sequence[str] | None) -> list[str]:
    """In the order of SCOPES, each once."""
    if scopes is None:
        return list(SCOPES)
    for scope in scopes:
        if scope not in SCOPES:
            raise UnknownScope(f"{scope!r} is no scope. The scopes are {', '.join(SCOPES)}.")
    return [scope for scope in SCOPES if scope in scopes]
