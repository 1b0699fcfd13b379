"""What a running process offers its request handlers: opened by the lifespan (`app.py`), given along in each Call."""

import msgspec

from service.accounts.authenticate import Authenticator, Known
from service.database.store import Store
from service.http.rate_limit import RateLimits
from service.inventory.availability import AvailabilityReader
from service.reservations.command_engine import CommandEngine
from service.settings import Settings


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """One of each in a process. Nothing here is a global: a test opens as many as it likes."""

    settings: Settings
    store: Store
    engine: CommandEngine
    authenticator: Authenticator | Known
    rate_limits: RateLimits
    availability: AvailabilityReader
    keyed_operations: tuple[tuple[str, str], ...]  # method and route of each that takes an idempotency key
