"""Tables that lie in other files: sheets of Excel workbooks, and tables in zips. Truth is what was put in."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.engine_harness import Results, join, left_behind, split, split_cost, untouched
from tests.support.workbooks import number, text, write_workbook
from triptych.engines.streams import unpacking
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

MIB = 1 << 20
HEADER = [text("id"), text("land"), text("when")]


def _zip(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _orders(path: Path) -> Path:
    rows = [HEADER, *([number(str(n)), text("DE" if n % 3 else "FR"), number(str(46023 + n), 1)] for n in range(6))]
    return write_workbook(path, {"Orders": rows})


def test_cells_come_as_what_they_are(settings: Settings, tmp_path: Path) -> None:
    cells = {
        "plain": (text("a"), "a"),
        "comma": (text("a,b"), '"a,b"'),
        "quote": (text('5" disk'), '"5"" disk"'),
        "lines": (text("a\nb"), '"a\nb"'),
        "blank": (text(" a "), " a "),
        "zeros": (text("007"), "007"),
        "other": (text("a;b"), '"a;b"'),
        "whole": (number("3.0"), "3"),
        "float": (number("0.1"), "0.1"),
        "large": (number("12345678901234"), "12345678901234"),
        # 2026-01-01 is day 46023 of Excel's calendar; half a day is noon.
        "day": (number("46023", 1), "2026-01-01"),
        "noon": (number("46023.5", 2), "2026-01-01T12:00:00"),
        "26 hours": (number("1.0833333333333333", 3), "26:00:00"),
        "true": ('<c t="b"><v>1</v></c>', "true"),
        "error": ('<c t="e"><v>#N/A</v></c>', "#N/A"),
        "shared": ('<c t="s"><v>1</v></c>', "two"),
        "formula": ("<c><f>1+1</f><v>2</v></c>", "2"),
        "empty text": ('<c t="str"><f>A1</f><v></v></c>', ""),
        "nothing": ("<c/>", ""),
        "last": (text("z"), "z"),
    }
    rows = [[text(name) for name in cells], [cell for cell, _ in cells.values()]]
    path = write_workbook(tmp_path / "cells.xlsx", {"A": rows}, shared=["one", "two"])
    (piece,) = split(settings, "rows", [path], {})
    header, values = piece.data.split(b"\n", 1)
    assert header.decode() == ",".join(cells)
    assert values.decode() == ",".join(shown for _, shown in cells.values()) + "\n"
    assert piece.items == 1


def test_each_sheet_is_a_table(settings: Settings, tmp_path: Path) -> None:
    orders = [[text("id"), text("land")], [number("1"), text("DE")], [], [number("2")], [text("")]]
    prices = [[text("price")], [number("2.5")]]
    sheets = {"Orders": orders, "Notes": [], "Old": prices, "Prices": prices}
    path = write_workbook(tmp_path / "book.xlsx", sheets, hidden="Old")
    pieces = split(settings, "rows", [path], {"items_per_chunk": 1})
    assert [(piece.name, piece.data, piece.metadata["table"]) for piece in pieces] == [
        ("Orders:book.xlsx:0", b"id,land\n1,DE\n", "Orders"),
        ("Orders:book.xlsx:1", b"id,land\n2,\n", "Orders"),
        ("Prices:book.xlsx:0", b"price\n2.5\n", "Prices"),
    ]
    assert left_behind(settings) == []


def test_a_title_above_the_header_is_skipped_where_it_is_declared(settings: Settings, tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", {"A": [[text("Report of May")], HEADER[:2], [number("1"), text("DE")]]})
    (piece,) = split(settings, "rows", [path], {"dialect": {"skip_rows": 1}})
    assert piece.data == b"id,land\n1,DE\n"


def test_workbooks_are_cut_by_key_and_by_date(settings: Settings, tmp_path: Path) -> None:
    path = _orders(tmp_path / "no-extension")
    pieces = split(settings, "keys", [path], {"columns": ["land"]})
    assert [(piece.metadata["key"], piece.data) for piece in pieces] == [
        ({"land": "FR"}, b"id,land,when\n0,FR,2026-01-01\n3,FR,2026-01-04\n"),
        ({"land": "DE"}, b"id,land,when\n1,DE,2026-01-02\n2,DE,2026-01-03\n4,DE,2026-01-05\n5,DE,2026-01-06\n"),
    ]
    assert len(split(settings, "dates", [path], {"column": "when"})) == 6


def test_rows_of_a_workbook_joined_again_are_its_table(settings: Settings, tmp_path: Path) -> None:
    pieces = split(settings, "rows", [_orders(tmp_path / "o.xlsx")], {"items_per_chunk": 4})
    (joined,) = join(settings, "concat", untouched(pieces, "o.csv"), {"name": "all.csv"}).values()
    rows = list(csv.reader(io.StringIO(joined.decode())))
    assert rows == [["id", "land", "when"], *([str(n), "DE" if n % 3 else "FR", f"2026-01-0{n + 1}"] for n in range(6))]


def test_results_in_excel_become_parquet_with_their_types(settings: Settings, tmp_path: Path) -> None:
    data = _orders(tmp_path / "o.xlsx").read_bytes()
    made = join(settings, "parquet", [Results({"o.xlsx": data})], {"name": "o.parquet"})
    table = pq.read_table(io.BytesIO(made["o.parquet"]))
    assert table.num_rows == 6
    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "int64",
        "land": "string",
        "when": "date32[day]",
    }


def test_a_zip_of_tables_is_each_of_them(settings: Settings, tmp_path: Path) -> None:
    members = {
        "b/one.csv": b"id,land\n1,DE\n2,FR\n",
        "__MACOSX/b/._one.csv": b"\0\5",
        "b/.DS_Store": b"\0",
        "two.csv.gz": gzip.compress(b"id,land\n3,DE\n", mtime=0),
    }
    path = _zip(tmp_path / "many.zip", members)
    pieces = split(settings, "rows", [path], {})
    assert [(piece.data, piece.metadata["table"]) for piece in pieces] == [
        (b"id,land\n1,DE\n2,FR\n", "b/one.csv"),
        (b"id,land\n3,DE\n", "two.csv.gz"),
    ]
    keyed = split(settings, "keys", [path], {"columns": ["land"]})
    assert [piece.data for piece in keyed] == [b"id,land\n1,DE\n3,DE\n", b"id,land\n2,FR\n"]


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"../a.csv": b"a\n1\n"}, r"'\.\./a\.csv' leaves its folder"),
        ({"a.csv": b"a\n1\n", "read.me": b"x"}, r"'read\.me' in it is no table by its name"),
        ({"a.csv": b"a,b\n1,2\n", "b.csv": b"c,d\n1,2\n"}, r"'b\.csv' in it: its header .* is not that of"),
        ({"a.csv": b'a\n"x\n'}, r"'a\.csv' in it: .* never closed"),
        ({"__MACOSX/a.csv": b"x"}, "holds no file"),
        ({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}, "a zip file, as those of"),
        ({"xl/workbook.bin": b""}, "a zip file, as those of"),
        ({"a.csv": b"a\n" + b"1\n" * (33 * MIB)}, r"'a\.csv' in it: unpacks to more than 250 times"),
    ],
)
def test_a_zip_that_cannot_be_read_says_where(
    settings: Settings, tmp_path: Path, members: Mapping[str, bytes], says: str
) -> None:
    path = _zip(tmp_path / "t.zip", members)
    with pytest.raises(SourceError, match=rf"t\.zip: .*{says}|t\.zip: {says}|t\.zip.*{says}"):
        split(settings, "keys", [path], {"columns": ["a"]})
    assert left_behind(settings) == []


FORMULA = "<row><c><f>SUM(A1:A9)</f></c></row>"


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (FORMULA, "has a formula whose value is not in the file"),
        ('<row><c><f t="shared" si="0"/></c></row>', "has a formula whose value is not in the file"),
        (f"<row>{number('1') * 30_000}</row>{FORMULA}", "has a formula whose value is not in the file"),
        ("<row><c><v>1</row>", "cannot be read as an Excel workbook"),
    ],
    ids=["formula", "shared", "across-blocks", "damaged"],
)
def test_a_workbook_that_cannot_be_read_says_where(settings: Settings, tmp_path: Path, rows: str, says: str) -> None:
    path = write_workbook(tmp_path / "t.xlsx", {"A": rows})
    with pytest.raises(SourceError, match=rf"t\.xlsx: .*{says}"):
        split(settings, "rows", [path], {})
    assert left_behind(settings) == []


@pytest.mark.parametrize(
    ("rows", "shared", "says"),
    [
        (f"<row>{text('a' * 9 * MIB)}</row>", "", r"a text in 'xl/worksheets/sheet1\.xml' in it is longer than 8 MiB"),
        (
            "",
            "x" * 3 * MIB,
            r"'xl/sharedStrings\.xml' in it, which is read whole, is longer than 2 MiB\. Save the sheet",
        ),
    ],
    ids=["text", "shared-texts"],
)
def test_what_is_held_of_a_workbook_is_bounded(
    settings: Settings, tmp_path: Path, rows: str, shared: str, says: str
) -> None:
    path = write_workbook(tmp_path / "t.xlsx", {"A": rows}, shared=[shared])
    with pytest.raises(SourceError, match=says):
        split(replace(settings, engine_memory_bytes=64 * MIB), "rows", [path], {})


def test_what_a_workbook_unpacks_to_is_bounded(settings: Settings, tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "t.xlsx", {"A": f"<row>{text('a')}</row>" * 1_400_000})
    cost = split_cost("rows", [path], {}, settings)
    assert cost.error is not None
    assert "unpacks to more than 250 times" in cost.error
    assert cost.peak_mib < 200
    assert cost.written_mib < 1


def test_cells_far_apart_come_to_no_more_than_others(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these rows is forty letters in the file, and sixteen thousand commas as CSV."""
    monkeypatch.setattr(unpacking, "FLOOR_BYTES", 2 * MIB)
    rows = '<row><c r="XFD1" t="b"><v>1</v></c></row>' * 150
    with pytest.raises(SourceError, match="'A' in it: unpacks to more than 250 times"):
        split(settings, "rows", [write_workbook(tmp_path / "t.xlsx", {"A": rows})], {})


def test_a_truncated_workbook_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    path.write_bytes(_orders(tmp_path / "o.xlsx").read_bytes()[:-40])
    with pytest.raises(SourceError, match=r"t\.xlsx: cannot be read as a zip"):
        split(settings, "rows", [path], {})
    with pytest.raises(EngineError, match="cannot be read as a zip"):
        join(settings, "parquet", [Results({"o.xlsx": path.read_bytes()})], {"name": "o.parquet"})
