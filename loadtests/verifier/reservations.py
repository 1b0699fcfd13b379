"""A walk over the account's reservations, each with its messages and lines, held against what clients were told.

That the versions of each are one chain is `version_chain.py`'s to say.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec

from loadtests import version_chain
from loadtests.verifier.asked_lines import ShownLine
from loadtests.verifier.moments import JOINS, moment_of
from loadtests.verifier.operations import Operation, Operations, at_any_time, digest
from loadtests.verifier.rows import Row, Rows, pages, text
from loadtests.verifier.units import Units
from loadtests.verifier.verdict import Findings

CLOCK = "worker"
CLIENTS_ACTIONS = frozenset({"confirm", "extend", "release", "cancel"})
LIVE = frozenset({"held", "confirmed"})

RESERVATIONS = """
SELECT id, reference, customer, state, version FROM reservations WHERE account_id = ? AND id > ? ORDER BY id"""

MESSAGES = """
SELECT m.subject_id, m.version, m.from_state, m.to_state, m.action, m.batch_id, m.actor, {moment}, m.body
FROM messages m {joins} WHERE m.account_id = ? AND m.subject_id IN ({places}) ORDER BY m.subject_id, m.version"""

LINES = """
SELECT reservation_id, line, inventory_id, seat_id, live, name, place, quantity, amount, currency, released_at
FROM reservation_lines WHERE reservation_id IN ({}) ORDER BY reservation_id, line"""

MESSAGES_COUNTED = """
SELECT COUNT(*) FROM messages WHERE account_id = ? AND (from_state IS NOT NULL OR to_state IS NOT NULL)"""


class Step(msgspec.Struct, frozen=True):
    """One message of a reservation, and the lines that it shows. `moment` orders it among the others (`moments.py`)."""

    version: int
    source: str | None
    target: str
    action: str
    batch: bytes
    actor: str
    moment: int
    body: bytes
    lines: list[ShownLine]


class Stored(msgspec.Struct, frozen=True):
    """A reservation as the database has it."""

    id: bytes
    reference: str
    customer: str | None
    state: str
    version: int
    steps: list[Step]
    lines: Sequence[Row]


class _Body(msgspec.Struct, frozen=True):
    lines: list[ShownLine]


def judge_reservations(rows: Rows, account_id: bytes, operations: Operations, units: Units, findings: Findings) -> int:
    """Judges every reservation, both ways; returns how many there are. `units` learns what each of them claims."""
    walk = _Walk(operations, units, findings)
    count = messages = 0
    for stored in _all_stored(rows, account_id):
        count += 1
        messages += len(stored.steps)
        walk.judge(stored)
    (written,) = rows.select(MESSAGES_COUNTED, (account_id,))[0]
    if written != messages:
        findings.add("untrue", f"{written - messages} messages tell of reservations that do not exist")
    _judge_what_was_not_met(operations, findings)
    return count


def _all_stored(rows: Rows, account_id: bytes) -> Iterator[Stored]:
    moment = moment_of(rows, account_id)
    for page in pages(rows, RESERVATIONS, account_id):
        ids = [bytes(row[0]) for row in page]
        places = ", ".join("?" * len(ids))
        sql = MESSAGES.format(moment=moment, joins=JOINS, places=places)
        steps = _by_first(rows.select(sql, (account_id, *ids)))
        lines = _by_first(rows.select(LINES.format(places), ids))
        for id_, reference, customer, state, version in page:
            own = bytes(id_)
            yield Stored(
                id=own,
                reference=bytes(reference).decode(),
                customer=text(customer),
                state=bytes(state).decode(),
                version=version,
                steps=[_step(row) for row in steps.get(own, ())],
                lines=lines.get(own, ()),
            )


def _by_first(rows: Sequence[Row]) -> dict[bytes, list[Row]]:
    return {bytes(own): list(group) for own, group in groupby(rows, key=lambda row: row[0])}


def _step(row: Row) -> Step:
    _, version, source, target, action, batch, actor, moment, body = row
    return Step(
        version=version,
        source=text(source),
        target=bytes(target or b"").decode(),
        action=bytes(action).decode(),
        batch=bytes(batch),
        actor=bytes(actor).decode(),
        moment=moment,
        body=bytes(body),
        lines=msgspec.json.decode(body, type=_Body).lines,
    )


class _Walk:
    """What has to be known from one reservation to the next."""

    def __init__(self, operations: Operations, units: Units, findings: Findings) -> None:
        self._operations = operations
        self._unanswered = operations.unanswered_actions()
        self._units = units
        self._findings = findings

    def judge(self, stored: Stored) -> None:
        self._judge_chain(stored)
        self._judge_origin(stored)
        self._judge_told(stored)
        self._judge_lines(stored)
        self._units.note_steps([(step.moment, _live(step)) for step in stored.steps])
        self._units.note_lines(stored.reference, stored.state, stored.lines)

    def _untrue(self, stored: Stored, words: str) -> None:
        self._findings.add("untrue", f"reservation {stored.reference} {words}")

    def _judge_chain(self, stored: Stored) -> None:
        own = stored.reference
        changes = [
            version_chain.Change(own, step.version, step.source, step.target, step.action, step.batch)
            for step in stored.steps
        ]
        for offence in version_chain.check_chains(changes, [version_chain.Row(own, stored.version, stored.state)]):
            self._untrue(stored, f"has no one chain of versions: {offence.words}")

    def _judge_origin(self, stored: Stored) -> None:
        """Every reservation is of one operation, and no operation has two."""
        op = self._operations.by_name.get(stored.customer or "")
        if op is None or not op.is_create:
            self._untrue(stored, f"is of {stored.customer}, whom nobody knows")
            return
        op.found += 1
        if op.found > 1:
            self._findings.add("doubled", f"{op.name} has {op.found} reservations, {stored.reference} is one of them")
        elif op.is_success and op.version[0] != stored.reference:
            self._untrue(stored, f"is of {op.name}, which was told of {op.version[0]}")
        if op.status and not op.is_success:
            self._untrue(stored, f"is of {op.name}, which was refused with {op.status}")

    def _judge_told(self, stored: Stored) -> None:
        for step in stored.steps:
            told = self._operations.told_of.pop((stored.reference, step.version), ())
            for op in told:
                if op.body == digest(step.body):
                    continue
                # An action that found all done already shows the version of another one, some seconds later.
                if op.is_create or op.body_at_any_time != at_any_time(step.body):
                    self._untrue(stored, f"was shown to {op.name} in version {step.version}, with another body")
            if step.action in CLIENTS_ACTIONS and step.actor != CLOCK:
                self._judge_cause(stored, step, told)

    def _judge_cause(self, stored: Stored, step: Step, told: Sequence[Operation]) -> None:
        """What a client has done was told to one, or is of one that never had its answer. Else it was done twice."""
        cause = (stored.reference, step.action)
        if any(op.action == cause for op in told):
            return
        if self._unanswered[cause] > 0:
            self._unanswered[cause] -= 1
            return
        words = f"version {step.version} of {stored.reference} is a {step.action} that nobody was told of"
        self._findings.add("doubled", words)

    def _judge_lines(self, stored: Stored) -> None:
        if not stored.steps:
            return
        shown = [
            (line.line, line.name, line.place, line.quantity, line.amount, line.currency, line.released_at is not None)
            for line in stored.steps[-1].lines
        ]
        there = [
            (number, text(name), text(place), quantity, amount, text(currency), released_at is not None)
            for _, number, _, _, _, name, place, quantity, amount, currency, released_at in stored.lines
        ]
        if shown != there:
            self._untrue(stored, f"has lines {there}, and its last message shows {shown}")
        live = [row[1] for row in stored.lines if row[4] is not None]
        if live != [line.line for line in _live(stored.steps[-1])]:
            self._untrue(stored, f"is {stored.state}, and its live lines are {live}")


def _live(step: Step) -> list[ShownLine]:
    """The lines that claim units after this step."""
    return [line for line in step.lines if line.released_at is None] if step.target in LIVE else []


def _judge_what_was_not_met(operations: Operations, findings: Findings) -> None:
    for (reference, version), told in operations.told_of.items():
        for op in told:
            op.is_lost = True
            findings.add("lost", f"{op.name} was told version {version} of {reference}, which is not there")
    for op in operations.by_name.values():
        if op.is_create and op.is_success and not op.found and not op.is_lost:
            findings.add("lost", f"{op.name} was told {op.version[0]}, which is not its own")
