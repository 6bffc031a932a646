"""sequences: limits, pairs, and files that are something else."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import dnaio
import pytest

from tests.contract.engines.cases.genomics import fasta, fastq, read, wrapped
from tests.contract.engines.cases.genomics import interleaved as made_interleaved
from tests.support.engine_harness import join, split, untouched
from tests.support.inputs import MemoryInput
from triptych.engines.api import Input
from triptych.engines.genomics.fastx import Records, fasta_records, fastq_records
from triptych.engines.genomics.mates import interleaved, paired_files
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
    path.write_bytes(made_interleaved(fastq(40, 4)))
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
    with pytest.raises(SourceError, match=r"a\.fasta: is no FASTA or FASTQ: it begins with 'i'"):
        split(settings, "sequences", [path], {})
    path.write_bytes(fasta(2, 1))
    with pytest.raises(SourceError, match="is no FASTQ"):
        split(settings, "sequences", [path], {"format": "fastq"})


def reads(*headers: str) -> bytes:
    return b"".join(f"@{header}\nACGT\n+\nIIII\n".encode() for header in headers)


NO_PAIRS = {
    "other order": (reads("a", "b"), reads("b", "a"), "record 0, counted from 0, is 'b', and in .*1.fq it is 'a'"),
    "one is missing": (reads("a/1", "b/1", "c/1"), reads("a/2", "c/2", "c/2"), "record 1, counted from 0, is 'c/2'"),
    "twice the first": (reads("a/1"), reads("a/1"), "no pair"),
    "the second first": (reads("x:9:1 2:N:0:ACG"), reads("x:9:1 1:N:0:ACG"), "no pair"),
    "without its number": (reads("a/1"), reads("a"), "no pair"),
    "numbers of reads": (reads("SRR1.1", "SRR1.2"), reads("SRR1.2", "SRR1.3"), "no pair"),
    "the last of many": (reads(*map(str, range(5000))), reads(*map(str, range(4999)), "x"), "record 4999"),
    "sequences and reads": (b">a\nACGT\n", reads("a"), "is FASTQ, and its mate .*1.fq is FASTA"),
    "names of sequences": (b">a\nAC\nGT\n>b\nA\n", b">a\nA\n>c\nA\n", "record 1, counted from 0, is 'c'"),
}


@pytest.mark.parametrize(("one", "other", "says"), NO_PAIRS.values(), ids=NO_PAIRS)
def test_what_is_no_pair_is_refused(settings: Settings, tmp_path: Path, one: bytes, other: bytes, says: str) -> None:
    """dnaio.open(one, other) refuses most of these, too: see the next test for what it and this engine take."""
    paths = [tmp_path / "1.fq", tmp_path / "2.fq"]
    for path, data in zip(paths, (one, other), strict=True):
        path.write_bytes(data)
    with pytest.raises(SourceError, match=says):
        split(settings, "sequences", paths, {"items_per_chunk": 2, "paired": "files"})


PAIRS = {
    "slashes": (("a/1", "b/1 x"), ("a/2", "b/2 y")),
    "underscores": (("a_1", "b_1"), ("a_2", "b_2")),
    "equal names": (("SRR1.1 x/1", "SRR1.2"), ("SRR1.1 x/2", "SRR1.2")),
    "fastq-dump": (("SRR1.1.1", "SRR1.2.1 length=4"), ("SRR1.1.2", "SRR1.2.2 length=4")),
    "Casava": (("A00:1:2 1:N:0:ACG", "A00:1:3 1:Y:0:ACG"), ("A00:1:2 2:N:0:ACG", "A00:1:3 2:N:0:ACG")),
    "tabs": (("a\tBX:Z:1", "b"), ("a\tBX:Z:2", "b")),
    "the third read": (("a/1", "b/1"), ("a/3", "b/3")),
}


@pytest.mark.parametrize(("ones", "others"), PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("block", [3, 1 << 20])
def test_names_of_mates(ones: Sequence[str], others: Sequence[str], block: int) -> None:
    """Truth: dnaio takes them for pairs."""
    data = [reads(*ones), reads(*others)]
    with dnaio.open(*map(io.BytesIO, data)) as pairs:
        assert len(list(pairs)) == len(ones)
    files = [MemoryInput(each, block, str(number)) for number, each in enumerate(data)]
    scans = [fastq_records(file.stream(), file, headers=True) for file in files]
    assert sum(len(one) for one, _ in paired_files(scans[0], scans[1], files)) == len(ones)
    mixed = MemoryInput(b"".join(reads(*pair) for pair in zip(ones, others, strict=True)), block, "mixed")
    blocks = interleaved(fastq_records(mixed.stream(), mixed, headers=True), mixed)
    assert sum(len(records) for (records,) in blocks) == 2 * len(ones)


@pytest.mark.parametrize(
    "headers", [("a/1", "b/1"), ("a", "a", "b", "c"), ("a/2", "a/1"), ("1", "2", "3", "4"), ("a", "b", "b", "a")]
)
def test_interleaved_reads_that_are_no_pairs_are_refused(
    settings: Settings, tmp_path: Path, headers: Sequence[str]
) -> None:
    path = tmp_path / "il.fq"
    path.write_bytes(reads(*headers))
    with pytest.raises(SourceError, match=r"il.fq: records \d and \d, counted from 0, are .*: these are no pair"):
        split(settings, "sequences", [path], {"items_per_chunk": 2, "paired": "interleaved"})


def test_two_patterns_are_paired_by_the_names_of_files(settings: Settings, tmp_path: Path) -> None:
    """All files number their reads alike, so only the files' names tell the pairs."""
    names = ["s_1_R1.fq", "s_2_R1.fq", "s_1_R2.fq", "s_2_R2.fq"]
    for name in names:
        (tmp_path / name).write_bytes(reads("r1", "r2"))
    pieces = split(settings, "sequences", [tmp_path / name for name in names], {"paired": "files"})
    found = [[each["name"] for each in piece.metadata["files"]] for piece in pieces]
    assert found == [["s_1_R1.fq", "s_1_R2.fq"], ["s_2_R1.fq", "s_2_R2.fq"]]
    with pytest.raises(SourceError, match="both R1 by their names"):
        split(settings, "sequences", [tmp_path / name for name in names[:2]], {"paired": "files"})


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_lines_that_carriage_returns_end(block: int) -> None:
    """As a Mac wrote them; truth: the same file with newlines, read by dnaio."""
    data = fasta(20, 5).replace(b"\r\n", b"\n")
    source = MemoryInput(data.replace(b"\n", b"\r"), block, "r")
    found = list(fasta_records(source.stream(), source, headers=True))
    bases = itertools.accumulate(len(sequence) for _, sequence in read(data))
    assert [int(total) for each in found for total in each.bases] == list(bases)
    assert [header.decode() for each in found for header in each.headers.to_pylist()] == [
        name for name, _ in read(data)
    ]
    reads_of_a_mac = MemoryInput(fastq(3, 1).replace(b"\n", b"\r"), block, "r")
    with pytest.raises(SourceError, match="carriage returns alone"):
        list(fastq_records(reads_of_a_mac.stream(), reads_of_a_mac))
