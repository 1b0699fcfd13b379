"""Offences against every invariant: the SQL that plants one in the database of `audited.py`, and how it is named."""

from typing import NamedTuple

NOWHERE = "x'00000000000000000000000000000000'"


class Offence(NamedTuple):
    """What is planted by SQL, the check that must name it, and words that its line must have."""

    check: str
    words: str
    plant: str


def _text(value: str) -> str:
    return f"x'{value.encode().hex()}'"


OFFENCES = [
    Offence(
        "every API key belongs to an account that exists",
        "which does not exist",
        f"UPDATE api_keys SET account_id = {NOWHERE} WHERE id = {{key}}",
    ),
    Offence(
        "every event belongs to an account that exists",
        "event final",
        f"UPDATE events SET account_id = {NOWHERE} WHERE id = {{event}}",
    ),
    Offence(
        "a category's event is its account's",
        "account two: category 1",
        "UPDATE event_categories SET account_id = {two} WHERE id = {category}",
    ),
    Offence(
        "a category counts those who wait for it",
        "category 1 of event final counts 7 waiting reservations, there are 1",
        "UPDATE event_categories SET waiters = 7 WHERE id = {category}",
    ),
    Offence(
        "a seat's category is one of its event's",
        "seat 101-A-1 of event",
        "UPDATE seats SET event_id = {other_event} WHERE id = {held_seat}",
    ),
    Offence(
        "a seat is available or blocked exactly where no live line has it",
        "seat 101-A-1 of event final is available, and the reservation that has it is",
        "UPDATE seats SET state = 0 WHERE id = {held_seat}",
    ),
    Offence(
        "a seat is available or blocked exactly where no live line has it",
        "seat 101-A-6 of event final is held, and the reservation that has it is none",
        "UPDATE seats SET state = 1 WHERE id = {released_seat}",
    ),
    Offence(
        "a seat's state is that of the reservation that has it",
        "seat 101-A-3 of event final is held, and reservation",
        "UPDATE seats SET state = 1 WHERE id = {confirmed_seat}",
    ),
    Offence(
        "a seat has at most one live line",
        "has 2 live lines",
        "UPDATE reservation_lines SET seat_id = {held_seat} WHERE reservation_id = {confirmed} AND line = 1",
    ),
    Offence(
        "every stock item belongs to an account that exists",
        "stock item few at default has no account",
        f"UPDATE stock_items SET account_id = {NOWHERE} WHERE id = {{stock}}",
    ),
    Offence(
        "counts of a stock item are not negative and not above what is on hand",
        "has 6 on hand, -1 held and 1 confirmed",
        "UPDATE stock_items SET held = -1 WHERE id = {stock}",
    ),
    Offence(
        "counts of a stock item are not negative and not above what is on hand",
        "has 2 on hand, 2 held and 1 confirmed",
        "UPDATE stock_items SET on_hand = 2 WHERE id = {stock}",
    ),
    Offence(
        "counts of a stock item are the sums of its live lines",
        "counts 3 held and 1 confirmed, its live lines 2 and 1",
        "UPDATE stock_items SET held = 3 WHERE id = {stock}",
    ),
    Offence(
        "a stock item counts those who wait for it",
        "counts 0 waiting reservations, there are 1",
        "UPDATE stock_items SET waiters = 0 WHERE id = {stock}",
    ),
    Offence(
        "each version of a stock item has its message",
        "has no message of its version 3",
        "UPDATE stock_items SET definition_version = 3 WHERE id = {stock}",
    ),
    Offence(
        "the last message of a stock item tells its count on hand",
        "has 60 on hand",
        "UPDATE stock_items SET on_hand = 60 WHERE id = {stock}",
    ),
    Offence(
        "each adjustment of a stock item has its message",
        "stock item few at default",
        "DELETE FROM stock_adjustments WHERE id = {adjustment}",
    ),
    Offence(
        "an adjustment's stock item is its account's",
        "adjustment d-1",
        "UPDATE stock_adjustments SET stock_item_id = {other_stock} WHERE id = {adjustment}",
    ),
    Offence(
        "who waits is a reservation of the account",
        "waits for pool",
        "UPDATE waiters SET reservation_id = {other} WHERE pool_id = {category}",
    ),
    Offence(
        "what is waited for is a pool of the account",
        "waits for pool",
        "UPDATE waiters SET pool_id = {other_stock} WHERE pool_id = {category}",
    ),
    Offence(
        "only pending reservations wait",
        "is held and still waits for pool",
        "UPDATE waiters SET reservation_id = {held} WHERE pool_id = {category}",
    ),
    Offence(
        "every reservation belongs to an account that exists",
        "which does not exist",
        f"UPDATE reservations SET account_id = {NOWHERE} WHERE id = {{released}}",
    ),
    Offence(
        "each version of a reservation has its message",
        "has no message of its version 3",
        "UPDATE reservations SET version = 3 WHERE id = {released}",
    ),
    Offence(
        "the last message of a reservation tells its state",
        "is confirmed, and the message of its version 1 tells held",
        f"UPDATE reservations SET state = {_text('confirmed')} WHERE id = {{held}}",
    ),
    Offence(
        "a reservation has ended exactly where its state is terminal",
        "is cancelled, and its time of ending does not fit",
        "UPDATE reservations SET ended_at = NULL WHERE id = {cancelled}",
    ),
    Offence(
        "a reservation has an end to come exactly while it is pending or held",
        "is held, and its end to come does not fit",
        "UPDATE reservations SET lapses_at = NULL WHERE id = {held}",
    ),
    Offence(
        "a reservation has been held, and confirmed, where its state says so",
        "is cancelled, and its time of being held or confirmed does not fit",
        "UPDATE reservations SET confirmed_at = NULL WHERE id = {cancelled}",
    ),
    Offence(
        "a reservation waits for pools exactly while it is pending",
        "is pending and waits for 0 pools",
        "DELETE FROM waiters WHERE reservation_id = {pending}",
    ),
    Offence(
        "a held or confirmed reservation has a live line",
        "is confirmed and has no live line",
        "UPDATE reservation_lines SET live = NULL, released_at = 1 WHERE reservation_id = {late}",
    ),
    Offence(
        "lines of a reservation are numbered from 1 without gaps",
        "has 1 lines, and their numbers are not 1 to 1",
        "UPDATE reservation_lines SET line = 2 WHERE reservation_id = {released}",
    ),
    Offence(
        "a line's reservation is its account's",
        "line 1 names reservation",
        f"UPDATE reservation_lines SET reservation_id = {NOWHERE} WHERE reservation_id = {{released}}",
    ),
    Offence(
        "a line's seat is one of its event, under its own label",
        "names seat 101-A-6 of final, and its seat is another one",
        "UPDATE reservation_lines SET seat_id = {other_seat} WHERE reservation_id = {released}",
    ),
    Offence(
        "a line's event is its account's, under its own name",
        "names event other",
        f"UPDATE reservation_lines SET name = {_text('other')} WHERE reservation_id = {{released}}",
    ),
    Offence(
        "a line's stock item is its account's, under its own name",
        "names few at default, and its stock item is another one",
        "UPDATE reservation_lines SET inventory_id = {other_stock} WHERE reservation_id = {held} AND line = 3",
    ),
    Offence(
        "a line is live only while its reservation is held or confirmed",
        "is live, and the reservation is released",
        "UPDATE reservation_lines SET live = 1 WHERE reservation_id = {released}",
    ),
    Offence(
        "a line is live until it is given back",
        "line 1 of reservation",
        "UPDATE reservation_lines SET released_at = 1 WHERE reservation_id = {held} AND line = 1",
    ),
    Offence(
        "a line is live until it is given back",
        "line 2 of reservation",
        "UPDATE reservation_lines SET released_at = NULL WHERE reservation_id = {part} AND line = 2",
    ),
    Offence(
        "a live line has its unit and its price",
        "is live without a unit or a price",
        "UPDATE reservation_lines SET amount = NULL WHERE reservation_id = {held} AND line = 1",
    ),
    Offence(
        "quantities are 1 or more, of a seat 1, and amounts are not negative",
        "has quantity 2, or a negative amount",
        "UPDATE reservation_lines SET quantity = 2 WHERE reservation_id = {held} AND line = 1",
    ),
    Offence(
        "a reference is one reservation's",
        "2 reservations are AAAAA-AAAAA",
        f"UPDATE reservations SET reference = {_text('AAAAAAAAAA')} WHERE id IN ({{released}}, {{expired}})",
    ),
    Offence(
        "an external reference is one reservation's",
        "2 reservations have the external reference order-1",
        f"UPDATE reservations SET external_reference = {_text('order-1')} WHERE id IN ({{released}}, {{expired}})",
    ),
    Offence(
        "a message's subject is its account's",
        "the message of version 1 tells of",
        "UPDATE messages SET account_id = {two} WHERE subject_id = {held}",
    ),
    Offence(
        "nothing comes after a terminal state but a late confirm",
        "is confirm of what was released already",
        f"UPDATE messages SET from_state = {_text('released')} WHERE subject_id = {{confirmed}} AND version = 2",
    ),
    Offence(
        "each change of a reservation is a row of the state table",
        "version 2 of reservation",
        f"UPDATE messages SET action = {_text('extend')} WHERE subject_id = {{confirmed}} AND version = 2",
    ),
    Offence(
        "messages of stock and of mends have no states",
        "of stock item few at default",
        f"UPDATE messages SET to_state = {_text('held')} WHERE subject_id = {{stock}} AND version = 1",
    ),
    Offence(
        "versions are 1, 2, 3 … without gaps",
        "has none before it",
        "DELETE FROM messages WHERE subject_id = {cancelled} AND version = 2",
    ),
    Offence(
        "no message is of a version that its subject has not reached",
        "is at version 2, and there is a message of version 3",
        "UPDATE reservations SET version = 2 WHERE id = {cancelled}",
    ),
    Offence(
        "each change begins in the state in which the one before it ended",
        "begins as expired, and the one before it ended as held",
        f"UPDATE messages SET from_state = {_text('expired')} WHERE subject_id = {{confirmed}} AND version = 2",
    ),
    Offence(
        "a version has one message",
        "has 2 messages",
        "UPDATE messages SET version = 2 WHERE subject_id = {cancelled} AND version = 3",
    ),
    Offence(
        "a message carries its reservation's reference",
        "carries another reference",
        f"UPDATE messages SET reference = {_text('AAAAAAAAAA')} WHERE subject_id = {{held}}",
    ),
    Offence(
        "a message's body tells the state and version that it is of",
        "tells something else than held",
        f"UPDATE messages SET body = {_text('{}')} WHERE subject_id = {{held}}",
    ),
    Offence(
        "each message's batch is in the outbox",
        "which the outbox does not have",
        "DELETE FROM outbox WHERE batch_id = {held_batch}",
    ),
    Offence(
        "each recent message's batch has its marker",
        "which left no marker",
        "DELETE FROM batches WHERE id = {held_batch}",
    ),
    Offence(
        "an outbox row belongs to an account that exists",
        "the outbox has its batch",
        f"UPDATE outbox SET account_id = {NOWHERE} WHERE batch_id = {{held_batch}}",
    ),
    Offence(
        "a batch in the outbox has messages",
        "which has no message",
        f"UPDATE messages SET batch_id = {NOWHERE} WHERE batch_id = {{held_batch}}",
    ),
    Offence(
        "an account's positions are 1, 2, 3 … without gaps",
        "account two: there are 2 positions from 2 to 3",
        "UPDATE outbox SET position = 3 WHERE account_id = {two} AND position = 1",
    ),
    Offence("the sequencer has its one row", "has 0 rows", "DELETE FROM outbox_sequencer"),
    Offence(
        "every idempotency record belongs to an account that exists",
        "which does not exist",
        f"UPDATE idempotency_records SET account_id = {NOWHERE} WHERE id = {{refused_record}}",
    ),
    Offence(
        "a record keeps its answer in exactly one place",
        "keeps its answer twice or not at all",
        "UPDATE idempotency_records SET body = x'7B7D' WHERE id = {held_record}",
    ),
    Offence(
        "a record keeps its answer in exactly one place",
        "keeps its answer twice or not at all",
        "UPDATE idempotency_records SET body = NULL WHERE id = {refused_record}",
    ),
    Offence(
        "a record finds the message that has its answer",
        "points at a message that does not exist",
        "UPDATE idempotency_records SET message_ordinal = 77 WHERE id = {held_record}",
    ),
    Offence(
        "a record's message is its account's",
        "points at another account's message",
        "UPDATE idempotency_records SET message_batch_id = {other_batch} WHERE id = {held_record}",
    ),
    Offence(
        "a record keeps successes and decided refusals only",
        "keeps an answer of status 503",
        "UPDATE idempotency_records SET status = 503 WHERE id = {refused_record}",
    ),
    Offence(
        "a record expires after it was first seen",
        "expired before it was first seen",
        "UPDATE idempotency_records SET expires_at = first_seen_at WHERE id = {refused_record}",
    ),
    Offence(
        "a key has one record",
        "2 records are of the key with scope hash 0000",
        f"UPDATE idempotency_records SET scope_hash = {NOWHERE} WHERE id IN ({{held_record}}, {{refused_record}})",
    ),
    Offence(
        "the reservation that a stored answer names exists",
        "answered /v1/reservations/AAAAA-AAAAA, which does not exist",
        f"UPDATE idempotency_records SET location = {_text('/v1/reservations/AAAAA-AAAAA')} WHERE id = {{held_record}}",
    ),
    Offence(
        "a stored answer to a create names the reservation that was created",
        "answered none",
        "UPDATE idempotency_records SET location = NULL WHERE id = {held_record}",
    ),
    Offence(
        "a stored answer's ETag is the version of its message",
        'answered ETag "9", and its message is of version 1',
        "UPDATE idempotency_records SET etag = x'223922' WHERE id = {held_record}",
    ),
]
