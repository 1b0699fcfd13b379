"""Counts of stock items: definition with its count on hand, and adjustments by their natural key."""

from msgspec.structs import replace

from service.refusals import ExternalReferenceExists, StateConflict, VersionConflict
from service.reservations.commands import AdjustStock, PutStock
from service.reservations.decide import transitions
from service.reservations.decide.claims import find_stock, is_lapsed_hold
from service.reservations.decide.waiting import serve_freed
from service.reservations.records import Adjustment, Message, StockItem
from service.reservations.snapshot import Snapshot

COUNTED_MOST = 10**12
"""Far above any count on hand; keeps sums of many adjustments inside 64 bits."""


def put_stock(work: Snapshot, command: PutStock, draw: tuple[bytes, str], barrier_ms: int) -> tuple[StockItem, bool]:
    """The item as it now is, and whether it is new.

    Raises VersionConflict, StateConflict (on_hand below what is claimed).
    """
    name = (command.account_id, command.sku, command.location)
    stock_id = work.stock_ids.get(name)
    item = None if stock_id is None else work.stock[stock_id]
    version = 0 if item is None else item.definition_version
    if command.if_match is not None and command.if_match != version:
        raise VersionConflict(version=version)
    if item is None:
        created = StockItem(
            id=draw[0],
            account_id=command.account_id,
            sku=command.sku,
            location=command.location,
            description=command.description,
            on_hand=command.on_hand,
            held=0,
            confirmed=0,
            amount=command.amount,
            currency=command.currency,
            waiters=0,
            version=1,
            definition_version=1,
        )
        work.stock_ids[name] = created.id
        return _changed(work, created, command, None), True
    definition = {"description": command.description, "amount": command.amount, "currency": command.currency}
    if replace(item, on_hand=command.on_hand, **definition) == item:
        return item, False
    item = _end_lapsed(work, item, command.on_hand)
    wanted = replace(item, on_hand=command.on_hand, **definition)
    _check_claimed(wanted, "put")
    after = replace(wanted, version=item.version + 1, definition_version=item.definition_version + 1)
    if after.on_hand > item.on_hand:
        work.free(after.id)
    _changed(work, after, command, None)
    serve_freed(work, barrier_ms)
    return work.stock[after.id], False


def adjust_stock(work: Snapshot, command: AdjustStock, barrier_ms: int) -> Adjustment:
    """The adjustment of this reference, the first one's where it was made already.

    Raises NotFound, ExternalReferenceExists (another content), StateConflict (on_hand below what is claimed).
    """
    item = work.stock[find_stock(work, command.account_id, command.sku, command.location)]
    earlier = work.adjustments.get((item.id, command.reference))
    if earlier is not None:
        if (earlier.delta, earlier.reason) != (command.delta, command.reason):
            raise ExternalReferenceExists(
                reference=command.reference, location=f"/v1/stock/{item.sku}?location={item.location}"
            )
        return earlier
    item = _end_lapsed(work, item, item.on_hand + command.delta)
    wanted = replace(item, on_hand=item.on_hand + command.delta)
    _check_claimed(wanted, "adjust")
    after = replace(wanted, version=item.version + 1, definition_version=item.definition_version + 1)
    if command.delta > 0:
        work.free(after.id)
    _changed(work, after, command, command.reference)
    serve_freed(work, barrier_ms)
    adjustment = Adjustment(
        stock_item_id=after.id,
        account_id=command.account_id,
        reference=command.reference,
        delta=command.delta,
        reason=command.reason,
        actor=command.actor,
        at=work.now,
        body=None,
        item=work.stock[after.id],
    )
    work.adjustments[after.id, command.reference] = adjustment
    return adjustment


def _end_lapsed(work: Snapshot, item: StockItem, on_hand: int) -> StockItem:
    """The item after as many holds past their time were ended as stand in the way of so few units on hand."""
    for reservation_id in work.lapsed_on_stock.get(item.id, ()):
        if item.held + item.confirmed <= on_hand:
            break
        if is_lapsed_hold(work, reservation_id):
            transitions.expire(work, work.reservations[reservation_id])
            item = work.stock[item.id]
    return item


def _check_claimed(item: StockItem, action: str) -> None:
    if not item.held + item.confirmed <= item.on_hand <= COUNTED_MOST:
        raise StateConflict(state="claimed", action=action, version=item.definition_version)


def _changed(work: Snapshot, item: StockItem, command: PutStock | AdjustStock, reference: str | None) -> StockItem:
    work.stock[item.id] = item
    work.messages.append(
        Message(
            account_id=item.account_id,
            subject=item,
            version=item.definition_version,
            type="stock.adjusted",
            reference=reference,
            source=None,
            target=None,
            action="adjust",
            actor=command.actor,
            reason=command.reason,
            at=work.now,
        )
    )
    return item
