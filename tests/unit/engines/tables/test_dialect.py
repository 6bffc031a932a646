"""CSV is one dialect, whoever reads it: our own reader, and the standard library, strictly."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.dialects.formats import format_of
from triptych.engines.dialects.opening import opened
from triptych.engines.runtime.resources import Resources, using
from triptych.engines.tables.csv_batches import CsvTable
from triptych.errors import EngineError

NAMES = ["id", " spaced", 'quo"ted', "two\nlines", "ünï", "#comment", "it's"]
VALUES = [
    "text",
    "x y",
    " x",
    "x ",
    'a "b" c',
    '"',
    '""',
    "a,b",
    "a\tb",
    "two\nlines",
    "日本",
    "#x",
    "\\",
    "\\n",
    "'",
    "x;y",
]


@dataclass(frozen=True)
class _Result(MemoryInput):
    """A result in memory that can be asked for a file."""

    folder: Path = Path()
    chunk: int = 0
    chunk_name: str = ""
    flat_name: str = ""
    sha256: str = ""
    metadata: dict[str, str] = None  # type: ignore[assignment]  # Not read here.

    def local_path(self) -> Path:
        path = self.folder / self.name
        path.write_bytes(self.data)
        return path


@pytest.fixture(autouse=True)
def _memory(tmp_path: Path) -> Iterator[None]:
    with using(Resources(tmp_path, 512 << 20)):
        yield


def _result(data: bytes, folder: Path, name: str = "t.csv") -> _Result:
    return _Result(data, name=name, folder=folder)


def _by_us(result: _Result) -> list[list[str]]:
    table = CsvTable(opened(result, {}), batch_bytes=100)
    rows = [
        list(row)
        for _, texts in table.texts(table.names, exact=True)
        for row in zip(*(text.to_pylist() for text in texts), strict=True)
    ]
    return [list(table.names), *rows]


@pytest.mark.parametrize("seed", range(40))
def test_the_same_cells_whoever_reads(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    names = draw.sample(NAMES, draw.randrange(2, 6))
    rows = [["text", *(draw.choice(VALUES) for _ in names[1:])] for _ in range(draw.randrange(1, 40))]
    end, extension = draw.choice(["\n", "\r\n"]), draw.choice(["csv", "tsv"])
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter="," if extension == "csv" else "\t",
        lineterminator=end,
        quoting=draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    )
    writer.writerows([names, *rows])
    data = text.getvalue().removesuffix(end if draw.random() < 0.3 else "").encode()
    result = _result((b"\xef\xbb\xbf" if draw.random() < 0.3 else b"") + data, tmp_path, f"t.{extension}")
    assert _by_us(result) == [names, *rows]


@pytest.mark.parametrize("record", ['"a"b,x', "x,y,z", "x", '"open,x', "x,\udcff"])
def test_it_refuses_what_is_not_right_as_the_results_error(tmp_path: Path, record: str) -> None:
    result = _result(f"a,b\nx,y\n{record}\nx,y\n".encode(errors="surrogateescape"), tmp_path)
    with pytest.raises(EngineError, match=r"^chunk 0, 't\.csv': "):
        _by_us(result)


PARQUET = b"PAR1\x15\x04"


@pytest.mark.parametrize(
    ("name", "start", "format"),
    [
        ("t.CSV", b"{", "csv"),
        ("t.tab", b"", "tsv"),
        ("t.json", b"[", "jsonl"),
        ("t.ndjson", b"", "jsonl"),
        ("t.parquet", b"", "parquet"),
        ("t.bin", PARQUET, "parquet"),
        ("t.bin", b"PAR1,PAR2\n", "lines"),
        ("t", b'\xef\xbb\xbf{"a": 1}', "jsonl"),
        ("t", b"a,b", "lines"),
        ("t", b"", "lines"),
    ],
)
def test_one_rule_says_what_a_file_is(name: str, start: bytes, format: str) -> None:
    assert format_of(MemoryInput(start, name=name), otherwise="lines") == format
    if start != PARQUET:
        assert format_of(MemoryInput(start, name=name), "tsv") == "tsv"
