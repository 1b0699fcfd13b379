"""What is judged of reservations and their lines: times and states (R4, R5), units (R6), names and owners (R10)."""

from service.audit.examination import Examination, Rule
from service.audit.inventory import owned
from service.audit.speech import text, texts
from service.reservations.states import LIVE, TERMINAL

PENDING, HELD = text("pending"), text("held")
LIVE_STATES, ENDED_STATES = texts(LIVE), texts(TERMINAL)
GIVEN_BACK_STATES = texts(TERMINAL - {"expired"})

WAITING = "(SELECT reservation_id, COUNT(*) AS pools FROM waiters GROUP BY reservation_id) w"


def examinations() -> list[Examination]:
    return [reservations(), units(), lines(), same_reference(), same_external_reference()]


def reservations() -> Examination:
    return Examination(
        subject="reservations",
        counted="SELECT COUNT(*) FROM reservations",
        source="reservations r LEFT JOIN accounts a ON a.id = r.account_id "
        "LEFT JOIN messages m ON m.subject_id = r.id AND m.version = r.version "
        f"LEFT JOIN {WAITING} ON w.reservation_id = r.id",
        facts={
            "account_id": "r.account_id",
            "reference": "r.reference",
            "name": "r.reference",
            "state": "r.state",
            "version": "r.version",
            "told": "m.to_state",
            "pools": "COALESCE(w.pools, 0)",
        },
        rules=[
            owned("reservation"),
            Rule(
                "R8",
                "each version of a reservation has its message",
                "m.subject_id IS NULL",
                "reservation {reference} has no message of its version {version}",
            ),
            Rule(
                "R4",
                "the last message of a reservation tells its state",
                "COALESCE(m.to_state, x'') <> r.state",
                "reservation {reference} is {state}, and the message of its version {version} tells {told}",
            ),
            Rule(
                "R5",
                "a reservation has ended exactly where its state is terminal",
                f"(r.state IN ({ENDED_STATES})) <> (r.ended_at IS NOT NULL)",
                "reservation {reference} is {state}, and its time of ending does not fit",
            ),
            Rule(
                "R4",
                "a reservation has an end to come exactly while it is pending or held",
                f"(r.state IN ({PENDING}, {HELD})) <> (r.lapses_at IS NOT NULL)",
                "reservation {reference} is {state}, and its end to come does not fit",
            ),
            Rule(
                "R4",
                "a reservation has been held, and confirmed, where its state says so",
                f"(r.state IN ({text('confirmed')}, {text('cancelled')})) <> (r.confirmed_at IS NOT NULL) "
                f"OR r.state = {HELD} AND r.held_at IS NULL",
                "reservation {reference} is {state}, and its time of being held or confirmed does not fit",
            ),
            Rule(
                "waiting",
                "a reservation waits for pools exactly while it is pending",
                f"(r.state = {PENDING}) <> (w.pools IS NOT NULL) OR (r.state = {PENDING}) <> (r.wanted IS NOT NULL)",
                "reservation {reference} is {state} and waits for {pools} pools",
            ),
        ],
    )


def units() -> Examination:
    return Examination(
        subject="reservations with their lines",
        counted="SELECT COUNT(*) FROM reservations",
        source="reservations r LEFT JOIN reservation_lines l ON l.reservation_id = r.id",
        group_by="r.id",
        facts={
            "account_id": "MAX(r.account_id)",
            "reference": "MAX(r.reference)",
            "state": "MAX(r.state)",
            "lines": "COUNT(l.line)",
        },
        rules=[
            Rule(
                "R6",
                "a held or confirmed reservation has a live line",
                f"MAX(r.state) IN ({LIVE_STATES}) AND COUNT(l.live) = 0",
                "reservation {reference} is {state} and has no live line",
            ),
            Rule(
                "R6",
                "lines of a reservation are numbered from 1 without gaps",
                "COUNT(l.line) = 0 OR MIN(l.line) <> 1 OR MAX(l.line) <> COUNT(l.line)",
                "reservation {reference} has {lines} lines, and their numbers are not 1 to {lines}",
            ),
        ],
    )


IS_SEAT, IS_STOCK = "l.seat_id IS NOT NULL", "l.seat_id IS NULL AND l.place IS NOT NULL"

LINE_OWNERS = [
    Rule(
        "R10",
        "a line's reservation is its account's",
        "r.id IS NULL OR r.account_id <> l.account_id",
        "line {line} names reservation {reservation_id}, which is not this account's",
    ),
    Rule(
        "R10",
        "a line's seat is one of its event, under its own label",
        f"{IS_SEAT} AND (s.id IS NULL OR s.account_id <> l.account_id OR s.event_id <> l.inventory_id "
        "OR s.seat <> COALESCE(l.place, x''))",
        "line {line} of reservation {reference} names seat {place} of {name}, and its seat is another one",
    ),
    Rule(
        "R10",
        "a line's event is its account's, under its own name",
        f"NOT ({IS_STOCK}) AND (e.id IS NULL OR e.account_id <> l.account_id OR e.event <> l.name)",
        "line {line} of reservation {reference} names event {name}, and its event is another one",
    ),
    Rule(
        "R10",
        "a line's stock item is its account's, under its own name",
        f"{IS_STOCK} AND (i.id IS NULL OR i.account_id <> l.account_id OR i.sku <> l.name OR i.location <> l.place)",
        "line {line} of reservation {reference} names {name} at {place}, and its stock item is another one",
    ),
]

LINE_UNITS = [
    Rule(
        "R6",
        "a line is live only while its reservation is held or confirmed",
        f"l.live IS NOT NULL AND r.state NOT IN ({LIVE_STATES})",
        "line {line} of reservation {reference} is live, and the reservation is {state}",
    ),
    Rule(
        "R6",
        "a line is live until it is given back",
        "l.live IS NOT NULL AND l.released_at IS NOT NULL "
        f"OR l.live IS NULL AND l.released_at IS NULL "
        f"AND r.state IN ({LIVE_STATES}, {GIVEN_BACK_STATES}) "
        f"OR l.released_at IS NOT NULL AND r.state = {PENDING}",
        "line {line} of reservation {reference}, which is {state}, is live and given back, or neither",
    ),
    Rule(
        "R6",
        "a live line has its unit and its price",
        "l.live IS NOT NULL AND (l.place IS NULL OR l.amount IS NULL OR l.currency IS NULL)",
        "line {line} of reservation {reference} is live without a unit or a price",
    ),
    Rule(
        "R6",
        "quantities are 1 or more, of a seat 1, and amounts are not negative",
        f"l.quantity < 1 OR l.amount < 0 OR {IS_SEAT} AND l.quantity <> 1",
        "line {line} of reservation {reference} has quantity {quantity}, or a negative amount",
    ),
]


def lines() -> Examination:
    return Examination(
        subject="lines",
        counted="SELECT COUNT(*) FROM reservation_lines",
        source="reservation_lines l LEFT JOIN reservations r ON r.id = l.reservation_id "
        "LEFT JOIN seats s ON s.id = l.seat_id LEFT JOIN events e ON e.id = l.inventory_id "
        "LEFT JOIN stock_items i ON i.id = l.inventory_id",
        facts={
            "account_id": "l.account_id",
            "reservation_id": "l.reservation_id",
            "reference": "r.reference",
            "line": "l.line",
            "state": "r.state",
            "name": "l.name",
            "place": "l.place",
            "quantity": "l.quantity",
        },
        rules=[*LINE_OWNERS, *LINE_UNITS],
    )


def same_reference() -> Examination:
    return Examination(
        subject="references",
        counted="SELECT COUNT(*) FROM reservations",
        source="(SELECT account_id, reference, COUNT(*) AS times FROM reservations GROUP BY account_id, reference "
        "HAVING COUNT(*) > 1) d",
        facts={"account_id": "d.account_id", "reference": "d.reference", "times": "d.times"},
        rules=[Rule("R3", "a reference is one reservation's", "d.times > 1", "{times} reservations are {reference}")],
    )


def same_external_reference() -> Examination:
    return Examination(
        subject="external references",
        counted="SELECT COUNT(external_reference) FROM reservations",
        source="(SELECT account_id, external_reference, COUNT(*) AS times FROM reservations "
        "WHERE external_reference IS NOT NULL GROUP BY account_id, external_reference HAVING COUNT(*) > 1) d",
        facts={"account_id": "d.account_id", "order": "d.external_reference", "times": "d.times"},
        rules=[
            Rule(
                "R3",
                "an external reference is one reservation's",
                "d.times > 1",
                "{times} reservations have the external reference {order}",
            )
        ],
    )
