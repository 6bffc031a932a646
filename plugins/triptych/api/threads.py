"""Work that waits for a store, in threads of its own: never those in which Airflow's own endpoints run.

A request of ours waits for one of Airflow's in the same process. Did both take threads from one pool, enough requests
at once would wait for each other for ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache, partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

AT_ONCE = 16
PREVIEWS_AT_ONCE = 2
"""Of one API server: each may take a GiB, and a core. They wait for each other, and hold up nothing else."""
T = TypeVar("T")
P = ParamSpec("P")


@cache
def _stores() -> CapacityLimiter:
    return CapacityLimiter(AT_ONCE)


@cache
def _previews() -> CapacityLimiter:
    return CapacityLimiter(PREVIEWS_AT_ONCE)


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the work gives, without holding up other requests; it must ask Airflow's API nothing."""
    return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=_stores())


async def in_thread_of_preview(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same for what looks at a table, in threads that are few."""
    return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=_previews())


async def blocks_in_threads(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The same blocks, each waited for in a thread."""
    while True:
        block = await in_thread(next, blocks, None)
        if block is None:
            return
        yield block
