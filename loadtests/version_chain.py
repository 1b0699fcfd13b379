"""Judges the history of concurrent commands: the versions of each reservation and stock item are one chain (R4, R5).

Pure: it reads no database and no clock, and trusts no order that it was not promised. Linear in time. `check_chains`
keeps one subject in memory at a time, `RealTimeOrder` one number for each subject and each running operation.

The auditor asks the same of the rows by SQL joins. What stands only here: forks are told from doubles, a batch that
comes twice in one chain, and everything that clients were told. Nothing of the service is asked.

What it must never do: mend, reorder or skip what it is given. Streams out of order are a ValueError, not an offence.
"""

from collections.abc import Iterable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

STEPS = frozenset(
    {
        (None, "create", "held"),
        (None, "create", "pending"),
        ("pending", "hold", "held"),
        ("pending", "release", "released"),
        ("pending", "expire", "expired"),
        ("held", "extend", "held"),
        ("held", "confirm", "confirmed"),
        ("held", "release", "released"),
        ("held", "release", "held"),
        ("held", "expire", "expired"),
        ("expired", "confirm", "confirmed"),
        ("confirmed", "cancel", "cancelled"),
        ("confirmed", "cancel", "confirmed"),
        (None, "adjust", None),
    }
)
"""A table of this module's own: what the service believes to be allowed is what is being judged.

A stock item has no states; each of its versions is an adjustment.
"""

TERMINAL = frozenset({"released", "expired", "cancelled"})


class Change(NamedTuple):
    """A row of the history: version `version` of `subject`; `batch` is the transaction's, None where it is unknown."""

    subject: str
    version: int
    source: str | None
    target: str | None
    action: str
    batch: bytes | None = None


class Row(NamedTuple):
    """The subject as it is now; of a stock item `state` is None and `version` that of its definition."""

    subject: str
    version: int
    state: str | None = None


class Told(NamedTuple):
    """What a client was told of a version; `state` is None where the answer did not say."""

    subject: str
    version: int
    state: str | None = None


class Offence(NamedTuple):
    """`kind` is one word for counting, `words` a sentence for people."""

    subject: str
    kind: str
    words: str


class _Subject(Protocol):
    @property
    def subject(self) -> str: ...

    @property
    def version(self) -> int: ...


Item = TypeVar("Item", bound=_Subject)


def check_chains(changes: Iterable[Change], rows: Iterable[Row], told: Iterable[Told] = ()) -> Iterator[Offence]:
    """Every offence, subject by subject. Each stream must ascend by (subject, version); else ValueError.

    Kinds: `beginning`, `gap`, `double`, `fork`, `step`, `source`, `end`, `batch` (of one change after the other),
    `row` (the row is not what the history ends with), `told` (a client was told what the history does not have).
    """
    history, present, answers = _Stream("changes", changes), _Stream("rows", rows), _Stream("told", told)
    while heads := [stream.head.subject for stream in (history, present, answers) if stream.head is not None]:
        subject = min(heads)
        yield from _judge(subject, history, present, answers)


class _Stream(Generic[Item]):
    """A stream that can be looked at before it is taken from."""

    def __init__(self, name: str, items: Iterable[Item]) -> None:
        self._name = name
        self._items = iter(items)
        self.head: Item | None = next(self._items, None)

    def take(self, subject: str, up_to: int | None = None) -> Iterator[Item]:
        """Of one subject all, or those up to a version."""
        while (item := self.head) is not None and item.subject == subject and (up_to is None or item.version <= up_to):
            self.head = next(self._items, None)
            if self.head is not None and (self.head.subject, self.head.version) < (subject, item.version):
                place = f"{self.head.subject} {self.head.version} comes after {subject} {item.version}"
                raise ValueError(f"{self._name} must ascend by subject and version, and {place}")
            yield item


def _judge(subject: str, history: _Stream[Change], present: _Stream[Row], told: _Stream[Told]) -> Iterator[Offence]:
    chain = _Chain(subject)
    for change in history.take(subject):
        yield from chain.add(change)
        for answer in told.take(subject, change.version):
            if answer.version != change.version or answer.state not in {None, *chain.targets}:
                yield _untrue(answer, f"its history has {change.target} at version {change.version}")
    for answer in told.take(subject):
        yield _untrue(answer, f"its history ends with version {chain.version}")
    found = list(present.take(subject))
    yield from chain.compare(found)


def _untrue(told: Told, but: str) -> Offence:
    return Offence(told.subject, "told", f"a client was told {told.state} at version {told.version}, and {but}")


class _Chain:
    """The history of one subject as far as it was read; `targets` are the states that its last version left."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._last: Change | None = None
        self._batches: set[bytes] = set()
        self.targets: set[str | None] = set()

    @property
    def version(self) -> int:
        """0 before the first."""
        return 0 if self._last is None else self._last.version

    def add(self, change: Change) -> Iterator[Offence]:
        last = self._last
        if last is not None and change.version == last.version:
            self.targets.add(change.target)
            yield self._twice(last, change)
            return
        yield from self._step(last, change)
        yield from self._batch(last, change)
        self._last, self.targets = change, {change.target}

    def _twice(self, last: Change, change: Change) -> Offence:
        same = (last.action, last.source, last.target) == (change.action, change.source, change.target)
        words = f"is {last.action} to {last.target} and {change.action} to {change.target}"
        return self._offence("double" if same else "fork", f"version {change.version} {words}")

    def _step(self, last: Change | None, change: Change) -> Iterator[Offence]:
        named = f"version {change.version}, {change.action} from {change.source} to {change.target},"
        if (change.source, change.action, change.target) not in STEPS:
            yield self._offence("step", f"{named} is not in the state table")
        if last is None:
            if change.version != 1:
                yield self._offence("beginning", f"{named} is the first")
            elif change.source is not None:
                yield self._offence("source", f"{named} has nothing before it")
            return
        if change.version != last.version + 1:
            yield self._offence("gap", f"{named} comes after version {last.version}")
        elif change.source != last.target:
            yield self._offence("source", f"{named} comes after one that left {last.target}")
        if last.target in TERMINAL and (last.target, change.action) != ("expired", "confirm"):
            yield self._offence("end", f"{named} comes after the end")

    def _batch(self, last: Change | None, change: Change) -> Iterator[Offence]:
        """A batch is one transaction: what others commit cannot stand between two of its versions."""
        if change.batch is None or (last is not None and change.batch == last.batch):
            return
        if change.batch in self._batches:
            words = f"version {change.version} is of batch {change.batch.hex()}, others came since its version before"
            yield self._offence("batch", words)
        self._batches.add(change.batch)

    def compare(self, rows: list[Row]) -> Iterator[Offence]:
        if len(rows) != 1:
            yield self._offence("row", f"it has {len(rows)} rows, and its history has {self.version} versions")
        for row in rows:
            if row.version != self.version:
                yield self._offence("row", f"its row is at version {row.version}, its history at {self.version}")
            elif self.targets != {row.state}:
                left = " and ".join(sorted(str(target) for target in self.targets))
                yield self._offence("row", f"its row is {row.state}, its history ends with {left}")

    def _offence(self, kind: str, words: str) -> Offence:
        return Offence(self._subject, kind, words)


class RealTimeOrder:
    """An answer that began after another ended is not older: nobody ever sees a subject go back.

    Calls must come in the order in which things happened. An operation is asked once and told once: a later duplicate
    rightly replays what is old, and is not judged. Who keeps a ledger writes `ask` before the first byte is sent and
    `tell` after the last was received, so an operation only ever seems longer than it was.
    """

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._floors: dict[str, tuple[str, int]] = {}

    def ask(self, operation: str, subject: str | None = None) -> None:
        """`subject` is what the operation names; a create names none, and nothing is older than it."""
        if subject is not None:
            self._floors[operation] = (subject, self._newest.get(subject, 0))

    def tell(self, operation: str, subject: str, version: int) -> Offence | None:
        """The offence if this answer is older than one that had ended before it was asked for."""
        named, floor = self._floors.pop(operation, (subject, 0))
        if named != subject:
            return Offence(named, "told", f"{operation} asked for it and was told of {subject}")
        if version > self._newest.get(subject, 0):
            self._newest[subject] = version
        if version >= floor:
            return None
        return Offence(subject, "stale", f"{operation} was told version {version} after {floor} had been told")
