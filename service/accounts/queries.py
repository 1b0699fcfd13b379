"""The SQL of accounts and API keys. Texts go in and come out as UTF-8 bytes; here they become `str`."""

from collections.abc import Sequence
from typing import Final

import msgspec

from service.database.drivers import Row
from service.database.transaction import Transaction, padded

ACCOUNT_COLUMNS: Final = ("id", "name", "hold_seconds", "hold_seconds_max", "created_at")
KEY_COLUMNS: Final = ("id", "account_id", "name", "prefix", "secret_hash", "scopes", "created_at")

SELECT_KEYS: Final = """
SELECT k.prefix, k.name, k.scopes, k.created_at, k.revoked_at, a.name
FROM api_keys k JOIN accounts a ON a.id = k.account_id
"""

SELECT_KEYS_IN_FORCE: Final = """
SELECT k.prefix, k.secret_hash, k.name, k.scopes, a.id, a.name
FROM api_keys k JOIN accounts a ON a.id = k.account_id
WHERE k.revoked_at IS NULL AND k.prefix IN ({})
"""


SELECT_ACCOUNTS: Final = "SELECT id, name, hold_seconds, hold_seconds_max FROM accounts"


class AccountRecord(msgspec.Struct, frozen=True):
    """An account as people know it, with the hold times of reservations of stock alone."""

    id: bytes
    name: str
    hold_seconds: int
    hold_seconds_max: int


class KeyRecord(msgspec.Struct, frozen=True):
    """An API key without its secret. Instants in ms; `revoked_at` is None while it is in force."""

    prefix: str
    name: str
    scopes: list[str]
    created_at: int
    revoked_at: int | None
    account_name: str


class KeyInForce(msgspec.Struct, frozen=True):
    """What it takes to recognise a key, and who calls with it."""

    prefix: str
    secret_hash: bytes
    name: str
    scopes: frozenset[str]
    account_id: bytes
    account_name: str


async def select_account(reader: Transaction, name: str) -> AccountRecord | None:
    found = await reader.rows(f"{SELECT_ACCOUNTS} WHERE name = ?", (name.encode(),))
    return _account(found[0]) if found else None


async def select_accounts(reader: Transaction) -> list[AccountRecord]:
    """All of them, by name."""
    return [_account(row) for row in await reader.rows(f"{SELECT_ACCOUNTS} ORDER BY name")]


async def insert_account(transaction: Transaction, row: tuple[object, ...]) -> None:
    """The row in the order of ACCOUNT_COLUMNS. Raises DuplicateKey where the name is taken."""
    await transaction.insert("accounts", ACCOUNT_COLUMNS, [row])


async def update_hold_times(transaction: Transaction, account_id: bytes, usual: int, most: int) -> None:
    sql = "UPDATE accounts SET hold_seconds = ?, hold_seconds_max = ? WHERE id = ?"
    await transaction.change(sql, (usual, most, account_id))


async def is_account(reader: Transaction, account_id: bytes) -> bool:
    return bool(await reader.rows("SELECT 1 FROM accounts WHERE id = ?", (account_id,)))


async def select_key(reader: Transaction, prefix: str) -> KeyRecord | None:
    found = await reader.rows(f"{SELECT_KEYS} WHERE k.prefix = ?", (prefix.encode(),))
    return _key(found[0]) if found else None


async def select_keys(reader: Transaction, account_id: bytes | None) -> list[KeyRecord]:
    """The keys of one account, or of all, revoked ones included; oldest first."""
    if account_id is None:
        return [_key(row) for row in await reader.rows(f"{SELECT_KEYS} ORDER BY k.id")]
    return [
        _key(row) for row in await reader.rows(f"{SELECT_KEYS} WHERE k.account_id = ? ORDER BY k.id", (account_id,))
    ]


async def select_key_names(reader: Transaction, account_id: bytes) -> list[str]:
    """Names of all keys that the account has ever had, each once."""
    rows = await reader.rows("SELECT DISTINCT name FROM api_keys WHERE account_id = ? ORDER BY name", (account_id,))
    return [row[0].decode() for row in rows]


async def select_keys_in_force(reader: Transaction, prefixes: Sequence[str]) -> dict[str, KeyInForce]:
    """By prefix; a prefix without a key in force is left out. At most 512 prefixes."""
    places, values = padded([prefix.encode() for prefix in prefixes])
    found = (_key_in_force(row) for row in await reader.rows(SELECT_KEYS_IN_FORCE.format(places), values))
    return {key.prefix: key for key in found}


async def insert_key(transaction: Transaction, row: tuple[object, ...]) -> None:
    """The row in the order of KEY_COLUMNS. Raises DuplicateKey where the prefix was drawn before."""
    await transaction.insert("api_keys", KEY_COLUMNS, [row])


async def update_key_revoked(transaction: Transaction, prefix: str, now: int) -> None:
    """The first revocation's time stays."""
    sql = "UPDATE api_keys SET revoked_at = ? WHERE prefix = ? AND revoked_at IS NULL"
    await transaction.change(sql, (now, prefix.encode()))


async def update_key_scopes(transaction: Transaction, prefix: str, scopes: Sequence[str]) -> None:
    await transaction.change("UPDATE api_keys SET scopes = ? WHERE prefix = ?", (scopes_text(scopes), prefix.encode()))


def scopes_text(scopes: Sequence[str]) -> bytes:
    return " ".join(scopes).encode()


def _account(row: Row) -> AccountRecord:
    identifier, name, hold_seconds, hold_seconds_max = row
    return AccountRecord(bytes(identifier), name.decode(), hold_seconds, hold_seconds_max)


def _key(row: Row) -> KeyRecord:
    prefix, name, scopes, created_at, revoked_at, account_name = row
    return KeyRecord(
        prefix=prefix.decode(),
        name=name.decode(),
        scopes=scopes.decode().split(),
        created_at=created_at,
        revoked_at=revoked_at,
        account_name=account_name.decode(),
    )


def _key_in_force(row: Row) -> KeyInForce:
    prefix, secret_hash, name, scopes, account_id, account_name = row
    return KeyInForce(
        prefix=prefix.decode(),
        secret_hash=bytes(secret_hash),
        name=name.decode(),
        scopes=frozenset(scopes.decode().split()),
        account_id=bytes(account_id),
        account_name=account_name.decode(),
    )
