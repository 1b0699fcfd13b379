"""The reservation business as the engine's domain: one attempt at a batch is read, decide, write."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from msgspec.structs import replace

from service.database.transaction import Transaction
from service.engine.batch import Attempt
from service.engine.hot_rows import Row
from service.idempotency.records import StoredAnswer
from service.ids import new_id, new_reference
from service.metrics import REPLAYS, TRANSITIONS
from service.names import section_of
from service.reservations.answers import answer_of, is_stored, message_bodies
from service.reservations.commands import Command, CreateReservation, ReservationCommand, lane_key, weight
from service.reservations.decide import Outcome, decide
from service.reservations.decide.claims import MoreSeatsNeeded
from service.reservations.load import FRONT_ROWS
from service.reservations.read import read_snapshot
from service.reservations.records import Reservation
from service.reservations.remembered import Queued, Remembered
from service.reservations.snapshot import Snapshot
from service.reservations.write import write_changes

REMEMBERED = 100_000
MORE_ROWS = 4


class ReservationDomain:
    """Reads, decides and writes batches; remembers how the actions on a reservation are to be queued."""

    def __init__(self, barrier_seconds: int) -> None:
        self._barrier_ms = barrier_seconds * 1000
        self._actions = Remembered(REMEMBERED)

    def queued(self, command: Command) -> Queued:
        """An action meets the commands for the units of its reservation, where this process knows them."""
        if isinstance(command, ReservationCommand):
            known = self._actions.get(command.account_id, command.reference)
            if known is not None:
                return known
        return Queued(lane_key(command), weight(command))

    async def attempt(
        self, transaction: Transaction, commands: Sequence[Command], batch_id: bytes, lock_rows: frozenset[Row]
    ) -> Attempt[StoredAnswer]:
        """See engine.batch.Domain."""
        await _lock(transaction, lock_rows)
        work, outcomes = await self._read_and_decide(transaction, commands)
        bodies = message_bodies(work.messages, work.now)
        answers: list[StoredAnswer] = []
        for command, outcome in zip(commands, outcomes, strict=True):
            answer = answer_of(command, outcome, bodies, work.now)
            if command.key is not None and is_stored(outcome) and command.key.scope_hash not in work.records:
                answer = replace(answer, expires_at=work.now + command.key.keep_ms)
            answers.append(answer)
        await write_changes(transaction, work, commands, outcomes, answers, bodies, batch_id)
        return Attempt(answers, work.messages)

    async def _read_and_decide(
        self, transaction: Transaction, commands: Sequence[Command]
    ) -> tuple[Snapshot, list[Outcome]]:
        front_rows: dict[bytes, int] = {}
        while True:
            work = await read_snapshot(transaction, commands, front_rows)
            draws = [(new_id(), new_reference() if isinstance(c, CreateReservation) else "") for c in commands]
            try:
                return work, decide(work, list(commands), draws, self._barrier_ms)
            except MoreSeatsNeeded as more:
                front_rows[more.event_id] = front_rows.get(more.event_id, FRONT_ROWS) * MORE_ROWS

    def committed(self, attempt: Attempt[StoredAnswer]) -> None:
        """See engine.batch.Domain."""
        replays = sum(answer.replayed is True for answer in attempt.answers)
        if replays:
            REPLAYS.labels("stored").inc(replays)
        actions: Counter[str] = Counter()
        for message in attempt.changes:
            if isinstance(message.subject, Reservation):
                actions[message.action] += 1
                self._remember(message.subject)
        for action, times in actions.items():
            TRANSITIONS.labels(action).inc(times)

    def _remember(self, reservation: Reservation) -> None:
        if not reservation.lines:
            return
        first = reservation.lines[0]
        place = first.place if first.is_stock or first.place is None else section_of(first.place)
        queued = Queued((reservation.account_id, first.name, place), len(reservation.lines))
        self._actions.put(reservation.account_id, reservation.reference, queued)


async def _lock(transaction: Transaction, rows: frozenset[Row]) -> None:
    """Wait for hot rows inside the transaction, in one sorted order; versions would decide without it, too."""
    for table, of_table in groupby(sorted(rows), key=itemgetter(0)):
        await transaction.lock(table, [row_id for _, row_id in of_table])
