"""First rows of tables: what was put in comes out, few bytes are read for it, and no file harms whoever asks."""

from __future__ import annotations

import datetime
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import bombs
from tests.support.workbooks import number, text, write_workbook
from triptych.engines.previews.asking import FirstRows, first_rows
from triptych.errors import SourceError

MIB = 1 << 20
MANY = 300_000


class Read:
    """A file as a store gives it: which bytes of it were asked for is kept."""

    def __init__(self, path: Path) -> None:
        self.path, self.read_bytes = path, 0

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        with self.path.open("rb") as data:
            data.seek(offset)
            self.read_bytes += length
            yield data.read(length)

    def rows(self, wait_s: float = 60) -> FirstRows:
        return first_rows(self.path.name, self.path.stat().st_size, self.stream, wait_s)


def test_parquet_is_read_by_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    noise = [os.urandom(24).hex() for _ in range(1000)]
    columns = {"number": range(MANY), "text": [noise[each % 1000] + str(each) for each in range(MANY)]}
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), path, use_dictionary=False)
    read = Read(path)
    found = read.rows()
    assert found.about == "300,000 rows, 2 columns"
    assert found.rows == [["number", "text"], *([str(each), noise[each % 1000] + str(each)] for each in range(100))]
    assert read.read_bytes < path.stat().st_size / 4


def test_values_of_parquet_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    day = datetime.date(2026, 1, 2)
    table = {
        "none": pa.array([None], pa.int64()),
        "day": pa.array([day]),
        "ns": pa.array([1_000_000_007], pa.timestamp("ns")),
        "far": pa.array([1 << 58], pa.timestamp("us")),
        "bytes": pa.array([b"\0\xff"]),
        "list": pa.array([[1, None, 2]]),
        "many": pa.array([list(range(30))]),
        "object": pa.array([{"a": day, "b": "ü"}]),
        "long": pa.array(["x" * 500]),
    }
    pq.write_table(pa.table(table), path)
    (cells,) = Read(path).rows().rows[1:]
    assert cells[:3] == ["", "2026-01-02", "1970-01-01T00:00:01.000000007"]
    assert cells[3].startswith("11103-08-29")
    assert cells[4:6] == ["0x00ff", "[1, null, 2]"]
    assert cells[6].endswith('19, "…"]')
    assert cells[7:] == ['{"a": "2026-01-02", "b": "ü"}', "x" * 200 + "…"]


def test_rows_come_from_as_many_groups_as_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": list(range(500))}), path, row_group_size=7)
    assert [row for (row,) in Read(path).rows().rows] == ["a", *map(str, range(100))]


def test_wide_and_empty_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({f"c{each}": [each] for each in range(200)}), path)
    found = Read(path).rows()
    assert (found.about, [len(row) for row in found.rows]) == ("1 rows, 200 columns", [50, 50])
    assert found.is_part
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), path)
    found = Read(path).rows()
    assert (found.rows, found.is_part) == ([["a"]], False)


@pytest.mark.parametrize(("count", "columns", "is_part"), [(100, 50, False), (101, 50, True), (100, 51, True)])
def test_that_rows_or_columns_are_left_out_is_told_where_they_are(
    tmp_path: Path, count: int, columns: int, is_part: bool
) -> None:
    parquet = tmp_path / "a.parquet"
    pq.write_table(pa.table({f"c{each}": list(range(count)) for each in range(columns)}), parquet)
    heads = [text(f"c{each}") for each in range(columns)]
    body = [[number(str(each))] * columns for each in range(count)]
    book = write_workbook(tmp_path / "a.xlsx", {"Only": [heads, *body, [], []]})
    for path in (parquet, book):
        found = Read(path).rows()
        assert (len(found.rows), len(found.rows[0]), found.is_part) == (101, 50, is_part)


@pytest.mark.parametrize("count", [100, 101])
def test_a_zip_of_many_files_says_that_some_are_left_out(tmp_path: Path, count: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        for each in range(count):
            made.writestr(str(each), b"")
    found = Read(tmp_path / "a.zip").rows()
    assert (len(found.rows), found.is_part) == (101, count > 100)


def test_a_workbook_shows_its_first_sheet(tmp_path: Path) -> None:
    rows = [[text("name"), text("day")], [text("a, b"), number("46024", 1)], [], [text("c")]]
    path = write_workbook(
        tmp_path / "a.xlsx", {"Hidden": [[text("x")]], "First": rows, "Second": [[text("y")]]}, hidden="Hidden"
    )
    found = Read(path).rows()
    assert found.rows == [["name", "day"], ["a, b", "2026-01-02"], ["", ""], ["c", ""]]
    assert found.about == "Sheet First, the first of 2"


def test_a_zip_lists_what_is_in_it(tmp_path: Path) -> None:
    path = bombs.zip_of(tmp_path / "a.zip", {"b/c.txt": 3, "d.txt": 1})
    found = Read(path).rows()
    assert found.rows == [["file", "bytes"], ["b/c.txt", f"{3 * MIB:,}"], ["d.txt", f"{MIB:,}"]]
    assert found.about == "2 entries of a zip"


def _cut(path: Path) -> None:
    pq.write_table(pa.table({"a": list(range(MANY))}), path)
    path.write_bytes(path.read_bytes()[:-100_000] + path.read_bytes()[-2000:])


def _noise(path: Path) -> None:
    path.write_bytes(b"PAR1" + os.urandom(MIB) + struct.pack("<I", MIB - 100) + b"PAR1")


def _many_entries(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"")
    data = bytearray(path.read_bytes())
    data[-22:] = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 0xFFFFFFF0, 0, 0)
    path.write_bytes(data)


def _laughs(path: Path) -> None:
    """A billion of them, in the shared texts."""
    write_workbook(path, {"One": [[text("a")]]}, shared=["&l9;"])
    entities = "".join(f'<!ENTITY l{each} "{f"&l{each - 1};" * 10}">' for each in range(1, 10))
    head = f'<!DOCTYPE sst [<!ENTITY l0 "laugh">{entities}]>'
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    parts["xl/sharedStrings.xml"] = head + parts["xl/sharedStrings.xml"].replace("&amp;", "&")
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def _large_text(path: Path) -> None:
    before = "<x/>"
    write_workbook(path, {"One": before})
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, part in parts.items():
            start, found, end = part.partition(before.encode())
            with archive.open(name, "w") as out:
                out.write(start)
                for _ in range(400 if found else 0):
                    out.write(bombs.LETTERS)
                out.write(end)


def _large_value(path: Path) -> None:
    bombs.parquet_of(path, b"x" * 40 * MIB, 1000)


@pytest.mark.parametrize("write", [_cut, _noise, _many_entries, _laughs, _large_text], ids=lambda each: each.__name__)
def test_a_hostile_file_ends_in_a_sentence(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "odd"
    write(path)
    with pytest.raises(SourceError, match=r"^odd: is not shown as a table: [a-z ,:]+\. Download it\.$"):
        Read(path).rows()


def test_rows_that_are_not_there_are_not_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    bombs.parquet(path, 1 << 60)
    assert Read(path).rows().rows == [["a"], ["1"]]


def test_a_value_that_comes_to_gigabytes_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    _large_value(path)
    try:
        rows = Read(path).rows().rows
    except SourceError:
        return  # Where the memory does not do for it.
    assert {row[1] for row in rows[1:]} == {f"0x{b'x'.hex() * 32}…"}


def test_the_reader_has_bounds_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "seven-seals")
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    seen: list[str] = []

    def stream(offset: int, length: int) -> Iterator[bytes]:
        for task in Path("/proc/self/task").iterdir():
            for child in (task / "children").read_text().split():  # Servers of other tests, too.
                if "triptych.engines.previews" in Path("/proc", child, "cmdline").read_text():
                    seen.extend(Path("/proc", child, part).read_text() for part in ("environ", "limits"))
        yield path.read_bytes()[offset : offset + length]

    assert first_rows("a", path.stat().st_size, stream).rows == [["a"], ["1"]]
    environment, limits = seen[:2]
    assert "seven-seals" not in environment
    stated = {line[:26].strip(): line[26:47].strip() for line in limits.splitlines()}
    assert stated["Max address space"] == str(1 << 30)
    assert stated["Max cpu time"] == "10"
    assert stated["Max file size"] == "0"


def test_a_store_that_gives_nothing_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(SourceError, match="takes too long"):
        first_rows("a", path.stat().st_size, lambda offset, length: iter(()), wait_s=3)


def test_what_the_store_says_is_said(tmp_path: Path) -> None:
    def broken(offset: int, length: int) -> Iterator[bytes]:
        raise SourceError("a.parquet: is gone.")

    with pytest.raises(SourceError, match=r"^a\.parquet: is gone\.$"):
        first_rows("a", 100, broken)
