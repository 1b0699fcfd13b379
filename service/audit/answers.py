"""What is judged of idempotency records: one key, one answer (R3), and answers that the database agrees with (R7)."""

from service.audit.examination import Examination, Rule
from service.audit.inventory import owned
from service.audit.speech import Speech, text
from service.problems import TABLE

RESERVATIONS_PATH = "/v1/reservations/"
STATUSES_STORED = ", ".join(str(status) for status in sorted({row.status for row in TABLE if row.stored}))
OK_LEAST, OK_MOST = 200, 299


def examinations(speech: Speech) -> list[Examination]:
    return [records(speech), same_scope()]


def records(speech: Speech) -> Examination:
    start = len(RESERVATIONS_PATH) + 1
    located = speech.joined(f"SUBSTR(k.location, {start}, 5)", f"SUBSTR(k.location, {start + 6}, 5)")
    return Examination(
        subject="idempotency records",
        counted="SELECT COUNT(*) FROM idempotency_records",
        source="idempotency_records k LEFT JOIN accounts a ON a.id = k.account_id "
        "LEFT JOIN messages m ON m.batch_id = k.message_batch_id AND m.ordinal = k.message_ordinal "
        f"LEFT JOIN reservations x ON x.account_id = k.account_id AND x.reference = {located}",
        facts={
            "account_id": "k.account_id",
            "record_id": "k.id",
            "name": speech.joined("k.status", text(" first seen at "), "k.first_seen_at"),
            "status": "k.status",
            "location": "k.location",
            "etag": "k.etag",
            "version": "m.version",
        },
        rules=[*_record_rules(), *_answer_rules(speech)],
    )


def _record_rules() -> list[Rule]:
    return [
        owned("idempotency record"),
        Rule(
            "R3",
            "a record keeps its answer in exactly one place",
            "(k.message_batch_id IS NULL) = (k.body IS NULL) "
            "OR (k.message_batch_id IS NULL) <> (k.message_ordinal IS NULL)",
            "record {record_id} ({name}) keeps its answer twice or not at all",
        ),
        Rule(
            "R3",
            "a record finds the message that has its answer",
            "k.message_batch_id IS NOT NULL AND m.batch_id IS NULL",
            "record {record_id} ({name}) points at a message that does not exist",
        ),
        Rule(
            "R10",
            "a record's message is its account's",
            "m.account_id <> k.account_id",
            "record {record_id} ({name}) points at another account's message",
        ),
        Rule(
            "R3",
            "a record keeps successes and decided refusals only",
            f"NOT (k.status BETWEEN {OK_LEAST} AND {OK_MOST} OR k.status IN ({STATUSES_STORED})) "
            f"OR m.batch_id IS NOT NULL AND k.status > {OK_MOST}",
            "record {record_id} ({name}) keeps an answer of status {status}",
        ),
        Rule(
            "R3",
            "a record expires after it was first seen",
            "k.expires_at <= k.first_seen_at",
            "record {record_id} ({name}) expired before it was first seen",
        ),
    ]


def _answer_rules(speech: Speech) -> list[Rule]:
    path = text(RESERVATIONS_PATH)
    is_reservation = f"SUBSTR(k.location, 1, {len(RESERVATIONS_PATH)}) = {path}"
    told = speech.joined(path, "SUBSTR(m.reference, 1, 5)", text("-"), "SUBSTR(m.reference, 6, 5)")
    etag = speech.joined(text('"'), "m.version", text('"'))
    return [
        Rule(
            "R7",
            "the reservation that a stored answer names exists",
            f"{is_reservation} AND x.id IS NULL",
            "record {record_id} ({name}) answered {location}, which does not exist",
        ),
        Rule(
            "R7",
            "a stored answer to a create names the reservation that was created",
            f"m.action = {text('create')} AND {speech.unlike('k.location', told)}",
            "record {record_id} ({name}) answered {location}, and its message tells of another reservation",
        ),
        Rule(
            "R7",
            "a stored answer's ETag is the version of its message",
            f"m.batch_id IS NOT NULL AND {speech.unlike('k.etag', etag)}",
            "record {record_id} ({name}) answered ETag {etag}, and its message is of version {version}",
        ),
    ]


def same_scope() -> Examination:
    return Examination(
        subject="idempotency scopes",
        counted="SELECT COUNT(*) FROM idempotency_records",
        source="(SELECT scope_hash, COUNT(*) AS times FROM idempotency_records GROUP BY scope_hash "
        "HAVING COUNT(*) > 1) d",
        # Joining the records again, for their account, would make MariaDB sort them all.
        facts={"account_id": "NULL", "scope": "HEX(d.scope_hash)", "times": "d.times"},
        rules=[
            Rule("R3", "a key has one record", "d.times > 1", "{times} records are of the key with scope hash {scope}")
        ],
    )
