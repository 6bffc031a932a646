"""Whole jobs on any CSV that RFC 4180 allows, whose app changes nothing. Truth: Python's csv."""

from __future__ import annotations

import csv
import io
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from tests.support import in_memory
from tests.support.engine_harness import join, split, untouched
from triptych.settings import Settings, read_settings

NAMES = ("id", "a,b", 'a "quoted" name', "two\r\nlines", "ü")
VALUES = st.text(st.sampled_from('ab1 ,;|\t"\n\r#é'), max_size=5)
ENDS = st.sampled_from(["\n", "\r\n"])
PARAMS = {"format": "csv", "dialect": {"delimiter": ","}}
"""Declared: of a table of one column, or of two rows, no one can tell the delimiter."""


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A header of names that differ, rows as wide as it, any quotes that the standard allows."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, len(NAMES)))]
    rows = draw(st.lists(st.lists(VALUES, min_size=len(names), max_size=len(names)), max_size=8))
    end = draw(ENDS)
    lines = [",".join(map(_quoted, row, draw(_flags(row)))) for row in [names, *rows]]
    return (end.join(lines) + draw(st.sampled_from(["", end]))).encode()


def _flags(row: list[str]) -> st.SearchStrategy[list[bool]]:
    """Whether each value is quoted though it need not be."""
    return st.lists(st.booleans(), min_size=len(row), max_size=len(row))


def _quoted(value: str, wanted: bool) -> str:
    needed = wanted or not value or any(each in value for each in ',"\r\n')
    return '"' + value.replace('"', '""') + '"' if needed else value


def _rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@hypothesis.settings(max_examples=80, deadline=None, derandomize=True)
@hypothesis.given(tables(), st.integers(1, 4))
def test_any_table_comes_back_byte_for_byte(data: bytes, rows: int) -> None:
    pieces = in_memory.cut("rows", {"t.csv": data}, {**PARAMS, "items_per_chunk": rows})
    header, *body = _rows(data)
    assert [row for piece in pieces for row in _rows(piece.data)[1:]] == body
    assert all(_rows(piece.data)[0] == header for piece in pieces)
    assert in_memory.joined("concat", pieces, "result.csv", {}) == {"output.csv": data}


@hypothesis.settings(max_examples=80, deadline=None, derandomize=True)
@hypothesis.given(tables(), st.data())
def test_any_table_is_grouped_as_python_s_csv_reads_it(data: bytes, choice: st.DataObject) -> None:
    header, *body = _rows(data)
    column = choice.draw(st.integers(0, len(header) - 1))
    pieces = in_memory.cut("keys", {"t.csv": data}, {**PARAMS, "columns": [header[column]]})
    groups = {piece.metadata["key"][header[column]]: _rows(piece.data) for piece in pieces}
    assert {key: len(rows) - 1 for key, rows in groups.items()} == Counter(row[column] for row in body)
    assert all(row[column] == key for key, rows in groups.items() for row in rows[1:])


@hypothesis.settings(max_examples=6, deadline=None, derandomize=True)
@hypothesis.given(tables())
def test_so_it_does_through_all_stages(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "t.csv"
        source.write_bytes(data)
        settings = _settings(folder)
        pieces = split(settings, "rows", [source], {**PARAMS, "items_per_chunk": 2})
        assert join(settings, "concat", untouched(pieces, "result.csv")) == {"output.csv": data}
        groups = split(settings, "keys", [source], {**PARAMS, "columns": [_rows(data)[0][0]]})
        counts = {next(iter(piece.metadata["key"].values())): piece.items for piece in groups}
        assert counts == Counter(row[0] for row in _rows(data)[1:])


def _settings(folder: Path) -> Settings:
    values = {"workspace": (folder / "workspace").as_uri(), "scratch": str(folder / "scratch"), "runner": "process"}
    return read_settings({**values, "allowed_roots": str(folder)})
