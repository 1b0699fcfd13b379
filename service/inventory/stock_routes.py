"""Stock over HTTP: define an item, adjust its count, list and look. Every change is a command of the engine."""

from typing import Final

from service.http.endpoint import Call, endpoint, stored
from service.http.message import Answer
from service.http.parameters import PageQuery
from service.inventory.bodies import PostAdjustment, PutStockItem, StockQuery
from service.inventory.paging import Page
from service.inventory.stock_queries import select_has_sku, select_stock, select_stock_item
from service.inventory.wire import StockPage, StockView, encode, stock_body, stock_view
from service.names import Name
from service.refusals import ExternalReferenceExists, NotFound, StateConflict, VersionConflict
from service.reservations.commands import AdjustStock, PutStock

STOCK_EXAMPLE: Final = {
    "sku": "NW-001",
    "location": "default",
    "description": "Chai",
    "on_hand": 39,
    "held": 2,
    "confirmed": 5,
    "available": 32,
    "amount": 1800,
    "currency": "USD",
    "version": 8,
}


class StockListQuery(PageQuery, forbid_unknown_fields=True):
    """Which stock items; without a filter, all."""

    sku: Name | None = None


@endpoint(
    "PUT",
    "/v1/stock/{sku}",
    scope="inventory:write",
    key="optional",
    body=PutStockItem,
    query=StockQuery,
    answers={200: StockView, 201: StockView},
    refusals=(StateConflict, VersionConflict),
    request_example={"description": "Chai", "on_hand": 39, "amount": 1800, "currency": "USD"},
    answer_example=STOCK_EXAMPLE,
)
async def put_stock(call: Call) -> Answer:
    """Create or replace a stock item, its count on hand included.

    201 where it is new, 200 where it was there. The ETag is the version of the definition: holds do not change it, and
    an equal PUT keeps it. `on_hand` below what is held and confirmed is refused (409 `state-conflict`).
    If-Match acts only on that version; `"0"` means: only if there is no such item yet.
    """
    body: PutStockItem = call.body
    command = PutStock(
        account_id=call.caller.account_id,
        actor=call.caller.principal,
        request_id=call.request_id,
        key=call.key,
        sku=call.path["sku"],
        location=call.query.location,
        description=body.description,
        on_hand=body.on_hand,
        amount=body.amount,
        currency=body.currency,
        if_match=call.if_match,
    )
    return stored(await call.services.engine.submit(command))


@endpoint(
    "POST",
    "/v1/stock/{sku}/adjustments",
    scope="inventory:write",
    key="required",
    body=PostAdjustment,
    query=StockQuery,
    answers={200: StockView},
    refusals=(NotFound, ExternalReferenceExists, StateConflict),
    request_example={"reference": "delivery-77", "delta": -3, "reason": "damaged"},
    answer_example=STOCK_EXAMPLE,
)
async def adjust_stock(call: Call) -> Answer:
    """Change a stock item's count on hand by a difference.

    `reference` is unique for the item, for ever: the same adjustment again returns the first one's answer and changes
    nothing, whatever its key; another one with this reference is refused (409 `external-reference-exists`).
    """
    body: PostAdjustment = call.body
    command = AdjustStock(
        account_id=call.caller.account_id,
        actor=call.caller.principal,
        request_id=call.request_id,
        key=call.key,
        reason=body.reason,
        sku=call.path["sku"],
        location=call.query.location,
        reference=body.reference,
        delta=body.delta,
    )
    return stored(await call.services.engine.submit(command))


@endpoint(
    "GET",
    "/v1/stock",
    scope="inventory:read",
    query=StockListQuery,
    answers={200: StockPage},
    answer_example={"stock": [STOCK_EXAMPLE], "next_cursor": None},
)
async def list_stock(call: Call) -> Answer:
    """List stock items of all locations, in the order of SKU and location; with `sku`, those of one SKU."""
    account_id = call.caller.account_id
    page = Page(call.query, account_id, "stock", call.query.sku)
    async with call.services.store.read() as reader:
        found = await select_stock(reader, account_id, page.after, page.rows_wanted, call.query.sku)
    shown, next_cursor = page.cut(found, lambda record: (record.sku, record.location))
    return Answer(200, encode(StockPage([stock_view(record) for record in shown], next_cursor)))


@endpoint(
    "GET",
    "/v1/stock/{sku}",
    scope="inventory:read",
    query=StockQuery,
    answers={200: StockView},
    refusals=(NotFound,),
    answer_example=STOCK_EXAMPLE,
)
async def get_stock(call: Call) -> Answer:
    """Get the stock item of a SKU at one location."""
    sku, location = call.path["sku"], call.query.location
    async with call.services.store.read() as reader:
        record = await select_stock_item(reader, call.caller.account_id, sku, location)
        if record is None:
            known = await select_has_sku(reader, call.caller.account_id, sku)
            raise NotFound(kind="location", name=location) if known else NotFound(kind="sku", name=sku)
    return Answer(200, stock_body(record), [("ETag", f'"{record.definition_version}"')])


ENDPOINTS = (put_stock, adjust_stock, list_stock, get_stock)
