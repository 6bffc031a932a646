"""The example files of csvkit 2.2.0 and agate 1.14.2: what comes of each. Truth: Python's csv.

`examples/csvkit_agate.tar.xz` has all 127 that are text or packed text (not those of Excel and dBase, nor one of
38 MB), as their source distributions have them, and both MIT licences.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import dropwhile
from pathlib import Path, PurePosixPath

import pytest

from tests.support import in_memory
from triptych.errors import JobSpecError, SourceError

ARCHIVE = Path(__file__).with_name("examples") / "csvkit_agate.tar.xz"
DELIMITERS: Mapping[str, str] = {
    "dummy.tsv": "\t",
    "sniff_limit.csv": ";",
    "test_csv_sniff.csv": "|",
    "event-notification-rpt-lastmonth.txt": "|",
}
"""As the projects' own tests read them, and as the last one's header shows; all others have commas."""
UNPACKED: Mapping[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress}
DECLARED = {"test_query.sql": ","}
"""SQL is no table: by its lines' ends this one has semicolons."""
LATIN_HEADER = "csvkit-2.2.0/examples/test_latin1.sql"
UNNAMED = "csvkit-2.2.0/examples/realdata/Datagov_FY10_EDU_recp_by_State.csv"
Row = list[str]


def _examples() -> dict[str, bytes]:
    with tarfile.open(ARCHIVE) as archive:
        files = {each.name: archive.extractfile(each) for each in archive if each.isfile()}
        return {name: file.read() for name, file in files.items() if file and "/examples/" in name}


EXAMPLES = _examples()
TABLES = [name for name in EXAMPLES if name != LATIN_HEADER]


def _rows(data: bytes, name: str) -> list[Row]:
    text = data.decode(_encoding(data))
    delimiter = DELIMITERS.get(PurePosixPath(name).name, ",")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def _truth(name: str) -> tuple[Row, list[Row]]:
    """The header and what follows it, from the first row that has a value on."""
    data = UNPACKED.get(PurePosixPath(name).suffix, bytes)(EXAMPLES[name])
    header, *body = [*dropwhile(lambda row: not row, _rows(data, name))] or [[]]
    return header, body


def _params(name: str) -> dict[str, object]:
    delimiter = DECLARED.get(PurePosixPath(name).name)
    return {"format": "csv", "dialect": {"delimiter": delimiter} if delimiter else {}}


def test_all_are_there() -> None:
    assert len(EXAMPLES) == 127


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_those_of_python_s_csv_and_come_back(name: str) -> None:
    header, body = _truth(name)
    rows = max(3, len(body) // 10)
    pieces = in_memory.cut("rows", {name: EXAMPLES[name]}, {**_params(name), "items_per_chunk": rows})
    read = [_rows(piece.data, name) for piece in pieces]
    assert all(rows[0] == header for rows in read)
    assert [row for rows in read for row in rows[1:]] == body
    assert sum(piece.items or 0 for piece in pieces) == len(body)
    files = in_memory.joined("concat", pieces, "r.csv")
    (data,) = files.values() or [b""]
    assert [*dropwhile(lambda row: not row, _rows(data, name))] == ([header, *body] if header else [])
    if header and _encoding(EXAMPLES[name]) != "utf-16" and not EXAMPLES[name].startswith(b"\n"):
        assert data == UNPACKED.get(PurePosixPath(name).suffix, bytes)(EXAMPLES[name])


@pytest.mark.parametrize("name", [name for name in TABLES if _truth(name)[0] and name != UNNAMED])
def test_groups_are_those_of_the_first_column(name: str) -> None:
    header, body = _truth(name)
    pieces = in_memory.cut("keys", {name: EXAMPLES[name]}, {**_params(name), "columns": header[:1]})
    counts = {piece.metadata["key"][header[0]]: piece.items for piece in pieces}
    assert counts == Counter(row[0] for row in body if row)
    for piece in pieces:
        first, *rows = _rows(piece.data, name)
        assert first == header
        assert {row[0] for row in rows} == set(piece.metadata["key"].values())


def test_a_header_in_another_encoding_is_refused_with_the_remedy() -> None:
    with pytest.raises(SourceError, match=r"is no UTF-8.*Set dialect\.encoding"):
        in_memory.cut("rows", {LATIN_HEADER: EXAMPLES[LATIN_HEADER]}, {"format": "csv"})
    declared = {"format": "csv", "dialect": {"encoding": "latin-1"}}
    (piece,) = in_memory.cut("rows", {LATIN_HEADER: EXAMPLES[LATIN_HEADER]}, declared)
    assert piece.data == EXAMPLES[LATIN_HEADER]


def test_a_column_without_a_name_cannot_be_asked_for() -> None:
    with pytest.raises(JobSpecError, match="must have at least 1 character"):
        in_memory.cut("keys", {UNNAMED: EXAMPLES[UNNAMED]}, {"columns": [""]})
