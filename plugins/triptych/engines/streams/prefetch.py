"""One stage of a stream beside the next, on another core."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

AHEAD = 2
T = TypeVar("T")


def read_ahead(items: Iterator[T], ahead: int = AHEAD) -> Generator[T, None, None]:
    """The same items, of which up to `ahead` are made in a thread while earlier ones are used; errors in place."""
    ended, context = object(), copy_context()  # The thread, too, is to see the stage's resources.

    def following() -> object:
        return next(items, ended)

    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(context.run, following) for _ in range(ahead))
        while (item := coming.popleft().result()) is not ended:
            coming.append(pool.submit(context.run, following))
            yield item  # type: ignore[misc]  # not `ended`
