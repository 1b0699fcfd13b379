"""The ledgers' operations: what each asked and was told. Answers to one operation must all be one and the same.

Kept as digests, so that memory is a few hundred bytes an operation, whatever its bodies are.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from loadtests.ledger import RESERVATIONS, Asked, Told, read_ledger
from loadtests.verifier.asked_lines import misfit
from loadtests.verifier.verdict import Findings

LEAST_REFUSAL, LEAST_FAILURE = 400, 500
# What counts down between two looks at one version of a reservation.
REMAINING = re.compile(rb'"hold_remaining_s":\d+')

Version = tuple[str, int]
"""A reservation's reference, without hyphen, and a version of it."""


class Shown(msgspec.Struct, frozen=True):
    """What of an answer says which reservation it shows, and how it stands."""

    reference: str
    version: int
    state: str
    lines: msgspec.Raw


class Operation(msgspec.Struct, gc=False):
    """One operation. `status` is 0 while it was told nothing; `firsts` counts answers that were no replays."""

    name: str
    request: bytes = b""
    path: str = ""
    wanted: str = ""
    expects_failure: bool = False
    status: int = 0
    answer: bytes = b""
    body: bytes = b""
    body_at_any_time: bytes = b""
    version: Version = ("", 0)
    firsts: int = 0
    is_told_apart: bool = False
    found: int = 0
    is_lost: bool = False

    @property
    def is_asked(self) -> bool:
        return bool(self.path)

    @property
    def is_create(self) -> bool:
        return self.path == RESERVATIONS

    @property
    def is_success(self) -> bool:
        return 0 < self.status < LEAST_REFUSAL

    @property
    def action(self) -> Version | tuple[str, str]:
        """The reservation that it acts on, and the action; of any other path whatever stands there."""
        _, _, rest = self.path.partition(f"{RESERVATIONS}/")
        reference, _, action = rest.partition("/")
        return stored_reference(reference), action


class Operations:
    """All operations of some ledgers, by name, and those that were told a reservation's version."""

    def __init__(self) -> None:
        self.by_name: dict[str, Operation] = {}
        self.told_of: dict[Version, list[Operation]] = {}
        self.asked = self.told = self.replays = self.tries = 0

    def unanswered_actions(self) -> Counter[tuple[str, str]]:
        """How many actions of a kind on a reservation were never answered: any of them may have happened."""
        return Counter(
            (str(op.action[0]), str(op.action[1]))
            for op in self.by_name.values()
            if not op.status and op.is_asked and not op.is_create
        )

    def of(self, name: str) -> Operation:
        found = self.by_name.get(name)
        if found is None:
            found = self.by_name[name] = Operation(name)
        return found


def read_operations(paths: Iterable[Path], findings: Findings) -> Operations:
    """Reads the ledgers and judges the answers to each operation among themselves."""
    operations = Operations()
    for path in paths:
        for entry in read_ledger(path):
            if isinstance(entry, Asked):
                _note_asked(operations, entry, findings)
            else:
                _note_told(operations, entry, findings)
    for op in operations.by_name.values():
        _judge(op, findings)
    return operations


def _note_asked(operations: Operations, asked: Asked, findings: Findings) -> None:
    operations.asked += 1
    op = operations.of(asked.operation)
    request = digest(asked.key, asked.method, asked.path, asked.body)
    if not op.is_asked:
        op.request, op.path, op.expects_failure = request, asked.path, asked.expects_failure
        op.wanted = asked.body if op.is_create else ""
    elif op.request != request:  # a client that was started again asks once more, but the same
        findings.add("untrue", f"{op.name} was asked twice, and not the same: the ledger is wrong")


def _note_told(operations: Operations, told: Told, findings: Findings) -> None:
    operations.told += 1
    operations.tries += told.tries
    operations.replays += told.replayed is True
    op = operations.of(told.operation)
    op.firsts += told.replayed is False
    # An answer that no record keeps is a new one each time, with a new instance; it must be of one kind, though.
    is_fleeting = told.replayed is None and told.status >= LEAST_REFUSAL
    answer = digest(told.status) if is_fleeting else digest(told.status, told.body, told.etag, told.location)
    if op.status:
        op.is_told_apart |= answer != op.answer
        return
    op.status, op.answer = told.status, answer
    if op.is_success and op.path.startswith(RESERVATIONS):
        _note_shown(operations, op, told, findings)
    op.wanted = ""


def _note_shown(operations: Operations, op: Operation, told: Told, findings: Findings) -> None:
    shown = msgspec.json.decode(told.body, type=Shown)
    body = told.body.encode()
    op.version = (stored_reference(shown.reference), shown.version)
    op.body, op.body_at_any_time = digest(body), at_any_time(body)
    operations.told_of.setdefault(op.version, []).append(op)
    if told.etag != f'"{shown.version}"':
        findings.add("untrue", f"{op.name} was told version {shown.version} with the ETag {told.etag}")
    if op.is_create:
        if told.location != f"{RESERVATIONS}/{shown.reference}":
            findings.add("untrue", f"{op.name} was told {shown.reference} at {told.location}")
        if words := misfit(op.wanted, shown.lines):
            findings.add("untrue", f"{op.name} was told {shown.reference}, {words}")


def _judge(op: Operation, findings: Findings) -> None:
    if not op.is_asked:
        findings.add("untrue", f"{op.name} was told something that nobody asked: the ledger is wrong")
    if op.firsts > 1:
        findings.add("doubled", f"{op.name} ({op.path}) was carried out {op.firsts} times, as told")
    if op.is_told_apart:
        findings.add("untrue", f"{op.name} ({op.path}) was told different answers")
    if op.status >= LEAST_FAILURE and not op.expects_failure:
        findings.add("untrue", f"{op.name} ({op.path}) was told {op.status}")


def stored_reference(shown: str) -> str:
    return shown.replace("-", "")


def at_any_time(body: bytes) -> bytes:
    """Digest of a body without the seconds that a hold has left."""
    return digest(REMAINING.sub(b"", body))


def digest(*parts: object) -> bytes:
    """16 bytes that stand for the parts, None told from an empty one."""
    whole = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part if isinstance(part, bytes) else b"" if part is None else str(part).encode()
        whole.update(f"{-1 if part is None else len(data)}:".encode())
        whole.update(data)
    return whole.digest()
