"""Whatever went wrong, as an answer: the one place where an exception becomes a problem.

A refusal is normal and logged at info. Everything else is a bug: logged with its trace, answered with a 500 that says
nothing of it.
"""

from functools import lru_cache
from typing import Final

import structlog
from prometheus_client import Counter

from service import problems
from service.clock import to_rfc3339
from service.database.errors import StoreError
from service.http.message import Answer
from service.metrics import REFUSALS
from service.refusals import IdempotencyKeyReused, Refusal, StoreUnavailable

log = structlog.get_logger(__name__)

CONTENT_TYPE: Final = ("Content-Type", problems.MEDIA_TYPE)
EXPIRES: Final = "Idempotency-Expires"


def refused(error: BaseException, request_id: str, **about: object) -> Answer:
    """The problem that `error` is, counted, and logged with what is known `about` the request."""
    refusal = refusal_of(error)
    if refusal is None:
        log.error("internal_error", exc_info=error, **about)
        problem = problems.internal(request_id)
        _counter(problems.TABLE[-1].slug).inc()
    else:
        problem = problems.render(refusal, request_id)
        note_refusal(problems.row_of(refusal).slug, **about)
    answer = Answer(problem.status, problem.body, [CONTENT_TYPE, *problem.headers])
    if isinstance(refusal, IdempotencyKeyReused) and refusal.kept_until is not None:
        answer.headers.append((EXPIRES, to_rfc3339(refusal.kept_until)))
    return answer


def refusal_of(error: BaseException) -> Refusal | None:
    """What an exception means to a client; None if it is a bug."""
    match error:
        case Refusal():
            return error
        case StoreError():
            return StoreUnavailable(retry_after_s=1)
        case _:
            return None


def note_refusal(slug: str, **about: object) -> None:
    """One more request that was answered with this problem: counted, and logged with what is known `about` it."""
    log.info("refused", problem=slug, **about)
    _counter(slug).inc()


@lru_cache(maxsize=64)
def _counter(slug: str) -> Counter:
    return REFUSALS.labels(slug)
