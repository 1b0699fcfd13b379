"""Plain use cases: what does not move inventory runs as one transaction of its own, whole or not at all."""

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from service.database.errors import CommitUnknown, Conflict, Disconnected, StoreUnreachable
from service.database.store import Store
from service.database.transaction import Transaction
from service.ids import new_id
from service.metrics import TRANSACTIONS_RETRIED
from service.refusals import StoreUnavailable

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 8


def transactional(
    use_case: Callable[Concatenate[Transaction, P], Awaitable[T]],
) -> Callable[Concatenate[Store, P], Coroutine[Any, Any, T]]:
    """Make a use case of (transaction, …) one of (store, …): begun, committed, run anew when another was first.

    With a parameter `account_id` it waits for its turn in that account's name. It is not begun again past the
    deadline. The use case must do nothing outside its transaction. Raises Overloaded, what it raises, StoreUnavailable.
    """
    account_of = _account_finder(use_case)

    async def run(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        until = loop.time() + store.settings.deadline_seconds
        # Kept while it backs off: one that has begun must not be refused for those who came later.
        async with store.turns.take(account_of(args, kwargs)):
            for attempt in range(ATTEMPTS):
                if attempt and loop.time() >= until:
                    break
                try:
                    async with store.begin(new_id()) as transaction:
                        return await use_case(transaction, *args, **kwargs)
                except (Conflict, Disconnected) as error:
                    TRANSACTIONS_RETRIED.labels(type(error).__name__).inc()
                    await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311 - jitter
                except (StoreUnreachable, CommitUnknown) as error:
                    raise StoreUnavailable(retry_after_s=1) from error
        raise StoreUnavailable(retry_after_s=1)

    run.__name__, run.__doc__ = use_case.__name__, use_case.__doc__
    run.__wrapped__ = use_case  # type: ignore[attr-defined]
    return run


class _NothingIsKept(Exception):
    """Ends a rehearsal's transaction."""


async def rehearse(
    use_case: Callable[Concatenate[Store, P], Coroutine[Any, Any, T]],
    store: Store,
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What a transactional use case would answer or raise now; its transaction is rolled back, and nothing is kept."""
    work: Callable[..., Awaitable[T]] = use_case.__wrapped__  # type: ignore[attr-defined]
    answers: list[T] = []
    try:
        async with store.begin(new_id()) as transaction:
            answers.append(await work(transaction, *args, **kwargs))
            raise _NothingIsKept  # noqa: TRY301 - an exception is what rolls back
    except _NothingIsKept:
        return answers[0]


def _account_finder(use_case: Callable[..., object]) -> Callable[[tuple[Any, ...], dict[str, Any]], object]:
    """Finds among a call's arguments whom the use case is for; None where it is for no account."""
    parameters = [*inspect.signature(use_case).parameters][1:]
    if "account_id" not in parameters:
        return lambda _args, _kwargs: None
    place = parameters.index("account_id")
    return lambda args, kwargs: args[place] if place < len(args) else kwargs["account_id"]
