"""What a pending reservation waits for: its request's lines, as they are kept in `reservations.wanted`."""

from typing import Any

import msgspec

from service.reservations.commands import BestAvailableLine, RequestLine, SeatsLine, StockLine

_KINDS: dict[str, type[Any]] = {"seats": SeatsLine, "best_available": BestAvailableLine, "stock": StockLine}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def write_wanted(lines: tuple[RequestLine, ...]) -> bytes:
    return msgspec.json.encode([(_NAMES[type(line)], line) for line in lines])


def read_wanted(stored: bytes | None) -> tuple[RequestLine, ...]:
    """The lines; none for a reservation that does not wait."""
    pairs = msgspec.json.decode(stored or b"[]", type=list[tuple[str, Any]])
    return tuple(msgspec.convert(line, _KINDS[kind]) for kind, line in pairs)
