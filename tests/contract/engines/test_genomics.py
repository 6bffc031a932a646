"""sequences: limits, pairs, and files that are something else."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from tests.contract.engines.cases.genomics import fasta, fastq, read, wrapped
from tests.support.engine_harness import join, split, untouched
from tests.support.inputs import MemoryInput
from triptych.engines.api import Input
from triptych.engines.genomics.fastx import Records, fasta_records, fastq_records
from triptych.engines.runtime.resources import Resources, using
from triptych.errors import JobSpecError, SourceError
from triptych.settings import Settings

Scan = Callable[[Iterable[bytes], Input], Iterator[Records]]


@pytest.fixture(autouse=True)
def stage(tmp_path: Path) -> Iterator[None]:
    """What the scanners may use where no stage runs them."""
    with using(Resources(tmp_path, 64 << 20)):
        yield


@pytest.mark.parametrize("block", [1, 7, 64, 1000, 1 << 20])
@pytest.mark.parametrize(("data", "scan"), [(fasta(40, 3), fasta_records), (fastq(40, 3), fastq_records)])
def test_ends_and_bases_whatever_the_blocks(block: int, data: bytes, scan: Scan) -> None:
    source = MemoryInput(data, block, "r")
    found = [pair for each in scan(source.stream(), source) for pair in zip(each.ends, each.bases, strict=True)]
    assert len(found) == 40
    start = total = 0
    for (end, bases), (_, sequence) in zip(found, read(data), strict=True):
        assert read(data[start:end])[0][1] == sequence
        total += len(sequence)
        assert bases == total
        start = int(end)


@pytest.mark.parametrize("block", [1, 7, 64, 1000, 1 << 20])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_wrapped_records_end_where_qualities_are_as_many_as_bases(block: int, line_end: str) -> None:
    records = [*wrapped(30, 1, line_end), (b"@s\nACG\n+\n@@@\n", 3), *wrapped(30, 2, line_end)]
    data = b"".join(record for record, _ in records)
    source = MemoryInput(data, block, "r")
    found = list(fastq_records(source.stream(), source))
    ends = itertools.accumulate(len(record) for record, _ in records)
    assert [int(end) for each in found for end in each.ends] == list(ends)
    bases = itertools.accumulate(bases for _, bases in records)
    assert [int(total) for each in found for total in each.bases] == list(bases)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"@a\nAC\nGT\n+\nIII\nII\n@b\nA\n+\nI\n", "at byte 0 is no FASTQ: it has 4 bases and 5 qualities"),
        (b"@a\nAC\nGT\n+\nIIII\nAC\n", "at byte 16 is no FASTQ: its first line"),
        (b"@a\nA\n+\nI\n@b\nAC\nGT\n+\nII\n", "at byte 9, ends after 4 bases and 2 qualities. Is the file cut off"),
    ],
)
def test_a_record_that_is_none_is_named_by_its_byte(data: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        list(fastq_records([data], MemoryInput(name="r")))


def test_split_and_joined_is_the_source(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "reads.fastq"
    path.write_bytes(fastq(100, 9).removesuffix(b"\n"))
    pieces = split(settings, "sequences", [path], {"bases_per_chunk": 300})
    assert all(piece.metadata["bases"] >= 300 for piece in pieces[:-1])
    assert join(settings, "concat", untouched(pieces, "r.bin"), {"newline": False}) == {"output.bin": path.read_bytes()}


def test_interleaved_pairs_stay_together(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "pairs.fastq"
    path.write_bytes(fastq(40, 4))
    pieces = split(settings, "sequences", [path], {"bases_per_chunk": 100, "paired": "interleaved"})
    assert all(len(read(piece.data)) % 2 == 0 for piece in pieces)
    with pytest.raises(JobSpecError, match="even number"):
        split(settings, "sequences", [path], {"items_per_chunk": 3, "paired": "interleaved"})


@pytest.mark.parametrize(("counts", "says"), [((20, 19), "fewer records"), ((20, 21), "more records")])
def test_pairs_of_different_length_are_refused(
    settings: Settings, tmp_path: Path, counts: tuple[int, int], says: str
) -> None:
    paths = [tmp_path / f"{number}.fastq" for number in (1, 2)]
    for path, count in zip(paths, counts, strict=True):
        path.write_bytes(fastq(count, 1))
    with pytest.raises(SourceError, match=says):
        split(settings, "sequences", paths, {"items_per_chunk": 10, "paired": "files"})
    with pytest.raises(JobSpecError, match="two by two"):
        split(settings, "sequences", paths[:1], {"paired": "files"})


def test_something_else_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.fasta"
    path.write_bytes(b"id,name\n")
    with pytest.raises(SourceError, match=r"a\.fasta: is no FASTA or FASTQ: it begins with b'i'"):
        split(settings, "sequences", [path], {})
    path.write_bytes(fasta(2, 1))
    with pytest.raises(SourceError, match="is no FASTQ"):
        split(settings, "sequences", [path], {"format": "fastq"})
