"""Scope of an idempotency key: within what it is unique.

One hash over account, principal, method, route and key, so that nobody's key meets another's (R10), and so that one
narrow unique index finds and guards them all (R3).
"""

from hashlib import sha256

from service.idempotency.fingerprint import length_prefixed


def scope_hash(account_id: bytes, principal: str, method: str, route: str, key: str) -> bytes:
    """32 bytes. `principal` is the name of the API key, which outlives its rotation; `route` is the template."""
    parts = (principal, method, route, key)
    return sha256(length_prefixed(account_id, *[part.encode() for part in parts])).digest()
