"""What became of a request whose answer was lost, for its sender; and all that is known of a key, for operators."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from service.accounts.queries import select_key_names
from service.clock import to_rfc3339
from service.http.endpoint import Call, endpoint
from service.http.message import Answer
from service.idempotency.key import KEY_PATTERN, parse_idempotency_key
from service.idempotency.records import Record, select_records
from service.idempotency.scope import scope_hash
from service.idempotency.search import Asked, key_id, records_in, scopes_of
from service.names import PRINTABLE_PATTERN
from service.refusals import IdempotencyKeyInvalid

PRINCIPALS_MAX: Final = 20
PRINCIPAL_LENGTH_MAX: Final = 300


class KeyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request that is asked for, by what makes its key unique."""

    # Named, not bounded: what is no key is refused as such, and not as a request that is not valid.
    key: Annotated[
        str,
        Meta(description="The idempotency key, bare or quoted", extra_json_schema={"pattern": KEY_PATTERN}),
    ]
    method: Annotated[Literal["POST", "PUT", "PATCH", "DELETE"], Meta(description="Method of the request")]
    route: Annotated[
        str, Meta(max_length=200, description="Path of the request as this document writes it, with its {parameters}")
    ]


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """`unseen`: send again with the same key. `in_progress` is best effort. `completed`: send again for the answer."""

    state: Literal["unseen", "in_progress", "completed"]
    first_seen_at: str | None = None
    expires_at: str | None = None
    status: int | None = None
    location: str | None = None


_EXAMPLE: Final = {
    "state": "completed",
    "first_seen_at": "2027-06-01T10:00:00.000Z",
    "expires_at": "2027-06-04T10:00:00.000Z",
    "status": 201,
    "location": "/v1/reservations/K7QX2-9PMD8",
}


@endpoint(
    "GET",
    "/v1/idempotency-keys",
    scope=None,
    query=KeyQuery,
    answers={200: KeyView},
    refusals=(IdempotencyKeyInvalid,),
    answer_example=_EXAMPLE,
)
async def read_idempotency_key(call: Call) -> Answer:
    """What became of an idempotency key.

    For a client that lost the answer. Only keys of the caller's own name are seen; those of others are `unseen`.
    """
    asked: KeyQuery = call.query
    return Answer(200, msgspec.json.encode(await _look_up(call, asked)))


async def _look_up(call: Call, asked: KeyQuery) -> KeyView:
    key = parse_idempotency_key([asked.key.encode()])
    caller = call.caller
    scope = scope_hash(caller.account_id, caller.principal, asked.method, asked.route, key or "")
    # First what runs, then what is stored: a request that ends in between is found in the second place.
    running_since = call.services.engine.in_flight.first_seen_at(scope)
    async with call.services.store.read() as reader:
        record = (await select_records(reader, [scope]))[1].get(scope)
    if record is not None:
        answer = record.answer
        return KeyView(
            state="completed",
            first_seen_at=to_rfc3339(record.first_seen_at),
            expires_at=None if answer.expires_at is None else to_rfc3339(answer.expires_at),
            status=answer.status,
            location=answer.location,
        )
    if running_since is not None:
        return KeyView(state="in_progress", first_seen_at=to_rfc3339(running_since))
    return KeyView(state="unseen")


class RecordsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key's text, and who may have sent it beside the account's API keys."""

    key: Annotated[
        str,
        Meta(description="The idempotency key, bare or quoted", extra_json_schema={"pattern": KEY_PATTERN}),
    ]
    principal: Annotated[
        list[Annotated[str, Meta(pattern=PRINTABLE_PATTERN, min_length=1, max_length=PRINCIPAL_LENGTH_MAX)]],
        Meta(max_length=PRINCIPALS_MAX, description="Others to ask about, as in `operator:ann`; may be repeated"),
    ] = []


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    """A request with the key. `in_progress` is best effort, and of one process."""

    principal: str
    method: str
    route: str
    key_id: str
    state: Literal["in_progress", "completed"]
    first_seen_at: str
    expires_at: str | None = None
    status: int | None = None
    location: str | None = None


class RecordsView(msgspec.Struct, frozen=True):
    """Every request with the key that the account knows, first seen first."""

    records: list[RecordView]


_RECORDS_EXAMPLE: Final = {
    "records": [
        {
            "principal": "box-office",
            "method": "POST",
            "route": "/v1/reservations",
            "key_id": "9f86d081884c7d65",
            **_EXAMPLE,
        }
    ]
}


@endpoint(
    "GET",
    "/v1/idempotency-records",
    scope="ops",
    query=RecordsQuery,
    answers={200: RecordsView},
    refusals=(IdempotencyKeyInvalid,),
    answer_example=_RECORDS_EXAMPLE,
)
async def list_idempotency_records(call: Call) -> Answer:
    """List all that the account knows of an idempotency key, whoever sent it.

    Asked about are all of the account's API key names, revoked ones too, and each `principal` that is given, in every
    operation that takes a key. `key_id` is that of a reservation's timeline.
    """
    asked: RecordsQuery = call.query
    key = parse_idempotency_key([asked.key.encode()]) or ""
    account_id = call.caller.account_id
    async with call.services.store.read() as reader:
        principals = {call.caller.principal, *await select_key_names(reader, account_id), *asked.principal}
        scopes = scopes_of(account_id, sorted(principals), call.services.keyed_operations, key)
        # First what runs, then what is stored: a request that ends in between is found in the second place.
        first_seen_at = call.services.engine.in_flight.first_seen_at
        running = {scope: since for scope in scopes if (since := first_seen_at(scope)) is not None}
        records = await records_in(reader, scopes)
    views = [_completed(scope, scopes[scope], record) for scope, record in records.items()]
    views += [_running(scope, scopes[scope], since) for scope, since in running.items() if scope not in records]
    return Answer(200, msgspec.json.encode(RecordsView(views)))


def _completed(scope: bytes, asked: Asked, record: Record) -> RecordView:
    return RecordView(
        principal=asked.principal,
        method=asked.method,
        route=asked.route,
        key_id=key_id(scope),
        state="completed",
        first_seen_at=to_rfc3339(record.first_seen_at),
        expires_at=None if record.answer.expires_at is None else to_rfc3339(record.answer.expires_at),
        status=record.answer.status,
        location=record.answer.location,
    )


def _running(scope: bytes, asked: Asked, since: int) -> RecordView:
    return RecordView(
        principal=asked.principal,
        method=asked.method,
        route=asked.route,
        key_id=key_id(scope),
        state="in_progress",
        first_seen_at=to_rfc3339(since),
    )


ENDPOINTS: Final = (read_idempotency_key, list_idempotency_records)
