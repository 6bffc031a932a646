"""One stage of a stream beside the next, on another core."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

AHEAD = 2
T = TypeVar("T")


class _End:
    """Stands behind the last item."""


def prefetch(items: Iterator[T], ahead: int = AHEAD) -> Generator[T, None, None]:
    """The same items in order, of which up to `ahead` wait, made by one thread while earlier ones are used.

    An error of `items` is raised in its place. The thread runs in a copy of the caller's context (as
    `asyncio.to_thread` does), so `items` may ask for `resources()`. Close the generator when it is left before its
    end: that waits for the item being made, and ends the thread.
    """
    context = copy_context()

    def following() -> T | _End:
        return next(items, _End())

    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(context.run, following) for _ in range(ahead))
        while not isinstance(item := waiting.popleft().result(), _End):
            waiting.append(pool.submit(context.run, following))
            yield item
