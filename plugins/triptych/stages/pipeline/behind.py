"""The results of chunks that have run, kept while the next ones run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from triptych.stages.pipeline.beside import LAST_S, Beside

MOST_WAITING, MOST_BYTES = 16, 64 << 20
"""So many chunks wait to be kept, with so many bytes of results together, or one that has more."""


class Behind:
    """Keeps one chunk after the other, in order, by its thread."""

    def __init__(self) -> None:
        self._beside = Beside[None]("triptych-behind")
        self._waiting: deque[tuple[Future[None], int]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Without an error nothing waits any more: it was asked for. After one, what has not begun never will."""
        for future, _ in self._waiting:
            future.cancel()
        self._beside.end(LAST_S)

    def begin(self, work: Callable[[], None], size: int) -> None:
        """Have a chunk kept whose results have so many bytes; waits while too much waits. Raises what others raised."""
        while self._waiting and (len(self._waiting) >= MOST_WAITING or size + self._bytes() > MOST_BYTES):
            self._next()
        while self._waiting and self._waiting[0][0].done():
            self._next()
        self._waiting.append((self._beside.begin(work), size))

    def drain(self) -> None:
        """Wait until all is kept. Raises what that raised."""
        while self._waiting:
            self._next()

    def _next(self) -> None:
        future, _ = self._waiting[0]
        future.result()
        self._waiting.popleft()

    def _bytes(self) -> int:
        return sum(size for _, size in self._waiting)
