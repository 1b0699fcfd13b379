"""Everything that one batch needs, read before anything is decided; the database's clock, too.

Seats are read before the pools that count who waits, which come with their events: a newcomer that sees a freed seat
then also sees a waiter who was there when it was freed. Taking a unit of a lapsed hold ends that whole reservation, so
lapsed holders are read with all their lines; who waits is read with all that they want. Names are looked up within
their account only (R10).
"""

from collections.abc import Iterable, Mapping, Sequence

from service.database.transaction import Transaction
from service.idempotency.records import select_records
from service.reservations.commands import (
    AdjustStock,
    BlockSeats,
    Command,
    ConfirmReservation,
    CreateReservation,
    MendCommand,
    PromoteWaiting,
    PutStock,
    RequestLine,
    ReservationCommand,
    SeatsLine,
    StockLine,
)
from service.reservations.load import Loader
from service.reservations.read_counted import read_counted
from service.reservations.records import StockName
from service.reservations.snapshot import Snapshot
from service.reservations.wanted import read_wanted

Wanted = tuple[bytes, RequestLine]


async def read_snapshot(
    transaction: Transaction, commands: Sequence[Command], front_rows: Mapping[bytes, int] | None = None
) -> Snapshot:
    """The snapshot for these commands. `front_rows` says of how many rows of an event, where not the usual."""
    hashes = [command.key.scope_hash for command in commands if command.key is not None]
    work = Snapshot(*await select_records(transaction, hashes))
    fresh = [command for command in commands if not _is_replay(work, command)]
    if not fresh:
        return work
    load = Loader(transaction, work, front_rows or {})
    await _read_names(load, fresh)
    wanted = [wanted for command in fresh for wanted in (*_wanted(command), *_taken_besides(work, command))]
    await load.seats_wanted(wanted)
    await load.lapsed_holders(wanted)
    await load.events_and_pools()
    # Who waits for one pool may wait for others, too, where somebody else is before them.
    named = _pools_named(fresh)
    while waiting := await load.waiting(named):
        theirs = [(r.account_id, line) for r in waiting for line in read_wanted(r.wanted)]
        await _read_wanted_names(load, theirs)
        await load.seats_wanted(theirs)
        await load.lapsed_holders(theirs)
        await load.events_and_pools()
    await read_counted(load, [command for command in fresh if isinstance(command, MendCommand)])
    return work


def _is_replay(work: Snapshot, command: Command) -> bool:
    """Whether the record alone answers it; another request with a used key is first looked up, then refused."""
    record = None if command.key is None else work.records.get(command.key.scope_hash)
    return record is not None and command.key is not None and record.fingerprint == command.key.fingerprint


async def _read_names(load: Loader, commands: Sequence[Command]) -> None:
    """Whatever commands name: events, stock items, reservations with their units, natural keys."""
    wanted = [wanted for command in commands for wanted in _wanted(command)]
    names = [(command.account_id, command.event) for command in commands if isinstance(command, BlockSeats)]
    names += [(c.account_id, c.event) for c in commands if isinstance(c, PromoteWaiting) and c.event is not None]
    await _read_wanted_names(load, wanted, names, list(_stock_named(commands)))
    actions = [command for command in commands if isinstance(command, ReservationCommand)]
    if actions:
        await load.reservations_by_reference([(command.account_id, command.reference) for command in actions])
    creates = [command for command in commands if isinstance(command, CreateReservation)]
    if creates:
        await load.hold_defaults(
            {c.account_id for c in creates if any(isinstance(line, StockLine) for line in c.lines)}
        )
        await load.external_references([(c.account_id, c.external_reference) for c in creates if c.external_reference])
    adjustments = [command for command in commands if isinstance(command, AdjustStock)]
    if adjustments:
        await load.adjustments([((c.account_id, c.sku, c.location), c.reference) for c in adjustments])


async def _read_wanted_names(
    load: Loader,
    wanted: Sequence[Wanted],
    events: Sequence[tuple[bytes, str]] = (),
    stock: Sequence[StockName] = (),
) -> None:
    named = [(account_id, line.event) for account_id, line in wanted if not isinstance(line, StockLine)]
    load.name_events([*events, *named])
    counted = [(account_id, line.sku, line.location) for account_id, line in wanted if isinstance(line, StockLine)]
    await load.stock_by_name([*stock, *counted])


def _wanted(command: Command) -> Iterable[Wanted]:
    if isinstance(command, CreateReservation):
        for line in command.lines:
            yield command.account_id, line
    elif isinstance(command, BlockSeats):
        yield command.account_id, SeatsLine(1, command.event, command.seats)


def _taken_besides(work: Snapshot, command: Command) -> Iterable[Wanted]:
    """Units of stock that a command may take without asking for them by name, after its names are read."""
    account_id = command.account_id
    if isinstance(command, ConfirmReservation) and command.late == "if_available":
        reservation_id = work.references.get((account_id, command.reference))
        for line in () if reservation_id is None else work.reservations[reservation_id].lines:
            if line.is_stock and line.place is not None:
                yield account_id, StockLine(line.number, line.name, line.place, line.quantity)
    elif isinstance(command, AdjustStock):
        yield account_id, StockLine(1, command.sku, command.location, max(0, -command.delta))
    elif isinstance(command, PutStock):
        stock_id = work.stock_ids.get((account_id, command.sku, command.location))
        less = 0 if stock_id is None else work.stock[stock_id].on_hand - command.on_hand
        yield account_id, StockLine(1, command.sku, command.location, max(0, less))


def _stock_named(commands: Sequence[Command]) -> Iterable[StockName]:
    for command in commands:
        if isinstance(command, (PutStock, AdjustStock, PromoteWaiting)) and command.sku and command.location:
            yield command.account_id, command.sku, command.location


def _pools_named(commands: Sequence[Command]) -> dict[bytes, int]:
    """Pools that are served by name, and how many of those who wait there are looked at."""
    named: dict[bytes, int] = {}
    for command in commands:
        if isinstance(command, PromoteWaiting):
            named[command.pool_id] = max(command.oldest, named.get(command.pool_id, 0))
    return named
