"""What is judged of messages, which are the history too: the state table (R4, R5), bodies (R7), the outbox (R8)."""

from service.audit.examination import Examination, Rule
from service.audit.speech import Speech, text, texts
from service.reservations.states import TERMINAL, TRANSITIONS, Transition
from service.reservations.sweep import BATCHES_KEPT_MS

STOCK_TYPES = texts(["stock.adjusted", "stock.mended"])
SEAT_MENDED, CATEGORY_MENDED = text("seat.mended"), text("category.mended")
OF_MENDS_ALONE = f"m.type IN ({SEAT_MENDED}, {CATEGORY_MENDED})"
"""Versions of seats and categories count changes of which most have no message."""


NEWEST = "COALESCE(r.version, i.definition_version, s.version, c.version)"


def examinations(speech: Speech, as_of: int) -> list[Examination]:
    return [messages(speech, as_of), same_version(), outbox(), positions(), sequencer()]


def messages(speech: Speech, as_of: int) -> Examination:
    return Examination(
        subject="messages",
        counted="SELECT COUNT(*) FROM messages",
        source="messages m LEFT JOIN reservations r ON r.id = m.subject_id "
        "LEFT JOIN stock_items i ON i.id = m.subject_id "
        # NULL for all others, so that no other message looks for a row there.
        f"LEFT JOIN seats s ON s.id = CASE WHEN m.type = {SEAT_MENDED} THEN m.subject_id END "
        f"LEFT JOIN event_categories c ON c.id = CASE WHEN m.type = {CATEGORY_MENDED} THEN m.subject_id END "
        "LEFT JOIN messages p ON p.subject_id = m.subject_id AND p.version = m.version - 1 "
        "LEFT JOIN outbox o ON o.account_id = m.account_id AND o.batch_id = m.batch_id "
        "LEFT JOIN batches b ON b.id = m.batch_id",
        facts={
            "account_id": "m.account_id",
            "subject_id": "m.subject_id",
            "subject": speech.joined(
                f"CASE WHEN r.id IS NOT NULL THEN {text('reservation ')} WHEN s.id IS NOT NULL THEN {text('seat ')} "
                f"WHEN c.id IS NOT NULL THEN {text('category ')} ELSE {text('stock item ')} END",
                "COALESCE(SUBSTR(r.reference, 1, 5), i.sku, s.seat, c.category, x'')",
                f"CASE WHEN r.id IS NOT NULL THEN {text('-')} WHEN i.id IS NOT NULL THEN {text(' at ')} ELSE x'' END",
                "COALESCE(SUBSTR(r.reference, 6, 5), i.location, x'')",
            ),
            "version": "m.version",
            "type": "m.type",
            "source": "m.from_state",
            "target": "m.to_state",
            "action": "m.action",
            "before": "p.to_state",
            "newest": NEWEST,
            "batch_id": "m.batch_id",
        },
        rules=[*_history_rules(speech), *_outbox_rules(speech, as_of)],
    )


def _history_rules(speech: Speech) -> list[Rule]:
    leaves_end = " OR ".join(_is(row) for row in TRANSITIONS if row.source in TERMINAL)
    in_table = " OR ".join(_is(row) for row in TRANSITIONS)
    return [
        Rule(
            "R10",
            "a message's subject is its account's",
            # A category that nobody uses any more may have been dropped since it was mended.
            speech.unlike("COALESCE(r.account_id, i.account_id, s.account_id, c.account_id)", "m.account_id")
            + f" AND NOT (m.type = {CATEGORY_MENDED} AND c.id IS NULL)",
            "the message of version {version} tells of {subject_id}, which is not this account's",
        ),
        Rule(
            "R5",
            "nothing comes after a terminal state but a late confirm",
            f"m.from_state IN ({texts(TERMINAL)}) AND NOT ({leaves_end})",
            "version {version} of {subject} is {action} of what was {source} already",
        ),
        Rule(
            "R4",
            "each change of a reservation is a row of the state table",
            f"r.id IS NOT NULL AND NOT ({in_table})",
            "version {version} of {subject} is {action} from {source} to {target}, told as {type}",
        ),
        Rule(
            "R4",
            "messages of stock and of mends have no states",
            f"i.id IS NOT NULL AND m.type NOT IN ({STOCK_TYPES}) "
            f"OR (i.id IS NOT NULL OR {OF_MENDS_ALONE}) AND (m.from_state IS NOT NULL OR m.to_state IS NOT NULL)",
            "version {version} of {subject} is {action} from {source} to {target}, told as {type}",
        ),
        Rule(
            "R4",
            "versions are 1, 2, 3 … without gaps",
            f"m.version < 1 OR m.version > 1 AND p.subject_id IS NULL AND NOT {OF_MENDS_ALONE}",
            "version {version} of {subject} has none before it",
        ),
        Rule(
            "R4",
            "no message is of a version that its subject has not reached",
            f"m.version > {NEWEST}",
            "{subject} is at version {newest}, and there is a message of version {version}",
        ),
        Rule(
            "R4",
            "each change begins in the state in which the one before it ended",
            "r.id IS NOT NULL AND ((m.version = 1) <> (m.from_state IS NULL) "
            f"OR m.version > 1 AND {speech.unlike('p.to_state', 'm.from_state')})",
            "version {version} of {subject} begins as {source}, and the one before it ended as {before}",
        ),
    ]


def _outbox_rules(speech: Speech, as_of: int) -> list[Rule]:
    shown = speech.joined(
        text('"reference":"'), "SUBSTR(r.reference, 1, 5)", text("-"), "SUBSTR(r.reference, 6, 5)", text('"')
    )
    state = speech.joined(text('"state":"'), "m.to_state", text('"'))
    inside = speech.joined(text('"version":'), "m.version", text(","))
    last = speech.joined(text('"version":'), "m.version", text("}"))
    return [
        Rule(
            "R8",
            "a message carries its reservation's reference",
            f"r.id IS NOT NULL AND {speech.unlike('m.reference', 'r.reference')}",
            "the message of version {version} of {subject} carries another reference",
        ),
        Rule(
            "R7",
            "a message's body tells the state and version that it is of",
            f"INSTR(m.body, {inside}) = 0 AND INSTR(m.body, {last}) = 0 "
            f"OR r.id IS NOT NULL AND (INSTR(m.body, {shown}) = 0 OR INSTR(m.body, {state}) = 0)",
            "the body of version {version} of {subject} tells something else than {target}",
        ),
        Rule(
            "R8",
            "each message's batch is in the outbox",
            "o.batch_id IS NULL",
            "the message of version {version} of {subject} is of batch {batch_id}, which the outbox does not have",
        ),
        Rule(
            "R8",
            "each recent message's batch has its marker",
            # By the database's clock, by which markers are stamped and purged too: an id has the host's.
            f"b.id IS NULL AND m.at >= {as_of - BATCHES_KEPT_MS // 2}",
            "the message of version {version} of {subject} is of batch {batch_id}, which left no marker",
        ),
    ]


def _is(row: Transition) -> str:
    """Whether message `m` is this row of the state table; never null."""
    source = "m.from_state IS NULL" if row.source is None else f"COALESCE(m.from_state, x'') = {text(row.source)}"
    return (
        f"({source} AND COALESCE(m.to_state, x'') = {text(row.target)} "
        f"AND m.action = {text(row.action)} AND m.type = {text(row.message)})"
    )


def same_version() -> Examination:
    return Examination(
        subject="versions",
        counted="SELECT COUNT(*) FROM messages",
        source="(SELECT subject_id, version, COUNT(*) AS times FROM messages GROUP BY subject_id, version "
        "HAVING COUNT(*) > 1) d",
        facts={
            "account_id": "NULL",  # joining the messages again would make MariaDB sort them all
            "subject_id": "d.subject_id",
            "version": "d.version",
            "times": "d.times",
        },
        rules=[
            Rule(
                "R4",
                "a version has one message",
                "d.times > 1",
                "version {version} of {subject_id} has {times} messages",
            )
        ],
    )


def outbox() -> Examination:
    return Examination(
        subject="outbox",
        counted="SELECT COUNT(*) FROM outbox",
        source="outbox o LEFT JOIN accounts a ON a.id = o.account_id",
        facts={"account_id": "o.account_id", "batch_id": "o.batch_id"},
        rules=[
            Rule(
                "R10",
                "an outbox row belongs to an account that exists",
                "a.id IS NULL",
                "the outbox has its batch {batch_id}",
            ),
            Rule(
                "R8",
                "a batch in the outbox has messages",
                "NOT EXISTS (SELECT 1 FROM messages m WHERE m.batch_id = o.batch_id AND m.account_id = o.account_id)",
                "the outbox has batch {batch_id}, which has no message",
            ),
        ],
    )


def positions() -> Examination:
    return Examination(
        subject="positions",
        counted="SELECT COUNT(position) FROM outbox",
        source="outbox o",
        group_by="o.account_id",
        facts={
            "account_id": "MAX(o.account_id)",
            "positions": "COUNT(o.position)",
            "first": "MIN(o.position)",
            "last": "MAX(o.position)",
        },
        rules=[
            Rule(
                "R8",
                "an account's positions are 1, 2, 3 … without gaps",
                "COUNT(o.position) > 0 AND (MIN(o.position) <> 1 OR MAX(o.position) <> COUNT(DISTINCT o.position) "
                "OR COUNT(o.position) <> COUNT(DISTINCT o.position))",
                "there are {positions} positions from {first} to {last}",
            )
        ],
    )


def sequencer() -> Examination:
    return Examination(
        subject="sequencer",
        counted="SELECT COUNT(*) FROM outbox_sequencer",
        source="(SELECT COUNT(*) AS present, MIN(id) AS first FROM outbox_sequencer) q",
        facts={"account_id": "NULL", "present": "q.present"},
        rules=[
            Rule(
                "R8",
                "the sequencer has its one row",
                "q.present <> 1 OR q.first <> 1",
                "outbox_sequencer has {present} rows; it must have one, with id 1",
            )
        ],
    )
