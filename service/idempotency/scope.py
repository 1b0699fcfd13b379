"""Scope of an idempotency key: within what it is unique.

One hash over account, principal, method, route and key, so that nobody's key meets another's (R10), and so that one
narrow unique index finds and guards them all (R3).
"""

import hashlib
from functools import lru_cache
from hashlib import sha256

from service.idempotency.fingerprint import length_prefixed


def scope_hash(account_id: bytes, principal: str, method: str, route: str, key: str) -> bytes:
    """32 bytes. `principal` is the name of the API key, which outlives its rotation; `route` is the template."""
    begun = _begun(account_id, principal, method, route).copy()
    begun.update(length_prefixed(key.encode()))
    return begun.digest()


@lru_cache(maxsize=1024)
def _begun(account_id: bytes, principal: str, method: str, route: str) -> "hashlib._Hash":
    """The hash of all but the key, which alone differs from request to request."""
    return sha256(length_prefixed(account_id, *[part.encode() for part in (principal, method, route)]))
