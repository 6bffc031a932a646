"""Several parts of one object in flight at once, handed on in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from triptych.storage.base import TransferLimits


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
