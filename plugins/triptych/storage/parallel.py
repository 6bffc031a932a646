"""Several parts of one object in flight at once, in order, within memory that all transfers of a process share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Generic, TypeVar

from triptych.storage.base import BLOCK_BYTES, TransferLimits

Sent = TypeVar("Sent")

PARTS_AT_ONCE = 16
"""Of one object, however much memory there is: more connections make none faster."""
MOST_PART_BYTES = 4000 << 20
"""Azure takes no larger ones; Amazon's and Google's end at 5 GiB."""
OBJECTS_AT_ONCE = 16
"""That are sent or fetched; what they hold of large ones is bounded by the memory for parts."""


class Room:
    """Bytes of memory for parts that are in flight in one direction; for any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = self._free = limit
        self._changed = threading.Condition()

    def take(self, count: int) -> bool:
        """Have so many bytes now, or none; what is larger than all of the room gets it when nobody else has any."""
        with self._changed:
            is_there = count <= self._free or self._free == self._limit
            self._free -= count * is_there
            return is_there

    def wait_for(self, count: int) -> None:
        """Have so many bytes once others gave theirs back."""
        with self._changed:
            self._changed.wait_for(lambda: count <= self._free or self._free == self._limit)
            self._free -= count

    def give(self, count: int) -> None:
        """Give back what was taken."""
        with self._changed:
            self._free += count
            self._changed.notify_all()


@cache
def room_to_read(memory_bytes: int) -> Room:
    """Half of what transfers may keep in memory: whoever reads may be waiting for whoever writes, never the reverse."""
    return Room(memory_bytes // 2)


@cache
def room_to_write(memory_bytes: int) -> Room:
    """The other half."""
    return Room(memory_bytes // 2)


class PartBuffer:
    """Bytes as they are written, until they are taken as parts; copied once."""

    def __init__(self) -> None:
        self.held = 0
        """So many bytes were added and not taken yet."""
        self._blocks: deque[memoryview] = deque()

    def add(self, data: bytes) -> None:
        """Keep these bytes, which come after all others."""
        self._blocks.append(memoryview(bytes(data)))
        self.held += len(data)

    def take(self, count: int) -> bytes:
        """The first `count` bytes of what is held."""
        taken: list[memoryview] = []
        self.held -= count
        while count > 0:
            block = self._blocks.popleft()
            if len(block) > count:
                self._blocks.appendleft(block[count:])
            taken.append(block[:count])
            count -= len(taken[-1])
        return b"".join(taken)


class PartSender(Generic[Sent]):
    """Sends parts in threads, some at once; keeps what each call gave, in the order of the parts."""

    def __init__(self, limits: TransferLimits, at_once: int = PARTS_AT_ONCE) -> None:
        self.count = 0
        """Of the parts so far."""
        self._room = room_to_write(limits.memory_bytes)
        self._at_once = at_once
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[tuple[Future[Sent], int]] = deque()
        self._sent: list[Sent] = []

    def send(self, call: Callable[[], Sent], size: int) -> None:
        """Begin with one more part, of which `size` bytes are in memory; waits until there is room for it."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._at_once)
        if len(self._pending) >= self._at_once:
            self._wait_for_first()
        while not self._room.take(size):
            if not self._pending:
                self._room.wait_for(size)
                break
            self._wait_for_first()
        self._pending.append((self._pool.submit(self._sent_by, call, size), size))
        self.count += 1

    def all_sent(self) -> list[Sent]:
        """What the calls gave, once all parts are sent."""
        while self._pending:
            self._wait_for_first()
        return self._sent

    def close(self) -> None:
        """Begin with nothing more, and wait for what is under way."""
        for future, size in self._pending:
            if future.cancel():
                self._room.give(size)
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def _wait_for_first(self) -> None:
        self._sent.append(self._pending.popleft()[0].result())

    def _sent_by(self, call: Callable[[], Sent], size: int) -> Sent:
        try:
            return call()
        finally:
            self._room.give(size)


def read_ahead(
    whole: Iterator[bytes],
    start: int,
    end: int,
    read: Callable[[int, int], Iterable[bytes]],
    limits: TransferLimits,
) -> Iterator[bytes]:
    """The bytes from `start` to `end`, which `whole` has in order.

    After a first part of it, by calls of `read(offset, length)` in threads, if more than a part is left and there is
    room for parts; else `whole` goes on. An error of a call is raised in its place.
    """
    position, room = start, room_to_read(limits.memory_bytes)
    for block in whole:
        yield block
        position += len(block)
        is_begun, is_long = position - start >= limits.part_bytes, end - position > limits.part_bytes
        if is_begun and is_long and room.take(limits.part_bytes):
            break
    else:
        return
    close = getattr(whole, "close", None)
    if close is not None:
        close()
    yield from _Lanes(room, limits.part_bytes).read(read, position, end)


class _Lanes:
    """Parts of one object that are read at once, each with room of its own; the first was taken for it."""

    def __init__(self, room: Room, part_bytes: int) -> None:
        self._room, self._part_bytes = room, part_bytes
        self._count = 1

    def read(self, read: Callable[[int, int], Iterable[bytes]], position: int, end: int) -> Iterator[bytes]:
        """The bytes from `position` to `end`; more lanes are taken whenever there is room."""
        waiting: deque[Future[Sequence[bytes]]] = deque()
        pool = ThreadPoolExecutor(PARTS_AT_ONCE)
        try:
            while waiting or position < end:
                while position < end and (len(waiting) < self._count or self._widened()):
                    length = min(self._part_bytes, end - position)
                    waiting.append(pool.submit(_read, read, position, length))
                    position += length
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            self._room.give(self._count * self._part_bytes)

    def _widened(self) -> bool:
        if self._count < PARTS_AT_ONCE and self._room.take(self._part_bytes):
            self._count += 1
            return True
        return False


def _read(read: Callable[[int, int], Iterable[bytes]], offset: int, length: int) -> Sequence[bytes]:
    return list(read(offset, length))


def in_blocks(data: bytes) -> Iterator[bytes]:
    """The bytes in blocks of BLOCK_BYTES."""
    for start in range(0, len(data), BLOCK_BYTES):
        yield data[start : start + BLOCK_BYTES]


def growing_part_bytes(part_bytes: int, count: int, most: int) -> int:
    """The size of the next of at most `most` parts, of which there are `count`, of an object of unknown size.

    Twice as large after each tenth: parts of 8 MiB at first come to 7.8 TiB in 10,000. The first thousand, 8 GiB, are
    as small as they may be, since each is in memory.
    """
    return min(part_bytes << (count * 10 // most), MOST_PART_BYTES)
