"""Several parts of one object in flight at once, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from triptych.storage.base import TransferLimits

Sent = TypeVar("Sent")


class PartSender(Generic[Sent]):
    """Sends parts in threads, some at once; keeps what each call gave, in the order of the parts."""

    def __init__(self, parallelism: int) -> None:
        self.count = 0
        """Of the parts so far."""
        self._parallelism = parallelism
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[Sent]] = deque()
        self._sent: list[Sent] = []

    def send(self, call: Callable[[], Sent]) -> None:
        """Begin with one more part; waits for the first of those under way, when these are too many."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._parallelism)
        if len(self._pending) >= self._parallelism:
            self._sent.append(self._pending.popleft().result())
        self._pending.append(self._pool.submit(call))
        self.count += 1

    def all_sent(self) -> list[Sent]:
        """What the calls gave, once all parts are sent."""
        while self._pending:
            self._sent.append(self._pending.popleft().result())
        return self._sent

    def close(self) -> None:
        """Begin with nothing more, and wait for what is under way."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)


def read_parts(read: Callable[[int, int], bytes], start: int, end: int, limits: TransferLimits) -> Iterator[bytes]:
    """The bytes from `start` to `end`, by calls of `read(offset, length)` in threads.

    `limits.parallelism` parts of `limits.part_bytes` are in memory at most. An error of a call is raised in its place.
    """
    parts = [(offset, min(limits.part_bytes, end - offset)) for offset in range(start, end, limits.part_bytes)]
    if len(parts) <= 1:
        yield from (read(*part) for part in parts)
        return
    waiting: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(limits.parallelism) as pool:
        try:
            for part in parts:
                if len(waiting) >= limits.parallelism:
                    yield waiting.popleft().result()
                waiting.append(pool.submit(read, *part))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
