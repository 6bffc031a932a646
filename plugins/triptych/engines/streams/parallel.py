"""The same work on many items, on every core."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from triptych.engines.runtime.resources import resources

MEMORY_SHARE = 1 / 8
"""Of the engine's memory, for items that are begun and not yet used."""
In = TypeVar("In")
Out = TypeVar("Out")


def map_ordered(work: Callable[[In], Out], items: Iterable[In], item_bytes: int) -> Iterator[Out]:
    """`work(item)` of each item, in order of the items, made by one thread per processor.

    `items` are asked for one after the other, in the caller's thread. At most 4 per processor are begun ahead of the
    one that is used, and fewer where as many of `item_bytes` each would take more than MEMORY_SHARE; never fewer than
    there are processors. An error of `work` is raised in the item's place. `work` runs in a copy of the caller's
    context, so it may ask for `resources()`; it must release the GIL to gain anything.
    """
    threads = len(os.sched_getaffinity(0))
    in_memory = resources().share(MEMORY_SHARE).bytes // max(1, item_bytes)
    ahead = max(threads, min(4 * threads, in_memory))
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            # A context of its own each: two threads cannot be in one at the same time.
            waiting.append(pool.submit(copy_context().run, work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
