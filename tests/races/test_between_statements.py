"""Another transaction commits between two statements of a batch (MySQL family: on SQLite a batch is alone).

It comes at the worst moment on purpose, on a connection of its own, into the real reads and writes.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import pytest

from service.database.drivers import Row, Values
from service.database.errors import Conflict
from service.database.store import Store
from service.database.transaction import Transaction
from service.engine.batch import RowsChanged
from service.engine.hot_rows import Row as HotRow
from service.ids import new_id
from service.reservations import commands as c
from service.reservations.attempt import ReservationDomain
from service.reservations.command_engine import CommandEngine
from service.reservations.sweep import sweep_lapsed
from tests.accounts import Account, on_store
from tests.api.reading import expired, held, moment, seat_states
from tests.make import put_event, put_stock, wait_until
from tests.races.databases import audit_now

SEAT = "1-A-1"
UNITS: dict[str, tuple[dict[str, object], c.RequestLine]] = {
    "the seat": ({"event": "final", "seats": [SEAT]}, c.SeatsLine(1, "final", (SEAT,))),
    "the best seat": ({"event": "final", "seats": [SEAT]}, c.BestAvailableLine(1, "final", 1)),
    "the last units": ({"sku": "NW-001", "quantity": 3}, c.StockLine(1, "NW-001", "default", 3)),
}


class Watched(Transaction):
    """A transaction that waits for `before` with each statement that it is asked, and then does it."""

    def __init__(self, inner: Transaction, before: Callable[[str, Values], Awaitable[None]]) -> None:
        super().__init__(inner.connection, inner.dialect, inner.silence.seconds)
        self.silence = inner.silence
        self._before = before

    async def rows(self, sql: str, values: Values = ()) -> Sequence[Row]:
        await self._before(sql, values)
        return await super().rows(sql, values)

    async def change(self, sql: str, values: Values = ()) -> int:
        await self._before(sql, values)
        return await super().change(sql, values)


def interrupted(
    inner: Transaction, words: str, happen: Callable[[], Awaitable[object]], kind: type[Watched] = Watched
) -> Transaction:
    """A transaction in which something else happens once, right before the first statement that says `words`."""
    left = [happen]

    async def before(sql: str, _values: Values) -> None:
        if left and f" {words} " in f" {sql} ":
            await left.pop()()

    return kind(inner, before)


def noted(inner: Transaction, notes: list[tuple[str, Values]]) -> Transaction:
    """A transaction that notes what it is asked."""

    async def before(sql: str, values: Values) -> None:
        notes.append((sql, values))

    return Watched(inner, before)


@pytest.mark.parametrize(("line", "wanted"), UNITS.values(), ids=UNITS)
def test_units_that_are_swept_while_they_are_read_are_not_refused(
    unswept: Account, line: dict[str, object], wanted: c.RequestLine
) -> None:
    """They were free before and after, so the batch that saw them as held must not refuse who wants them."""
    put_event(unswept, seats=[SEAT])
    put_stock(unswept, on_hand=3)
    old = held(unswept, [line], hold_seconds=1)
    create = c.CreateReservation(account_id=unswept.id, actor="default", lines=(wanted,), hold_seconds=60)
    end = moment(old["hold_expires_at"])
    wait_until(lambda: datetime.now(UTC) >= end)

    async def race(store: Store) -> list[int]:
        engine = CommandEngine(store, store.settings)
        await engine.start()
        sweep = partial(sweep_lapsed, store, engine, limit=10)
        domain, no_locks = ReservationDomain(60), frozenset[HotRow]()

        async def attempt(sweeps: bool) -> list[int]:
            batch_id = new_id()
            async with store.begin(batch_id) as begun:
                transaction = interrupted(begun, "reservation_lines", sweep) if sweeps else begun
                attempted = await domain.attempt(transaction, [create], batch_id, no_locks)
            return [answer.status for answer in attempted.answers]

        try:
            return await attempt(sweeps=True)
        except Conflict:  # what the engine does then
            return await attempt(sweeps=False)
        finally:
            await engine.drain()

    assert on_store(unswept.database_url, race) == [201]
    expired(unswept, old["reference"])
    audit_now(unswept.database_url)


def test_one_row_that_another_moved_is_named_alone_with_the_command_that_wants_it(unswept: Account) -> None:
    """The batch's own UPDATE has moved the five others by then, and nothing of that may be taken for another's."""
    labels = [f"1-A-{number}" for number in range(1, 7)]
    put_event(unswept, seats=labels)

    def take(label: str) -> c.CreateReservation:
        return c.CreateReservation(
            account_id=unswept.id, actor="default", lines=(c.SeatsLine(1, "final", (label,)),), hold_seconds=60
        )

    async def race(store: Store) -> tuple[RowsChanged, bytes]:
        engine = CommandEngine(store, store.settings)
        await engine.start()
        rival = partial(engine.submit, take(labels[3]))
        domain, batch_id = ReservationDomain(60), new_id()
        with pytest.raises(RowsChanged) as lost:  # noqa: PT012 - the transaction ends by it
            async with store.begin(batch_id) as begun:
                watched = interrupted(begun, "UPDATE seats", rival)
                await domain.attempt(watched, [take(label) for label in labels], batch_id, frozenset())
        await engine.drain()
        async with store.read() as reader:
            rows = await reader.rows("SELECT id FROM seats WHERE seat = ?", (labels[3].encode(),))
        return lost.value, bytes(rows[0][0])

    lost, moved = on_store(unswept.database_url, race)
    assert (lost.rows, lost.positions) == ({("seats", moved)}, {3})
    assert [label for label, state in seat_states(unswept).items() if state == "held"] == [labels[3]]
    audit_now(unswept.database_url)


def test_rows_of_several_updates_are_locked_before_in_the_order_of_all_batches(unswept: Account) -> None:
    """A hold, a confirm and a release change their seats by three UPDATEs: two such batches could cross."""
    labels = [f"1-A-{number}" for number in range(1, 5)]
    put_event(unswept, seats=labels)
    line = partial(c.SeatsLine, 1, "final")
    old = [held(unswept, [{"event": "final", "seats": [label]}])["reference"].replace("-", "") for label in labels[:3]]
    usual = {"account_id": unswept.id, "actor": "default"}
    batch = [
        c.ConfirmReservation(**usual, reference=old[2]),
        c.ReleaseReservation(**usual, reference=old[1]),
        c.CreateReservation(**usual, lines=(line((labels[3],)),), hold_seconds=60),
        c.ConfirmReservation(**usual, reference=old[0]),
    ]

    async def statements(store: Store) -> list[tuple[str, Values]]:
        batch_id, notes = new_id(), list[tuple[str, Values]]()
        async with store.begin(batch_id) as begun:
            await ReservationDomain(60).attempt(noted(begun, notes), batch, batch_id, frozenset())
        return notes

    of_seats = [(sql, values) for sql, values in on_store(unswept.database_url, statements) if " seats " in sql]
    locks = [(at, values) for at, (sql, values) in enumerate(of_seats) if sql.endswith("FOR UPDATE")]
    updates = [(at, values) for at, (sql, values) in enumerate(of_seats) if sql.startswith("UPDATE")]
    assert (len(locks), len(updates)) == (1, 3)
    ((locked_at, locked),) = locks
    assert list(locked) == sorted({cell for _, values in updates for cell in values if isinstance(cell, bytes)})
    assert all(at > locked_at for at, _ in updates)
