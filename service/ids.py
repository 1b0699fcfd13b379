"""Identifiers: the keys of rows, and the references that people read out.

A row's key is a UUIDv7 (RFC 9562): the milliseconds of its making, then random bits. Keys made one after the other in
one process ascend strictly, also when the clock stands still or goes back, so that rows inserted together lie
together in a clustered table.

A reference is 10 Crockford base32 symbols, 9 random and one check symbol. Stored without hyphen and in upper case
(`K7QX29PMD8`), shown with it (`K7QX2-9PMD8`). It is drawn from the system's random source: nobody can guess another
one from it. It may collide; the unique key that finds the collision asks for another.

Never take either as the order of commits, and never as a secret.
"""

import os
import time
from threading import Lock

_BLOCK_BYTES = 4096
"""Random bytes fetched at a time: one system call for some 400 keys."""

_TAIL_BITS = 74
_FRESH_MASK = (1 << (_TAIL_BITS - 1)) - 1
"""A millisecond's first tail leaves its top bit clear, so that the steps from it do not run into the timestamp."""

_LOW_MASK = (1 << 62) - 1
_VERSION = 0x7 << 12
_VARIANT = 0b10 << 62

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE_OF = {symbol: value for value, symbol in enumerate(_ALPHABET)}
_READ_AS = str.maketrans("ILO", "110", "-")
_RANDOM_SYMBOLS = 9
_REFERENCE_SYMBOLS = _RANDOM_SYMBOLS + 1
_REFERENCE_BITS = 5 * _RANDOM_SYMBOLS
_CHECK_MODULUS = 37


class _Source:
    """Random bits in blocks, and the last key made. A forked child starts anew, or it would make its parent's keys."""

    __slots__ = ("_block", "_last", "_lock", "_offset")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._lock = Lock()
        self._block = b""
        self._offset = _BLOCK_BYTES
        self._last = 0

    def _draw(self, length: int) -> int:
        offset = self._offset
        end = offset + length
        if end > _BLOCK_BYTES:
            self._block = os.urandom(_BLOCK_BYTES)
            offset, end = 0, length
        self._offset = end
        return int.from_bytes(self._block[offset:end])

    def next_ordinal(self) -> int:
        """Timestamp and tail as one number, above every earlier one."""
        with self._lock:
            last = self._last
            base = time.time_ns() // 1_000_000 << _TAIL_BITS
            # The same millisecond, or a clock that went back: a random step up. A carry out of the tail, which would
            # take 2^41 keys in one millisecond, moves the timestamp on and keeps the order.
            self._last = base | self._draw(10) & _FRESH_MASK if base > last else last + 1 + self._draw(4)
            return self._last

    def draw_reference(self) -> int:
        with self._lock:
            return self._draw(6) >> 48 - _REFERENCE_BITS


_source = _Source()
os.register_at_fork(after_in_child=_source.renew)


def new_id() -> bytes:
    """Sixteen bytes, greater than those of every earlier call in this process."""
    ordinal = _source.next_ordinal()
    stamp_and_head = ordinal >> 62
    high = stamp_and_head >> 12 << 16 | _VERSION | stamp_and_head & 0xFFF
    return (high << 64 | _VARIANT | ordinal & _LOW_MASK).to_bytes(16)


def made_at(identifier: bytes) -> int:
    """The milliseconds of a key's making, by the clock of the host that made it."""
    return int.from_bytes(identifier[:6])


def least_id(instant_ms: int) -> bytes:
    """What no key of this millisecond or a later one is below."""
    return instant_ms.to_bytes(6) + bytes(10)


def id_text(identifier: bytes) -> str:
    """The usual text of a UUID: 32 hexadecimal digits in five groups."""
    digits = identifier.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_reference() -> str:
    """A reference as it is stored: 10 symbols."""
    while True:
        value = _source.draw_reference()
        check = value % _CHECK_MODULUS
        if check < len(_ALPHABET):  # the other five have no alphanumeric symbol
            symbols = [_ALPHABET[value >> shift & 31] for shift in range(_REFERENCE_BITS - 5, -1, -5)]
            return "".join(symbols) + _ALPHABET[check]


def parse_reference(text: str) -> str:
    """The stored form of a reference as a person may have typed it.

    Takes any case and hyphens anywhere, `i` and `l` as 1, `o` as 0.

    Raises:
        ValueError: It has another length, another symbol, or its check symbol is wrong.
    """
    if not text.isascii():  # upper() would make ASCII letters of some others
        raise ValueError("a reference has only letters, digits and hyphens")
    stored = text.upper().translate(_READ_AS)
    if len(stored) != _REFERENCE_SYMBOLS:
        raise ValueError(f"a reference has {_REFERENCE_SYMBOLS} symbols besides hyphens")
    value = 0
    for symbol in stored[:_RANDOM_SYMBOLS]:
        if symbol not in _VALUE_OF:
            raise ValueError("a reference has only digits and letters without U")
        value = value << 5 | _VALUE_OF[symbol]
    if _VALUE_OF.get(stored[-1]) != value % _CHECK_MODULUS:
        raise ValueError("its last symbol, which checks the others, does not fit them")
    return stored


def show_reference(stored: str) -> str:
    """As people see it: `K7QX2-9PMD8`."""
    return f"{stored[:5]}-{stored[5:]}"
