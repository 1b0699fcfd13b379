"""Plain use cases: what does not move inventory runs as one transaction of its own, whole or not at all."""

import asyncio
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

    It is not begun again past the deadline. The use case must do nothing outside its transaction. Raises what it
    raises, and StoreUnavailable.
    """

    async def run(store: Store, /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        until = loop.time() + store.settings.deadline_seconds
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
    return run
