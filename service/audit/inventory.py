"""What is judged of accounts and inventory: who owns what (R10), seats against their live lines (R1), counts (R2)."""
# ruff: noqa: S608 - names and literals of our own; nothing here comes from outside

from service.audit.examination import Examination, Rule
from service.audit.speech import Speech, text
from service.inventory.tables import SEAT_AVAILABLE, SEAT_BLOCKED, SEAT_CONFIRMED, SEAT_HELD

HELD, CONFIRMED, ADJUSTED = text("held"), text("confirmed"), text("stock.adjusted")

POOL_WAITERS = "(SELECT pool_id, COUNT(*) AS waiters FROM waiters GROUP BY pool_id) w"

LIVE_UNITS = f"""(
SELECT l.inventory_id,
       SUM(CASE WHEN r.state = {HELD} THEN l.quantity ELSE 0 END) AS held,
       SUM(CASE WHEN r.state = {CONFIRMED} THEN l.quantity ELSE 0 END) AS confirmed
FROM reservation_lines l JOIN reservations r ON r.id = l.reservation_id
WHERE l.live = 1 AND l.seat_id IS NULL GROUP BY l.inventory_id) u"""


def owned(what: str) -> Rule:
    """The row's account `a` exists."""
    return Rule(
        "R10", f"every {what} belongs to an account that exists", "a.id IS NULL", f"{what} {{name}} has no account"
    )


def examinations(speech: Speech) -> list[Examination]:
    return [keys(), events(), categories(), seats(), seats_taken_twice(), stock(speech), adjustments(), waiters(speech)]


def keys() -> Examination:
    return Examination(
        subject="API keys",
        counted="SELECT COUNT(*) FROM api_keys",
        source="api_keys k LEFT JOIN accounts a ON a.id = k.account_id",
        facts={"account_id": "k.account_id", "name": "k.prefix"},
        rules=[owned("API key")],
    )


def events() -> Examination:
    return Examination(
        subject="events",
        counted="SELECT COUNT(*) FROM events",
        source="events e LEFT JOIN accounts a ON a.id = e.account_id",
        facts={"account_id": "e.account_id", "name": "e.event"},
        rules=[owned("event")],
    )


def categories() -> Examination:
    return Examination(
        subject="categories",
        counted="SELECT COUNT(*) FROM event_categories",
        source="event_categories c LEFT JOIN events e ON e.id = c.event_id "
        f"LEFT JOIN {POOL_WAITERS} ON w.pool_id = c.id",
        facts={
            "account_id": "c.account_id",
            "category": "c.category",
            "event": "e.event",
            "event_id": "c.event_id",
            "counted": "c.waiters",
            "waiting": "COALESCE(w.waiters, 0)",
        },
        rules=[
            Rule(
                "R10",
                "a category's event is its account's",
                "e.id IS NULL OR e.account_id <> c.account_id",
                "category {category} names event {event_id}, which is not this account's",
            ),
            Rule(
                "waiting",
                "a category counts those who wait for it",
                "c.waiters <> COALESCE(w.waiters, 0)",
                "category {category} of event {event} counts {counted} waiting reservations, there are {waiting}",
            ),
        ],
    )


def seats() -> Examination:
    return Examination(
        subject="seats",
        counted="SELECT COUNT(*) FROM seats",
        source="seats s LEFT JOIN event_categories c ON c.id = s.category_id "
        "LEFT JOIN reservation_lines l ON l.seat_id = s.id AND l.live = 1 "
        "LEFT JOIN reservations r ON r.id = l.reservation_id LEFT JOIN events e ON e.id = s.event_id",
        facts={
            "account_id": "s.account_id",
            "seat": "s.seat",
            "event_id": "s.event_id",
            "event": "e.event",
            "state": f"CASE s.state WHEN {SEAT_AVAILABLE} THEN {text('available')} WHEN {SEAT_HELD} THEN {HELD} "
            f"WHEN {SEAT_CONFIRMED} THEN {CONFIRMED} WHEN {SEAT_BLOCKED} THEN {text('blocked')} END",
            "reference": "r.reference",
            "other_state": "r.state",
        },
        rules=[
            Rule(
                "R10",
                "a seat's category is one of its event's",
                "c.id IS NULL OR c.event_id <> s.event_id OR c.account_id <> s.account_id",
                "seat {seat} of event {event_id} has a category that is not one of this event's",
            ),
            Rule(
                "R1",
                "a seat is available or blocked exactly where no live line has it",
                f"s.state IN ({SEAT_AVAILABLE}, {SEAT_BLOCKED}) AND l.seat_id IS NOT NULL "
                f"OR s.state NOT IN ({SEAT_AVAILABLE}, {SEAT_BLOCKED}) AND l.seat_id IS NULL",
                "seat {seat} of event {event} is {state}, and the reservation that has it is {reference}",
            ),
            Rule(
                "R1",
                "a seat's state is that of the reservation that has it",
                f"s.state = {SEAT_HELD} AND COALESCE(r.state, x'') <> {HELD} "
                f"OR s.state = {SEAT_CONFIRMED} AND COALESCE(r.state, x'') <> {CONFIRMED}",
                "seat {seat} of event {event} is {state}, and reservation {reference} that has it is {other_state}",
            ),
        ],
    )


def seats_taken_twice() -> Examination:
    return Examination(
        subject="seats with a live line",
        counted="SELECT COUNT(*) FROM reservation_lines WHERE live = 1 AND seat_id IS NOT NULL",
        source="(SELECT seat_id, COUNT(*) AS live_lines FROM reservation_lines WHERE live = 1 AND seat_id IS NOT NULL "
        "GROUP BY seat_id HAVING COUNT(*) > 1) d LEFT JOIN seats s ON s.id = d.seat_id",
        facts={"account_id": "s.account_id", "seat": "s.seat", "seat_id": "d.seat_id", "live_lines": "d.live_lines"},
        rules=[
            Rule(
                "R1",
                "a seat has at most one live line",
                "d.live_lines > 1",
                "seat {seat} ({seat_id}) has {live_lines} live lines",
            )
        ],
    )


def stock(speech: Speech) -> Examination:
    return Examination(
        subject="stock items",
        counted="SELECT COUNT(*) FROM stock_items",
        source=f"stock_items i LEFT JOIN accounts a ON a.id = i.account_id "
        f"LEFT JOIN {LIVE_UNITS} ON u.inventory_id = i.id LEFT JOIN {POOL_WAITERS} ON w.pool_id = i.id "
        "LEFT JOIN messages m ON m.subject_id = i.id AND m.version = i.definition_version",
        facts={
            "account_id": "i.account_id",
            "name": speech.joined("i.sku", text(" at "), "i.location"),
            "on_hand": "i.on_hand",
            "held": "i.held",
            "confirmed": "i.confirmed",
            "live_held": "COALESCE(u.held, 0)",
            "live_confirmed": "COALESCE(u.confirmed, 0)",
            "counted": "i.waiters",
            "waiting": "COALESCE(w.waiters, 0)",
            "version": "i.definition_version",
        },
        rules=_stock_rules(speech),
    )


def _stock_rules(speech: Speech) -> list[Rule]:
    on_hand_told = speech.joined(text('"on_hand":'), "i.on_hand", text(","))
    return [
        owned("stock item"),
        Rule(
            "R2",
            "counts of a stock item are not negative and not above what is on hand",
            "i.held < 0 OR i.confirmed < 0 OR i.held + i.confirmed > i.on_hand",
            "stock item {name} has {on_hand} on hand, {held} held and {confirmed} confirmed",
        ),
        Rule(
            "R2",
            "counts of a stock item are the sums of its live lines",
            "i.held <> COALESCE(u.held, 0) OR i.confirmed <> COALESCE(u.confirmed, 0)",
            "stock item {name} counts {held} held and {confirmed} confirmed, "
            "its live lines {live_held} and {live_confirmed}",
        ),
        Rule(
            "waiting",
            "a stock item counts those who wait for it",
            "i.waiters <> COALESCE(w.waiters, 0)",
            "stock item {name} counts {counted} waiting reservations, there are {waiting}",
        ),
        Rule(
            "R8",
            "each version of a stock item has its message",
            "m.subject_id IS NULL",
            "stock item {name} has no message of its version {version}",
        ),
        Rule(
            "R7",
            "the last message of a stock item tells its count on hand",
            f"INSTR(m.body, {on_hand_told}) = 0",
            "stock item {name} has {on_hand} on hand, and the message of its version {version} tells another count",
        ),
        Rule(
            "R8",
            "each adjustment of a stock item has its message",
            "(SELECT COUNT(*) FROM stock_adjustments j "
            "WHERE j.account_id = i.account_id AND j.stock_item_id = i.id) "
            f"<> (SELECT COUNT(*) FROM messages n WHERE n.subject_id = i.id AND n.type = {ADJUSTED} "
            "AND n.reference IS NOT NULL)",
            "stock item {name} has another number of adjustments than of messages that tell of one",
        ),
    ]


def adjustments() -> Examination:
    return Examination(
        subject="stock adjustments",
        counted="SELECT COUNT(*) FROM stock_adjustments",
        source="stock_adjustments j LEFT JOIN stock_items i ON i.id = j.stock_item_id",
        facts={"account_id": "j.account_id", "adjustment": "j.reference", "stock_item_id": "j.stock_item_id"},
        rules=[
            Rule(
                "R10",
                "an adjustment's stock item is its account's",
                "i.id IS NULL OR i.account_id <> j.account_id",
                "adjustment {adjustment} names stock item {stock_item_id}, which is not this account's",
            )
        ],
    )


def waiters(speech: Speech) -> Examination:
    pool_account = "COALESCE(c.account_id, i.account_id)"
    return Examination(
        subject="waiters",
        counted="SELECT COUNT(*) FROM waiters",
        source="waiters w LEFT JOIN reservations r ON r.id = w.reservation_id "
        "LEFT JOIN event_categories c ON c.id = w.pool_id LEFT JOIN stock_items i ON i.id = w.pool_id",
        facts={
            "account_id": "w.account_id",
            "pool_id": "w.pool_id",
            "reservation_id": "w.reservation_id",
            "reference": "r.reference",
            "state": "r.state",
        },
        rules=[
            Rule(
                "R10",
                "who waits is a reservation of the account",
                f"{speech.unlike('r.account_id', 'w.account_id')}",
                "reservation {reservation_id} waits for pool {pool_id}, and it is not this account's",
            ),
            Rule(
                "R10",
                "what is waited for is a pool of the account",
                f"{speech.unlike(pool_account, 'w.account_id')}",
                "reservation {reference} waits for pool {pool_id}, which is not this account's",
            ),
            Rule(
                "waiting",
                "only pending reservations wait",
                f"r.state <> {text('pending')}",
                "reservation {reference} is {state} and still waits for pool {pool_id}",
            ),
        ],
    )
