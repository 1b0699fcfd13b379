"""Running a coroutine from synchronous test code.

It runs in a thread of its own, so that it neither meets the event loop of a running asynchronous test nor replaces it.
"""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def run_in_own_loop(coroutine: Coroutine[object, object, T]) -> T:
    """The coroutine's result, or its exception."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="own-loop") as thread:
        return thread.submit(asyncio.run, coroutine).result()
