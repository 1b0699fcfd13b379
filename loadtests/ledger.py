"""The ledger: what clients asked, and what they were told, written down by the clients themselves.

A file of JSON lines, appended to by one process. `Asked` is written before the first try of an operation, `Told` for
every complete final answer, a duplicate's too. Every line reaches the operating system before the client goes on, so a
client that is killed loses at most the line that it was writing; the next one to open the file cuts that rest off.

An operation is one wish of one client: one idempotency key, however often it is sent. A create carries the operation's
name as `customer`, which is no natural key, so that a second effect stays visible. Not final, and so never a `Told`:
a lost connection, 429, 503 and `idempotency-in-progress`.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import msgspec

RESERVATIONS = "/v1/reservations"


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """What was asked, before it was sent. `expects_failure`: the test makes it fail, so a 500 is no offence."""

    at: float
    operation: str
    key: str
    client: str
    method: str
    path: str
    body: str
    expects_failure: bool = False


class Told(msgspec.Struct, frozen=True, tag="told"):
    """A complete final answer, after so many tries. `replayed` is None where the answer does not say (not stored)."""

    at: float
    operation: str
    status: int
    replayed: bool | None
    body: str
    etag: str | None
    location: str | None
    tries: int


Entry = Asked | Told

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Entry)


class Ledger:
    """One process's ledger, open for appending; every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        # A lock even where greenlets take turns: a write to a full disk's file may be resumed half way.
        self._lock = Lock()
        self._file = path.open("ab", buffering=0)
        _cut_unfinished_line(path)

    def asked(
        self,
        operation: str,
        *,
        key: str,
        client: str,
        method: str,
        path: str,
        body: str,
        expects_failure: bool = False,
    ) -> None:
        self._append(Asked(time.time(), operation, key, client, method, path, body, expects_failure))

    def told(
        self,
        operation: str,
        *,
        status: int,
        replayed: bool | None,
        body: str,
        etag: str | None,
        location: str | None,
        tries: int,
    ) -> None:
        self._append(Told(time.time(), operation, status, replayed, body, etag, location, tries))

    def close(self) -> None:
        self._file.close()

    def _append(self, entry: Entry) -> None:
        line = _encode(entry) + b"\n"
        with self._lock:
            while line:
                line = line[self._file.write(line) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_ledger(path: Path) -> Iterator[Entry]:
    """The entries, one after the other. A last line without its end was never finished and is left out.

    Raises msgspec.DecodeError for any other line that is none.
    """
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield _decoder.decode(line)


def replayed_of(header: str | None) -> bool | None:
    """What the header `Idempotent-Replayed` says; None where there is none."""
    return None if header is None else header == "true"


def _cut_unfinished_line(path: Path) -> None:
    """Whoever was killed while it wrote the last line was told nothing yet."""
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        kept = end
        while kept:
            start = max(0, kept - 65_536)
            file.seek(start)
            newline = file.read(kept - start).rfind(b"\n")
            if newline >= 0:
                kept = start + newline + 1
                break
            kept = start
        if kept < end:
            file.truncate(kept)
