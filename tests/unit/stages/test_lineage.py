"""Which chunks, and which bytes of which sources, a file of an output is of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from triptych.engines import OutputWriter, Result
from triptych.engines.api import Input
from triptych.jobs.workspace import ByteRange, ChunkEntry
from triptych.stages.lineage import TracedOutput, provenance

CHUNKS = 60


class _File(BytesIO):
    def append(self, item: Input, first: int = 0, prefix: bytes = b"") -> bytes:
        return b""


class Nowhere:
    """An output that keeps nothing."""

    @contextmanager
    def open(self, name: str) -> Iterator[OutputWriter]:
        yield _File()

    def put_file(self, path: Path, name: str) -> None: ...

    def copy(self, result: Result, name: str) -> None: ...


def _write(output: TracedOutput, name: str) -> None:
    with output.open(name):
        pass


def test_whatever_is_read_before_a_file_ends_is_told_of_it() -> None:
    """In any order, with files written between: as sets of numbers and of bytes say it."""
    chance = random.Random(20261126)
    for _ in range(20):
        starts = [chance.randrange(40) for _ in range(CHUNKS)]
        ranges = [(ByteRange(number % 2, start, 1 + number % 5),) for number, start in enumerate(starts)]
        chunks = [ChunkEntry(number, f"{number}", 1, ranges=each) for number, each in enumerate(ranges)]
        output, truth, read = TracedOutput(Nowhere()), dict[str, set[int]](), set[int]()
        for number in chance.choices(range(CHUNKS), k=80):
            output.on_read(number)
            read.add(number)
            if chance.random() < 0.4:
                _write(output, f"{len(truth)}")
                truth[f"{len(truth)}"] = set(read)
        told = provenance(output.chunks, chunks)
        assert {
            name: {n for first, last in each["chunks"] for n in range(first, last + 1)} for name, each in told.items()
        } == truth
        for name, numbers in truth.items():
            bytes_ = {(r.source, at) for n in numbers for r in ranges[n] for at in range(r.offset, r.offset + r.length)}
            spans = told[name]["ranges"]
            assert {(source, at) for source, start, size in spans for at in range(start, start + size)} == bytes_
            # None touches the next: they are told as one.
            assert all(a[0] != b[0] or a[1] + a[2] < b[1] for a, b in pairwise(spans))


def test_many_files_of_results_in_order_take_one_run_each() -> None:
    output = TracedOutput(Nowhere())
    for number in range(20_000):
        output.on_read(number)
        _write(output, f"{number}")
    assert {len(runs) for runs in output.chunks.values()} == {1}
    for number in range(1000):
        _write(output, f"more-{number}")
    assert len({id(output.chunks[f"more-{number}"]) for number in range(1000)}) == 1
