"""Batches of records against the csv module, whatever the blocks."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.dialects.dialect import Dialect
from triptych.engines.dialects.opening import opened
from triptych.engines.runtime.resources import Resources, using
from triptych.engines.tables.csv_batches import CsvTable, csv_columns, line_batches
from triptych.errors import EngineError, SourceError

BATCH_BYTES = 300
FIELDS = ["", "a", '"a"', '"a, ""b"""', '"x\ny"', '"\r\n"', "日本", "z" * 50]


@pytest.fixture(autouse=True)
def _memory(tmp_path: Path) -> Iterator[None]:
    with using(Resources(tmp_path, 8 * 1024 * 1024)):
        yield


def _opened(item: MemoryInput) -> CsvTable:
    return CsvTable(opened(item, {}, format="csv"), BATCH_BYTES)


def _table(seed: int, end: str) -> bytes:
    draw = random.Random(seed)
    rows = [",".join(draw.choice(FIELDS) for _ in range(4)) for _ in range(300)]
    rows = [row for row in rows if row.strip(",")]
    lines = ["id,b,c,d", *(row if draw.random() < 0.9 else row + end for row in rows)]
    return (end.join(lines) + (end if seed % 2 else "")).encode()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_records_and_columns_are_those_of_the_csv_module(seed: int, end: str) -> None:
    data = _table(seed, end)
    table = _opened(MemoryInput(data, 64 + seed))
    found = []
    for batch, (first, last) in table.batches(["id", "d"]):
        for record, *raw in zip(*(a.to_pylist() for a in (batch.records(), first, last)), strict=True):
            (row,) = csv.reader(io.StringIO(record.decode(), newline=""))
            texts = [next(csv.reader([value.decode()]), [""])[0] if value else "" for value in raw]
            assert texts == [row[0], row[3]]
            found.append(row)
    assert table.names == ["id", "b", "c", "d"]
    assert found == [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row][1:]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_are_those_of_the_source_and_know_their_place(size: int) -> None:
    data = b"".join(b"%d %s\n" % (n, b"x" * (n % 90)) + b"\n" * (n % 3 == 0) for n in range(200)) + b"last"
    item = MemoryInput(data, size)
    found = [
        (batch.location(at), line)
        for batch in line_batches(item.stream(), item, batch_bytes=BATCH_BYTES)
        for at, line in enumerate(batch.records().to_pylist())
    ]
    truth = [line for line in data.split(b"\n") if line]
    assert [line for _, line in found] == [line + b"\n" for line in truth]
    numbers = [number for number, line in enumerate(data.split(b"\n"), 1) if line]
    starts = [data.index(line + b"\n" * (line != b"last")) for line in truth[-30:]]
    places = [f"the record at byte {start} (line {n})" for start, n in zip(starts, numbers[-30:], strict=True)]
    assert [place for place, _ in found[-30:]] == places


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'id,b\n1,2\n3,"x\n', r"quote opened in the record at byte 9 \(line 3\) is never closed"),
        (b"id,b\n1,2\n\n3\n", r"the record at byte 10 \(line 4\) has not as many columns"),
        (b"id,b\n" + b"x" * 2_000_000 + b",1\n", r"byte 5 \(line 2\) is longer than 1 MiB"),
        (b"id,c\n1,2\n", "no column 'b'; the header has id, c"),
        (b"id,\xff\n1,2\n", "is no UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(data: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        list(_opened(MemoryInput(data, 1000)).batches(["b"]))


def test_a_result_is_refused_as_a_result() -> None:
    with pytest.raises(
        EngineError, match=r"^chunk 3, 't\.csv': the record at byte 4 \(line 2\) has not as many columns"
    ):
        list(_opened(MemoryInput(b"a,b\n1\n", name="t.csv", chunk=3)).batches(["b"]))


@pytest.mark.parametrize(("record", "says"), [("1", "has not as many columns"), ("1,2,3", "has more values")])
def test_a_record_must_have_one_value_for_each_column_where_that_is_asked(record: str, says: str) -> None:
    table = _opened(MemoryInput(f"a,b\n1,2\n{record}\n".encode()))
    assert [len(batch) for batch, _ in table.batches(["a"])] == [2]
    with pytest.raises(SourceError, match=rf"byte 8 \(line 3\) {says}"):
        list(table.batches(["a"], exact=True))


def test_empty_lines_are_neither_header_nor_records() -> None:
    table = _opened(MemoryInput(b"\n\r\na,b\n\n1,2\n\r\n3,4"))
    assert table.names == ["a", "b"]
    assert [text for _, (texts,) in table.texts(["b"]) for text in texts.to_pylist()] == ["2", "4"]


def test_columns_of_records_without_a_header() -> None:
    first, second = csv_columns(b'1,"a,b"\n2,c\r\n', Dialect(), 2)
    assert (first.to_pylist(), second.to_pylist()) == ([b"1", b"2"], [b'"a,b"', b"c"])


def test_lines_of_white_space_are_left_out_where_that_is_asked() -> None:
    item = MemoryInput(b"a\n \t\n\n  b\n \r\n")
    for blank, lines in ((True, [b"a\n", b" \t\n", b"  b\n", b" \r\n"]), (False, [b"a\n", b"  b\n"])):
        (batch,) = line_batches(item.stream(), item, blank=blank)
        assert batch.records().to_pylist() == lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quotes", [False, True])
def test_all_texts_are_those_of_the_csv_module_with_their_lines(end: str, quotes: bool) -> None:
    draw = random.Random(end)
    values = ["", "a", "7", "日本", "x y", "\ufeffm", *(['"a,\nb"'] if quotes else [])]
    rows = [",".join(draw.choices(values, k=2)) + ",z" for _ in range(400)]
    rows[200:200] = [""] * 3
    data = end.join(["a,b,c", *rows, "last,b,c"]).encode()
    found: list[list[str]] = []
    for location, columns in _opened(MemoryInput(data, 100)).whole():
        begin = len(found)
        found += map(list, zip(*(column.to_pylist() for column in columns), strict=True))
        last = location(len(found) - begin - 1)
    truth = [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]
    assert found == truth[1:]
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n")
    assert last == f"the record at byte {data.index(b'last')} (line {lines + 1})"


@pytest.mark.parametrize("record", ["1", "1,2,3"])
def test_all_texts_need_one_value_for_each_column(record: str) -> None:
    table = _opened(MemoryInput(f"a,b\n1,2\n{record}\n".encode()))
    with pytest.raises(SourceError, match=r"byte 8 \(line 3\)"):
        list(table.whole())
