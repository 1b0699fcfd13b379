"""Plain use cases under an idempotency key: what they decide is stored and replayed, their refusals included (R3).

A use case must try everything that may refuse before it changes a row: a refusal is stored in its own transaction,
which would commit the changes, too.
"""

from collections.abc import Awaitable, Callable

from service.database.transaction import Transaction
from service.idempotency.records import KeyedRequest, StoredAnswer, answer_once
from service.problems import render, row_of
from service.refusals import Refusal


async def decide_once(
    transaction: Transaction,
    request: KeyedRequest | None,
    request_id: str,
    decide: Callable[[Transaction], Awaitable[StoredAnswer]],
) -> StoredAnswer:
    """The first answer to `request`; without a key, the answer of `decide`.

    Raises the refusals that no record keeps and, without a key, all of them.
    """

    async def decide_or_refuse(transaction: Transaction) -> StoredAnswer:
        try:
            return await decide(transaction)
        except Refusal as refusal:
            if request is None or not row_of(refusal).stored:
                raise
            return _stored(refusal, request_id)

    return await answer_once(transaction, request, decide_or_refuse)


def _stored(refusal: Refusal, request_id: str) -> StoredAnswer:
    problem = render(refusal, request_id)
    headers = dict(problem.headers)
    return StoredAnswer(
        status=problem.status, body=problem.body, location=headers.get("Location"), etag=headers.get("ETag")
    )
