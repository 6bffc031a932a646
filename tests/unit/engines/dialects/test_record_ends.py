"""`rows` against the standard library's csv module."""

from __future__ import annotations

import csv
import io
import itertools
import random
from pathlib import Path

import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.dialects.dialect import LINES, Dialect
from triptych.engines.dialects.opening import opened
from triptych.engines.dialects.record_ends import Limit, RecordRun, record_ends, record_runs, split_records
from triptych.engines.runtime.resources import Resources, using
from triptych.errors import SourceError

CSV = Dialect()
FIELDS = ["a", "", "two\nlines", 'a "quoted" word', "comma,inside", "crlf\r\ninside", "naïve 日本", '""', " "]


def _table(seed: int, terminator: str) -> bytes:
    source = random.Random(seed)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=terminator)
    writer.writerow(["first", "second\nline", "third"])
    for _ in range(source.randrange(1, 60)):
        writer.writerow([source.choice(FIELDS) for _ in range(3)])
    text = out.getvalue()
    # Some end without a newline, some begin with a byte-order mark.
    text = text.removesuffix(terminator) if seed % 3 == 0 else text
    return (b"\xef\xbb\xbf" if seed % 4 == 0 else b"") + text.encode()


def _runs(data: bytes, block: int, limit: Limit, dialect: Dialect = LINES) -> tuple[int, list[RecordRun]]:
    """The length of the header, and what is behind it."""
    item = MemoryInput(data)
    ends = [each.offsets().tolist() for each in record_ends(item.stream(), item, dialect)] if dialect is CSV else []
    header = ends[0][0] if ends else 0
    return header, list(record_runs(MemoryInput(data, block), limit, dialect, first=header))


def _records(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("terminator", ["\n", "\r\n"])
@pytest.mark.parametrize("seed", range(60))
def test_chunks_hold_the_records_that_csv_reads(seed: int, terminator: str) -> None:
    data = _table(seed, terminator)
    expected = _records(data)
    # Blocks of some bytes, of several 64-bit words, and one for all.
    for rows, block in itertools.product((1, 2, 7, 1000), (1 + seed, 65 + 7 * seed, 1 << 20)):
        found: list[list[str]] = []
        header, runs = _runs(data, block, Limit(records=rows), CSV)
        for run in runs:
            records = _records(data[:header] + data[run.offset : run.offset + run.length])
            assert records[0] == expected[0]
            assert len(records) - 1 == run.records <= rows
            found += records[1:]
        assert found == expected[1:]


@pytest.mark.parametrize("block", [1, 3, 64, 10_000])
def test_lines_by_size_put_back_together_are_the_source(block: int) -> None:
    data = b"".join(b"%d " % i * (i % 9) + b'one " alone\n' for i in range(500))
    _, runs = _runs(data, block, Limit(max_bytes=1000))
    assert b"".join(data[run.offset : run.offset + run.length] for run in runs) == data
    assert sum(run.records for run in runs) == 500
    # Full with the record that reaches the size: without its last record a run is below it.
    for run in runs[:-1]:
        piece = data[run.offset : run.offset + run.length]
        assert len(piece) >= 1000 > len(b"\n".join(piece.split(b"\n")[:-2]))


def test_nothing_but_a_header_makes_no_chunk() -> None:
    assert _runs(b"a,b\n", 10, Limit(records=5), CSV) == (4, [])
    assert _runs(b"", 10, Limit(records=5), CSV) == (0, [])


def test_an_open_quote_is_refused_with_its_place() -> None:
    with pytest.raises(SourceError, match="byte 6 is never closed"):
        _runs(b'a,b\n1,"2\n3,4\n', 4, Limit(records=1), CSV)


def test_records_one_by_one_and_the_header(tmp_path: Path) -> None:
    item = MemoryInput(b'\n\r\na,"b\nc"\n1,2\n3,4', block_bytes=2)
    with using(Resources(tmp_path, 1 << 20)):
        records = list(split_records(item.stream(), item, CSV, scanned_bytes=3))
        assert records == [b"\n", b"\r\n", b'a,"b\nc"\n', b"1,2\n", b"3,4"]
        found = opened(item, {}, format="csv")
        assert (found.start, found.header, found.names) == (3, b'a,"b\nc"\n', ["a", "b\nc"])
        assert opened(MemoryInput(b"\n\n"), {}, format="csv").header == b""


def test_a_record_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    item = MemoryInput(b"a\n" + b"x" * 300_000, block_bytes=10_000)
    with using(Resources(tmp_path, 1 << 20)), pytest.raises(SourceError, match=r"byte 2 is longer than 0\.125 MiB"):
        list(split_records(item.stream(), item, scanned_bytes=10_000))
