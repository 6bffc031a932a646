"""One thread beside the attempt's own, which does one thing after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
LAST_S = 2.0
"""What runs when its attempt is ended has so long to come to its end: Airflow kills a task after five."""


class Beside(Generic[T]):
    """No pool of the library's: an attempt that is ended waits for no transfer, nor does the process at its end."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[tuple[Callable[[], T], Future[T]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def begin(self, work: Callable[[], T]) -> Future[T]:
        """Have it done after what was begun before."""
        future: Future[T] = Future()
        self._queue.put((work, future))
        return future

    def end(self, wait_s: float | None = None) -> None:
        """Begin nothing more; wait for what was begun, so long at most."""
        self._queue.put(None)
        self._thread.join(wait_s)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            work, future = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            del item, work, future  # What the last one held is free while nothing comes.
