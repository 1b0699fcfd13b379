"""Plain use cases under an idempotency key: what they decide is stored and replayed, their refusals included (R3).

A use case must try everything that may refuse before it changes a row: a refusal is stored in its own transaction,
which would commit the changes, too.
"""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from service.database.transaction import Transaction
from service.idempotency.records import (
    KeyedRequest,
    StoredAnswer,
    insert_records,
    record_row,
    refusal_answer,
    select_records,
)
from service.problems import row_of
from service.refusals import Refusal


async def answer_once(
    transaction: Transaction,
    request: KeyedRequest | None,
    request_id: str,
    decide: Callable[[Transaction], Awaitable[StoredAnswer]],
) -> StoredAnswer:
    """The first answer to `request`, stored in the transaction of its effect; without a key, the answer of `decide`.

    Raises IdempotencyKeyReused, DuplicateKey (another was first: run anew), the refusals that no record keeps and,
    without a key, all of them.
    """
    if request is None:
        return await decide(transaction)
    now, records = await select_records(transaction, [request.scope_hash])
    if record := records.get(request.scope_hash):
        return record.replay(request)
    try:
        answer = await decide(transaction)
    except Refusal as refusal:
        if not row_of(refusal).stored:
            raise
        answer = refusal_answer(refusal, request_id)
    await insert_records(transaction, [record_row(request, answer, now, None)])
    return replace(answer, expires_at=now + request.keep_ms)
