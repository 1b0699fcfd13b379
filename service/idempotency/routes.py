"""`GET /v1/idempotency-keys`: what became of a request whose answer was lost."""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from service.clock import to_rfc3339
from service.http.endpoint import Call, endpoint
from service.http.message import Answer
from service.idempotency.key import KEY_PATTERN, parse_idempotency_key
from service.idempotency.records import select_records
from service.idempotency.scope import scope_hash
from service.refusals import IdempotencyKeyInvalid


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


ENDPOINTS: Final = (read_idempotency_key,)
