"""What the API says of accounts."""

import msgspec


class MeView(msgspec.Struct, frozen=True):
    """Who is calling. `key_name` is the principal that idempotency keys belong to."""

    account: str
    key_name: str
    scopes: list[str]
