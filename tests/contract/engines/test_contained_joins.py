"""Joins, and lists of URLs, of tables that lie in workbooks and in zips: as of the same rows in CSV."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_harness import Results, join, left_behind, split
from tests.support.workbooks import number, text, write_workbook
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

ROWS = [("1", "DE", "2.5"), ("3", "FR", "0.5"), ("2", "DE", "4")]
NAMES = ("id", "land", "price")


def _book(folder: Path, rows: list[tuple[str, str, str]]) -> bytes:
    cells = [[text(name) for name in NAMES], *([number(a), text(b), number(c)] for a, b, c in rows)]
    return write_workbook(folder / "book.xlsx", {"Orders": cells}).read_bytes()


def _zip(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _csv(*rows: tuple[str, ...]) -> bytes:
    return "".join(f"{','.join(row)}\n" for row in (NAMES, *rows)).encode()


JOINS: list[tuple[str, dict[str, Any]]] = [
    ("concat", {"name": "out"}),
    ("sorted_concat", {"name": "out", "by": ["id:number"]}),
    ("merge_keys", {"on": ["id"], "how": "full", "name": "out.csv"}),
    ("reduce", {"fields": ["price"]}),
    ("group_by", {"by": ["land"], "aggregates": ["price:sum"]}),
]


@pytest.mark.parametrize(("engine", "params"), JOINS, ids=[engine for engine, _ in JOINS])
@pytest.mark.parametrize("form", ["xlsx", "zip"])
def test_what_lies_in_another_file_is_joined_as_csv_is(
    settings: Settings, tmp_path: Path, engine: str, params: dict[str, Any], form: str
) -> None:
    plain = [Results({"t.csv": _csv(row)}) for row in ROWS]
    packed = [Results({"t.xlsx": _book(tmp_path, [row])}) for row in ROWS]
    if form == "zip":
        two = {"a.csv": _csv(ROWS[0]), "b.csv": _csv(ROWS[1])}
        packed = [Results({"t.zip": _zip(two)}), Results({"t.zip": _zip({"c.csv": _csv(ROWS[2])})})]
    assert join(settings, engine, packed, params) == join(settings, engine, plain, params)
    assert left_behind(settings) == []


def test_data_sets_of_workbooks_are_files_of_csv(settings: Settings, tmp_path: Path) -> None:
    book = _book(tmp_path, ROWS)
    for engine, params in JOINS[:2]:
        own = {key: value for key, value in params.items() if key != "name"}
        made = join(settings, engine, [Results({"a.xlsx": book, "b.xlsx": book})] * 2, own)
        assert sorted(made) == ["a.csv", "b.csv"]
        assert made["a.csv"].startswith(b"id,land,price\n1,DE,2.5\n")


@pytest.mark.parametrize(("engine", "params"), JOINS, ids=[engine for engine, _ in JOINS])
def test_a_zip_of_other_files_is_refused_by_their_names(
    settings: Settings, engine: str, params: dict[str, Any]
) -> None:
    results = [Results({"t.zip": _zip({"a.csv": _csv(*ROWS), "read me.txt": b"?"})})]
    with pytest.raises(EngineError, match=r"chunk 0, 't.zip': 'read me.txt' in it is no table by its name"):
        join(settings, engine, results, params)
    with pytest.raises(EngineError, match=r"chunk 0, 't.csv'.* zip"):
        join(settings, engine, [Results({"t.csv": _zip({"a.txt": b"?"})})], params)


def test_urls_in_a_workbook_and_in_a_zip(settings: Settings, tmp_path: Path) -> None:
    urls = [f"https://example.org/{number}" for number in range(3)]
    cells = [[text("id"), text("url")], *([text("x"), text(url)] for url in urls)]
    book = write_workbook(tmp_path / "list.xlsx", {"A": cells})
    packed = tmp_path / "list.zip"
    lines = "".join(f"{json.dumps({'url': url})}\n" for url in urls[1:])
    members = {"a.csv": f"url\n{urls[0]}\n".encode(), "b.jsonl": lines.encode()}
    packed.write_bytes(_zip(members))
    for path in (book, packed):
        (piece,) = split(settings, "urls", [path], {})
        assert piece.data.decode().split() == urls
    packed.write_bytes(_zip({"a.csv": b"url\nno url\n"}))
    with pytest.raises(SourceError, match=r"list.zip: 'a.csv' in it, the record at byte 4 \(line 2\): 'no url'"):
        split(settings, "urls", [packed], {})
