"""Tables as they come: packed, in other encodings and dialects, with headers of all sorts. Truth: Python's csv."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.support.engine_harness import Piece, Results, join, split, untouched
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

TABLE = "id,city\r\n" + "".join(f'{n},"Köln, {n}"\r\n' for n in range(20))
CUTS: list[tuple[str, dict[str, Any]]] = [
    ("rows", {}),
    ("keys", {"columns": ["a"]}),
    ("dates", {"column": "a"}),
    ("urls", {}),
]
JOINS: list[tuple[str, dict[str, Any]]] = [
    ("sorted_concat", {"by": ["a"]}),
    ("merge_keys", {"on": ["a"]}),
    ("reduce", {}),
    ("parquet", {}),
    ("concat", {}),
]
ROWS = [row for row in csv.reader(io.StringIO(TABLE, newline="")) if row]


def _rows(data: bytes, **options: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), **options))


def _cut(settings: Settings, path: Path, engine: str = "rows", **params: Any) -> list[Piece]:
    return split(settings, engine, [path], params)


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _in_two(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """As several packed files back to back, as `cat a.gz b.gz` makes them."""
    return lambda data: pack(data[:40]) + pack(data[40:])


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", gzip.compress),
        (".gz", _in_two(gzip.compress)),
        (".bz2", _in_two(bz2.compress)),
        (".xz", _in_two(lzma.compress)),
        (".zst", _in_two(zstandard.compress)),
        ("", gzip.compress),
    ],
)
def test_packed_tables_are_cut_like_others(
    settings: Settings, tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    path = _written(tmp_path, f"a.csv{suffix}", pack(TABLE.encode()))
    pieces = _cut(settings, path, items_per_chunk=8)
    assert [piece.items for piece in pieces] == [8, 8, 4]
    found = [_rows(piece.data) for piece in pieces]
    assert all(rows[0] == ROWS[0] for rows in found)
    assert [row for rows in found for row in rows[1:]] == ROWS[1:]
    by_key = _cut(settings, path, "keys", columns=["id"])
    assert [_rows(piece.data)[1] for piece in by_key] == ROWS[1:]
    assert join(settings, "concat", untouched(pieces, "r.csv")) == {"output.csv": TABLE.encode()}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("engine", ["rows", "keys"])
def test_encodings_with_a_mark_are_decoded(settings: Settings, tmp_path: Path, encoding: str, engine: str) -> None:
    path = _written(tmp_path, "u.csv", TABLE.encode(encoding))
    params: dict[str, Any] = {"items_per_chunk": 1} if engine == "rows" else {"columns": ["id"]}
    assert [_rows(piece.data) for piece in _cut(settings, path, engine, **params)] == [
        [ROWS[0], row] for row in ROWS[1:]
    ]


def test_declared_encodings(settings: Settings, tmp_path: Path) -> None:
    # In Shift JIS the second byte of these is that of a vertical bar, and of a backslash.
    text = "k|v\nポ|ソ\n表|2\n"
    path = _written(tmp_path, "s.csv", text.encode("shift_jis"))
    dialect = {"encoding": "shift_jis", "delimiter": "|"}
    for engine, params in (("rows", {"items_per_chunk": 1}), ("keys", {"columns": ["k"]})):
        pieces = _cut(settings, path, engine, **params, dialect=dialect)
        assert [_rows(piece.data, delimiter="|")[1] for piece in pieces] == [["ポ", "ソ"], ["表", "2"]]
    path = _written(tmp_path, "l.csv", "stadt;n\nKöln;1\n".encode("cp1252"))
    (piece,) = _cut(settings, path, "keys", columns=["stadt"], dialect={"encoding": "cp1252"})
    assert piece.metadata["key"] == {"stadt": "Köln"}
    with pytest.raises(SourceError, match="is no UTF-8"):
        _cut(settings, path, "keys", columns=["stadt"])
    # Bytes that can be cut as they are stay so.
    (piece,) = _cut(settings, path, dialect={"encoding": "cp1252"})
    assert piece.data == path.read_bytes()


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (b"PK\x03\x04\x14\x00", "zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE"),
        (b"ORC\x0a\x00\x03\x10", "ORC"),
        (b"Obj\x01\x04\x16avro.schema", "Avro"),
        (b"ARROW1\x00\x00", "Arrow"),
        (b"FEA1\x00", "Feather"),
        (b"SQLite format 3\x00", "SQLite"),
        (gzip.compress(b"a" * 257 + b"ustar\x0000", mtime=0), "tar"),
        (gzip.compress(b"BAM\x01", mtime=0), "BAM"),
        ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16LE"),
        (gzip.compress(gzip.compress(b"a,b\n1,2\n", mtime=0), mtime=0), "packed twice"),
    ],
    ids=repr,
)
def test_what_is_no_text_is_refused_by_its_name(settings: Settings, tmp_path: Path, head: bytes, named: str) -> None:
    path = _written(tmp_path, "t.csv", head)
    # Each engine with some of the formats: all ask one check.
    turn = len(named)
    engine, params = CUTS[turn % len(CUTS)]
    with pytest.raises(SourceError, match=rf"t\.csv: .*{named}"):
        _cut(settings, path, engine, **params)
    engine, params = JOINS[turn % len(JOINS)]
    with pytest.raises(EngineError, match=rf"chunk 0, 't\.csv': .*{named}"):
        join(settings, engine, [Results({"t.csv": head})], params)


def test_words_that_begin_like_a_format_are_text(settings: Settings, tmp_path: Path) -> None:
    path = _written(tmp_path, "t.csv", b"ORC,BZh\nPK,Rar!\n")
    assert [piece.items for piece in _cut(settings, path)] == [1]
    for text in (b"BZh,a\n1,2\n", b"BZh9\n1AY\n", b"BZh9,1AY&SX\nx,y\n"):
        path.write_bytes(text)
        assert [piece.data for piece in _cut(settings, path)] == [text]
    path.write_bytes(bz2.compress(b""))
    assert _cut(settings, path) == []


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ('id;city;price\n1;"Köln; am Rhein";1,5\n2;Bonn;2,25\n', ";"),
        ("a|b\n1|2,3\n4|5,6,7\n", "|"),
        ("a\tb\n1\t2;3\n4\t5,6\n", "\t"),
        ("a,b\n1;2,3\n4;5,6\n", ","),
        ("one\nx;y\nz\n", ","),
    ],
)
def test_the_delimiter_is_found_and_told(settings: Settings, tmp_path: Path, text: str, delimiter: str) -> None:
    path = _written(tmp_path, "t.csv", text.encode())
    truth = _rows(text.encode(), delimiter=delimiter)
    (piece,) = _cut(settings, path)
    assert piece.metadata["dialect"] == {"delimiter": delimiter}
    column = truth[0][-1]
    pieces = _cut(settings, path, "keys", columns=[column])
    assert [piece.metadata["key"][column] for piece in pieces] == [row[-1] for row in truth[1:]]
    assert {piece.metadata["dialect"]["delimiter"] for piece in pieces} == {delimiter}


@pytest.mark.parametrize(
    "text",
    [
        'id,size,k\n1,5" disk,a\n2,x,b\n3,z,a\n',
        'id,size,k\n1,5" disk,a\n2,7" disk,b\n3,"a ""b"", c\n",a\n',
        'id,size,k\n1,x"",a\n2,"a"",\n",b\n3," "" ",c\n',
        '\ufeff"id",size,k\n1, "x,b\n2,"""",b\n3,"""\n""",c\n',
    ],
)
def test_a_quote_counts_at_the_start_of_a_value(settings: Settings, tmp_path: Path, text: str) -> None:
    path = _written(tmp_path, "q.csv", text.encode())
    truth = _rows(text.encode())
    assert [_rows(piece.data)[1:] for piece in _cut(settings, path, items_per_chunk=1)] == [[row] for row in truth[1:]]
    pieces = _cut(settings, path, "keys", columns=["k"])
    assert {piece.metadata["key"]["k"] for piece in pieces} == {row[2] for row in truth[1:] if len(row) > 2}


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_every_line_end_ends_a_record(settings: Settings, tmp_path: Path, end: str) -> None:
    text = end.join(["id,k", "1,a", '2,"b\rc\nd"', "3,a", ""])
    path = _written(tmp_path, "cr.csv", text.encode())
    pieces = _cut(settings, path, items_per_chunk=2)
    assert [_rows(piece.data)[1:] for piece in pieces] == [[["1", "a"], ["2", "b\rc\nd"]], [["3", "a"]]]
    assert [piece.items for piece in pieces] == [2, 1]
    assert [_rows(piece.data)[1:] for piece in _cut(settings, path, "keys", columns=["k"])] == [
        [["1", "a"], ["3", "a"]],
        [["2", "b\rc\nd"]],
    ]
    lines = _written(tmp_path, "cr.txt", text.replace('"', "").replace("\rc\nd", "").encode())
    assert [piece.items for piece in _cut(settings, lines, items_per_chunk=3)] == [3, 1]


def test_a_declared_dialect(settings: Settings, tmp_path: Path) -> None:
    text = "title\nof it\n# a \"comment\nid;k\n# another, 'one\n1;'a\\'b;\nc'\n#, \"\n2;d\\;e\n# end"
    path = _written(tmp_path, "d.txt", text.encode())
    dialect = {"delimiter": ";", "quote_char": "'", "escape_char": "\\", "comment_prefix": "#", "skip_rows": 2}
    pieces = _cut(settings, path, format="csv", items_per_chunk=1, dialect=dialect)
    assert [piece.items for piece in pieces] == [1, 1]
    assert all(piece.data.startswith(b"id;k\n") for piece in pieces)
    pieces = _cut(settings, path, "keys", format="csv", columns=["k"], dialect=dialect)
    assert [piece.metadata["key"]["k"] for piece in pieces] == ["a'b;\nc", "d;e"]
    assert pieces[0].data == b"id;k\n1;'a\\'b;\nc'\n"


VCF = '##fileformat=VCFv4.2\n##contig=<ID=1,"x>\n#CHROM\tPOS\tID\n1\t5\t"a\n2\t6\tb\n'
SAM = (
    "@HD\tVN:1.6\n@SQ\tSN:c1\tLN:9\n"
    'r1\t0\tc1\t1\t9\t4M\t*\t0\t0\tACGT\t"@,!\tNM:i:0\nr2\t4\t*\t0\t0\t*\t*\t0\t0\tA\t!\n'
)


@pytest.mark.parametrize(
    ("name", "text", "header", "column"), [("a.vcf", VCF, 3, "#CHROM"), ("a.sam", SAM, 2, "RNAME")]
)
def test_headers_of_several_lines(
    settings: Settings, tmp_path: Path, name: str, text: str, header: int, column: str
) -> None:
    lines = text.splitlines(keepends=True)
    path = _written(tmp_path, name, text.encode())
    pieces = _cut(settings, path, items_per_chunk=1)
    assert [piece.data.decode() for piece in pieces] == ["".join([*lines[:header], line]) for line in lines[header:]]
    assert join(settings, "concat", untouched(pieces, name)) == {f"output{path.suffix}": text.encode()}
    assert len(_cut(settings, path, "keys", columns=[column])) == 2
    two = _written(tmp_path, "header.csv", b"a,b\nm,s\n1,2\n3,4\n")
    pieces = _cut(settings, two, items_per_chunk=1, dialect={"header_rows": 2})
    assert [piece.data for piece in pieces] == [b"a,b\nm,s\n1,2\n", b"a,b\nm,s\n3,4\n"]
    pieces = _cut(settings, two, "keys", columns=["column1"], dialect={"header_rows": 0})
    assert [piece.metadata["key"] for piece in pieces] == [{"column1": each} for each in "bs24"]


def test_a_mark_or_carriage_returns_make_no_other_header(settings: Settings, tmp_path: Path) -> None:
    paths = [_written(tmp_path, "1.csv", b"a,b\n1,2\n"), _written(tmp_path, "2.csv", b"\xef\xbb\xbfa,b\r\n7,8\r\n")]
    pieces = split(settings, "rows", paths, {})
    assert _rows(join(settings, "concat", untouched(pieces, "r.csv"))["output.csv"]) == [
        ["a", "b"],
        ["1", "2"],
        ["7", "8"],
    ]
    pieces = split(settings, "keys", paths, {"columns": ["a"]})
    assert _rows(join(settings, "sorted_concat", untouched(pieces, "r.csv"), {"by": ["a"]})["sorted.csv"])[1:] == [
        ["1", "2"],
        ["7", "8"],
    ]


@pytest.mark.parametrize("line", [b"ok,1\n", b"2026-01-01,a\n", b"true,x\n", b"a,a\n", b"7\n"])
def test_equal_lines_that_are_no_header_stay(settings: Settings, line: bytes) -> None:
    assert join(settings, "concat", [Results({"r.csv": line})] * 3) == {"output.csv": line * 3}
    assert join(settings, "concat", [Results({"r.csv": line})] * 3, {"header": True}) == {"output.csv": line}


def test_what_may_be_a_header_or_a_row_is_refused(settings: Settings) -> None:
    for data in (b"good,fine\n", b"good,fine\nbad,poor\n"):
        with pytest.raises(EngineError, match="Set header to true or false"):
            join(settings, "concat", [Results({"r.csv": data})] * 2)
    results = [Results({"r.csv": b"word,count\n" + row}) for row in (b"a,1\n", b"b,2\n", b"")]
    assert join(settings, "concat", results) == {"output.csv": b"word,count\na,1\nb,2\n"}


def test_columns_in_another_order_are_refused(settings: Settings, tmp_path: Path) -> None:
    paths = [_written(tmp_path, "1.csv", b"a,b\nx,y\n"), _written(tmp_path, "2.csv", b"b,a\ny,x\n")]
    pieces = split(settings, "rows", paths, {})
    for engine, params in (("concat", {}), ("sorted_concat", {"by": ["a"]})):
        with pytest.raises(EngineError, match="in another order"):
            join(settings, engine, untouched(pieces, "r.csv"), params)
    paths[1].write_bytes(b"a;b\nx;y\n")
    with pytest.raises(EngineError, match="is written with delimiter ';'"):
        join(settings, "concat", untouched(split(settings, "rows", paths, {}), "r.csv"))


def test_a_header_alone_stays_with_its_name(settings: Settings, tmp_path: Path) -> None:
    (piece,) = _cut(settings, _written(tmp_path, "h.csv", b"a,b\n"))
    assert (piece.data, piece.items) == (b"a,b\n", 0)
    assert join(settings, "concat", untouched([piece], "result.csv")) == {"output.csv": b"a,b\n"}
    assert join(settings, "sorted_concat", untouched([piece], "r.csv"), {"by": ["a"]}) == {"sorted.csv": b"a,b\n"}


def test_a_header_of_several_lines_comes_back(settings: Settings, tmp_path: Path) -> None:
    path = _written(tmp_path, "h.csv", b'"a\nx",b\n1,2\n3,4\n')
    pieces = _cut(settings, path, items_per_chunk=1)
    assert join(settings, "concat", untouched(pieces, "result.csv")) == {"output.csv": path.read_bytes()}
