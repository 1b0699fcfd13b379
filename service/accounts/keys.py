"""The text of an API key, `hf_<prefix>_<secret>`, and the scopes that a key may have. Pure.

The prefix finds the key's row and may be shown; the secret proves it. Only the secret's hash is stored: the secret has
160 random bits, so a fast hash is enough and nothing can be looked up from it.
Never log, store or show a secret; only `new_key_text` ever holds one to give it out.
"""

import re
import secrets
from base64 import b32encode
from hashlib import sha256
from typing import Final

import msgspec

SCOPES: Final[tuple[str, ...]] = (
    "inventory:read",
    "inventory:write",
    "reservations:read",
    "reservations:write",
    "payments:write",
    "customers:write",
    "webhooks:write",
    "ops",
)

_PREFIX_BYTES: Final = 5
_SECRET_BYTES: Final = 20

# Wider than what is made today, so that a longer secret needs no new reader; narrow enough to refuse junk unread.
_KEY: Final = re.compile(rb"hf_([a-z2-7]{8,32})_([a-z2-7]{32,128})")


class NewKeyText(msgspec.Struct, frozen=True):
    """A key just drawn: the whole text, to be shown once, and what is stored of it."""

    text: str
    prefix: str
    secret_hash: bytes


def new_key_text() -> NewKeyText:
    prefix, secret = _symbols(_PREFIX_BYTES), _symbols(_SECRET_BYTES)
    return NewKeyText(f"hf_{prefix}_{secret}", prefix, hash_of(secret.encode()))


def parse_key(text: bytes) -> tuple[str, bytes] | None:
    """Prefix and secret; None where it is no key of ours."""
    parts = _KEY.fullmatch(text)
    return None if parts is None else (parts[1].decode(), parts[2])


def hash_of(secret: bytes) -> bytes:
    return sha256(secret).digest()


def _symbols(length: int) -> str:
    return b32encode(secrets.token_bytes(length)).decode().rstrip("=").lower()
