"""Parts in flight: in order, within the memory that they share, none lost when something fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from triptych.storage.base import TransferLimits
from triptych.storage.parallel import (
    PartBuffer,
    PartSender,
    Room,
    growing_part_bytes,
    read_ahead,
    room_to_read,
    room_to_write,
)

_numbers = count()
DATA = bytes(range(256)) * 4
PART = 16


def _limits(parts: int) -> TransferLimits:
    """Room for so many parts in each direction, which no other test has."""
    return TransferLimits(PART, 2 * parts * PART + 2 * (next(_numbers) % PART))


@pytest.fixture(params=[1, 3, 100])
def limits(request: pytest.FixtureRequest) -> TransferLimits:
    return _limits(request.param)


class _Served:
    """Reads of DATA, of which no more than `at_once` may wait for the others; how many did at most."""

    def __init__(self, at_once: int) -> None:
        self.parts: list[tuple[int, int]] = []
        self.together = 0
        self._barrier = threading.Barrier(at_once)

    def read(self, offset: int, length: int) -> Iterator[bytes]:
        self.parts.append((offset, length))
        if not self.together:
            self._barrier.wait(30)
            self.together = self._barrier.parties
        yield DATA[offset : offset + length]


def _whole(start: int, end: int, step: int = 8) -> Iterator[bytes]:
    for offset in range(start, end, step):
        yield DATA[offset : min(offset + step, end)]


@pytest.mark.parametrize(("start", "end"), [(0, 1024), (0, 0), (0, 33), (7, 24), (5, 1021)])
def test_what_is_read_ahead_is_in_order(limits: TransferLimits, start: int, end: int) -> None:
    served = _Served(1)
    assert b"".join(read_ahead(_whole(start, end), start, end, served.read, limits)) == DATA[start:end]
    assert room_to_read(limits.memory_bytes).take(limits.memory_bytes // 2), "Room was kept."
    room_to_read(limits.memory_bytes).give(limits.memory_bytes // 2)
    if end - start > 100:
        assert served.parts, "Nothing was read ahead."


def test_as_many_parts_are_read_at_once_as_there_is_room_for() -> None:
    limits, served = _limits(3), _Served(3)
    assert b"".join(read_ahead(_whole(0, 1024), 0, 1024, served.read, limits)) == DATA
    assert served.together == 3


def test_without_room_the_one_answer_goes_on() -> None:
    limits = _limits(2)
    room, served = room_to_read(limits.memory_bytes), _Served(1)
    assert room.take(limits.memory_bytes // 2)
    read = read_ahead(_whole(0, 1024), 0, 1024, served.read, limits)
    begun = b"".join(next(read) for _ in range(10))
    assert served.parts == []
    room.give(limits.memory_bytes // 2)
    assert begun + b"".join(read) == DATA
    assert served.parts[0][0] == 80


def test_a_stream_that_nobody_reads_on_gives_its_room_back() -> None:
    limits = _limits(2)
    read = read_ahead(_whole(0, 1024), 0, 1024, _Served(1).read, limits)
    for _ in range(4):
        next(read)
    read.close()  # type: ignore[attr-defined]  # Of a generator.
    assert room_to_read(limits.memory_bytes).take(limits.memory_bytes // 2)


def test_an_error_comes_in_its_place(limits: TransferLimits) -> None:
    def read(offset: int, length: int) -> Iterator[bytes]:
        if offset == 64:
            raise ZeroDivisionError
        yield DATA[offset : offset + length]

    got: list[bytes] = []
    with pytest.raises(ZeroDivisionError):
        got.extend(read_ahead(_whole(0, 1024), 0, 1024, read, limits))
    assert b"".join(got) == DATA[:64]
    assert room_to_read(limits.memory_bytes).take(limits.memory_bytes // 2)


def test_parts_are_sent_within_the_memory_of_all() -> None:
    limits = _limits(2)
    held, most, lock = 0, 0, threading.Lock()

    def send(size: int) -> int:
        nonlocal held, most
        with lock:
            held += size
            most = max(most, held)
        with lock:
            held -= size
        return size

    def send_many() -> None:
        sender: PartSender[int] = PartSender(limits)
        for _ in range(50):
            sender.send(lambda: send(PART), PART)
        assert sender.all_sent() == [PART] * 50
        sender.close()

    threads = [threading.Thread(target=send_many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < most <= limits.memory_bytes // 2


def test_what_was_sent_is_in_order_and_what_failed_gives_its_room_back() -> None:
    limits = _limits(3)
    sender: PartSender[int] = PartSender(limits)
    for number in range(20):
        sender.send(lambda number=number: number, PART)  # type: ignore[misc]  # mypy has no type for such a default
    assert sender.all_sent() == list(range(20))

    def fail() -> int:
        raise ZeroDivisionError

    failing: PartSender[int] = PartSender(limits, at_once=1)

    def send_many() -> None:
        for _ in range(20):
            failing.send(fail, PART)

    with pytest.raises(ZeroDivisionError):
        send_many()
    failing.close()
    assert room_to_write(limits.memory_bytes).take(limits.memory_bytes // 2)


def test_a_part_that_is_larger_than_the_memory_goes_alone() -> None:
    room = Room(10)
    assert room.take(25)
    assert not room.take(1)
    room.give(25)
    assert room.take(10)


def test_a_buffer_gives_what_it_was_given() -> None:
    buffer, reusable = PartBuffer(), bytearray(b"abc")
    buffer.add(reusable)  # type: ignore[arg-type]  # Engines write what they have; a type says bytes.
    reusable[:] = b"xyz"
    buffer.add(b"defgh")
    assert (buffer.take(2), buffer.take(4), buffer.held, buffer.take(2)) == (b"ab", b"cdef", 2, b"gh")


@pytest.mark.parametrize(("most", "object_bytes"), [(10_000, 5 << 40), (50_000, 20 << 40)])
def test_parts_grow_so_that_the_largest_object_fits(most: int, object_bytes: int) -> None:
    """Amazon's and Google's limit is 5 TiB in 10,000 parts of at most 5 GiB; Azure's blocks end at 4,000 MiB."""
    sizes = [growing_part_bytes(8 << 20, number, most) for number in range(most)]
    assert sum(sizes) >= object_bytes
    assert sizes == sorted(sizes)
    assert sizes[-1] <= 4000 << 20
    assert sizes[: most // 10] == [8 << 20] * (most // 10)
