"""Tables and texts made by programs that no engine here uses; docs/contributing/tests.md lists the versions.

Of each kind that issue reports were about: what a file is, dialects, headers, types, pairs, times, and small ones.
Truth is what another of these programs, or the one that made it, says of the same data.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support import in_memory
from tests.support.engine_harness import Piece, join, split, untouched
from tests.support.postgres import postgres_folder, written_by_postgres
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

PACKAGES = {"sqlite3": "sqlite3", "gawk": "gawk", "mawk": "mawk", "jq": "jq", "zip": "zip", "zstd": "zstd"}
ROWS = r"""
create table t(id integer, k text, v text);
insert into t values (1, 'a', '5" disk'), (2, 'b', 'x,y;z|w'), (3, 'a', 'one' || char(10) || 'two'), (4, '', 'ä€😀'),
  (5, 'a', '"'), (6, 'b', '''tick'' and \'), (7, 'c d', '""'), (8, 'a', ' "x", '), (9, 'b', '# none');
"""
HEADER = ["id", "k", "v"]


def _needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    packages = " ".join(PACKAGES.get(program, program) for program in missing)
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}: apt-get install {packages}")


def _run(*words: str | Path, given: bytes = b"") -> bytes:
    return subprocess.run(list(map(str, words)), input=given, capture_output=True, check=True).stdout


def _sqlite(*words: str, ask: str = "select * from t") -> bytes:
    """What the shell of SQLite prints for it."""
    return _run("sqlite3", *words, given=f"{ROWS}{ask};\n".encode())


def _truth() -> list[list[str]]:
    """The rows as SQLite writes them in JSON."""
    return [[str(row[name]) for name in HEADER] for row in json.loads(_sqlite("-json"))]


def _read(pieces: Iterable[Piece], **dialect: Any) -> Iterator[list[list[str]]]:
    """The records of each, without the header, which each has to begin with."""
    for piece in pieces:
        rows = csv.reader(io.StringIO(piece.data.decode("utf-8-sig"), newline=""), **dialect)
        assert next(rows) == HEADER
        yield [row for row in rows if row]


def _in_chunks(name: str, data: bytes, params: Mapping[str, Any] | None = None, **dialect: Any) -> None:
    """Rows one by one, and keys, are what SQLite says."""
    shared = params or {}
    one_each = in_memory.cut("rows", {name: data}, {"items_per_chunk": 1, **shared})
    assert [row for (row,) in _read(one_each, **dialect)] == _truth()
    by_key = in_memory.cut("keys", {name: data}, {"columns": ["k"], **shared})
    found = {piece.metadata["key"]["k"]: rows for piece, rows in zip(by_key, _read(by_key, **dialect), strict=True)}
    for key, rows in found.items():
        assert rows == [row for row in _truth() if row[1] == (key or "")]
    assert sum(map(len, found.values())) == len(_truth())


@_needs("sqlite3", "zstd", "xz", "bzip2", "gzip")
@pytest.mark.parametrize(
    ("program", "options"),
    [("gzip", ["-9"]), ("bzip2", ["-1"]), ("xz", ["-9", "--check=sha256"]), ("zstd", ["-q", "--long=27", "-19"])],
)
def test_what_a_file_is_packed_by_programs(program: str, options: list[str]) -> None:
    table = _sqlite("-header", "-csv")
    half = len(table) // 2
    packed = b"".join(_run(program, *options, "-c", given=part) for part in (table[:half], b"", table[half:]))
    assert _run(program, "-dc", given=packed) == table
    _in_chunks("t.csv", packed)
    again = _run("xz", "-c", given=packed)
    with pytest.raises(SourceError, match="packed twice"):
        in_memory.cut("rows", {"t.csv.xz": again}, {})


@_needs("sqlite3", "iconv")
@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-32", "UTF-16LE", "EUC-KR", "GB18030"])
def test_what_a_file_is_encoded_by_iconv(encoding: str) -> None:
    table = _sqlite("-header", "-csv", ask="select * from t where id <> 4")
    encoded = _run("iconv", "-f", "UTF-8", "-t", encoding, given=table)
    # With a mark iconv says itself what it is; UTF-16LE and the others it leaves bare.
    declared = {} if encoding in ("UTF-16", "UTF-32") else {"dialect": {"encoding": encoding.lower()}}
    pieces = in_memory.cut("keys", {"t.csv": encoded}, {"columns": ["id"], **declared})
    found = [row for (row,) in _read(pieces)]
    assert sorted(found) == [row for row in _truth() if row[0] != "4"]


@_needs("sqlite3", "zip")
def test_what_a_file_is_of_several_tables_and_of_none(tmp_path: Path, settings: Settings) -> None:
    for number in (3, 4):
        table = _sqlite("-header", "-csv", ask=f"select * from t where id <= {number}")
        (tmp_path / f"{number}.csv").write_bytes(table)
    _run("zip", "-q", "-j", tmp_path / "t.zip", tmp_path / "3.csv", tmp_path / "4.csv")
    pieces = split(settings, "rows", [tmp_path / "t.zip"], {})
    assert [piece.items for piece in pieces] == [3, 4]
    assert list(_read(pieces)) == [_truth()[:3], _truth()[:4]]
    _run("sqlite3", tmp_path / "t.csv", "create table a(b)")
    with pytest.raises(SourceError, match=r"t\.csv: is an SQLite database"):
        split(settings, "rows", [tmp_path / "t.csv"], {})


@_needs("sqlite3")
@pytest.mark.parametrize("separator", [";", "|", ",", "\t"])
@pytest.mark.parametrize("end", ["\\n", "\\r\\n"])
def test_dialects_of_sqlite(separator: str, end: str) -> None:
    table = _sqlite("-header", "-csv", "-cmd", f'.separator "{separator}" "{end}"')
    _in_chunks("t.csv", table, delimiter=separator)


@_needs("sqlite3", "gawk", "mawk")
@pytest.mark.parametrize("program", ["gawk", "mawk"])
def test_dialects_of_awk_which_quotes_nothing(program: str) -> None:
    script = 'BEGIN { OFS = "\t"; print "id", "k", "v"; for (i = 1; i < 9; i++) print i, "k" i % 3, i "\\" disk" }'
    table = _run(program, script)
    pieces = in_memory.cut("keys", {"t.tsv": table}, {"columns": ["k"]})
    counted = _run(program, "-F", "\t", "NR > 1 { n[$2]++ } END { for (k in n) print k, n[k] }", given=table)
    truth = dict(line.split() for line in counted.decode().splitlines())
    assert {piece.metadata["key"]["k"]: str(piece.items) for piece in pieces} == truth
    assert all(row[2] == f'{row[0]}" disk' for rows in _read(pieces, delimiter="\t", quoting=3) for row in rows)


@_needs("sqlite3", "perl", "jq")
def test_dialects_of_jq_and_perl() -> None:
    _in_chunks("t.csv", _by_jq())
    _in_chunks(
        "t.csv", _run("perl", "-0777", "-pe", r's/("(?:[^"]|"")*")|\n/defined $1 ? $1 : "\r"/ge', given=_by_jq())
    )


def _by_jq(ask: str = "select * from t") -> bytes:
    return b'"id","k","v"\n' + _run("jq", "-r", ".[] | [.id, .k, .v] | @csv", given=_sqlite("-json", ask=ask))


@_needs("sqlite3", "jq", "perl")
def test_headers_of_three_programs_are_one() -> None:
    marked = b"\xef\xbb\xbf" + _sqlite("-header", "-csv", ask="select * from t where id < 4")
    by_jq = _by_jq("select * from t where id between 4 and 6")
    by_perl = _run("perl", "-pe", r"s/\n/\r\n/", given=_by_jq("select * from t where id > 6"))
    pieces = [Piece("", data) for data in (marked, by_jq, by_perl)]
    whole = in_memory.joined("concat", pieces, "r.csv")["output.csv"]
    assert next(_read([Piece("", whole)])) == _truth()
    in_order = in_memory.joined("sorted_concat", pieces, "r.csv", {"by": ["id:number:desc"]})["sorted.csv"]
    assert next(_read([Piece("", in_order)])) == _truth()[::-1]
    other = _sqlite("-header", "-csv", ask="select k, id, v from t")
    with pytest.raises(EngineError, match="in another order"):
        in_memory.joined("concat", [*pieces, Piece("", other)], "r.csv")


COPIES = {
    "bars.csv": "(select * from t order by id) to '{}' (format csv, header, delimiter '|', quote '''', escape '\\')",
    "names.csv": '(select id as "the\n""id""", v from t order by id) to \'{}\' (format csv, header, force_quote *)',
    "none.csv": '(select id as "the\n""id""", v from t where false) to \'{}\' (format csv, header, force_quote *)',
    "types.csv": "types to '{}' (format csv, header)",
    "types.json": "(select json_agg(json_build_object('id', id, 'n', n::text, 'big', big::text, 'at',"
    " extract(epoch from at)::text, 'day', day, 'code', code)) from types) to '{}'",
    "times.csv": "(select id, at from types order by id) to '{}' (format csv, header)",
    "order.txt": "(select id from types order by at, id) to '{}'",
    "days.csv": "(select (at at time zone 'UTC')::date, count(*) from types group by 1 order by 1) to '{}' csv",
}
TYPES = """
set time zone 'Asia/Kolkata';
create table types(id integer, n numeric, big bigint, at timestamptz, day date, code text);
insert into types select i, i * 12345678901234567890123456.5, 9223372036854775807 - i,
 timestamptz '2026-10-25 00:30:00.123456+02' + i * interval '7 hours 13 minutes 1 microsecond' * (i % 3 - 1),
 date '2026-02-27' + i, case i % 3 when 0 then '12e45678' when 1 then '0x1f' else '01/02/2026' end
 from generate_series(1, 20) as i;
"""


@pytest.fixture(scope="module")
def postgres() -> Mapping[str, bytes]:
    """What one run of PostgreSQL has written, by file name."""
    if postgres_folder() is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    made = ROWS.replace("char(10)", "chr(10)") + TYPES
    return written_by_postgres(made, {name: f"copy {what}" for name, what in COPIES.items()})


@_needs("sqlite3")
def test_dialects_of_postgres(postgres: Mapping[str, bytes]) -> None:
    said = {"delimiter": "|", "quote_char": "'", "escape_char": "\\"}
    options = {"delimiter": "|", "quotechar": "'", "escapechar": "\\", "doublequote": False}
    _in_chunks("t.csv", postgres["bars.csv"], {"dialect": said}, **options)


def test_headers_of_postgres_alone_and_over_lines(postgres: Mapping[str, bytes]) -> None:
    pieces = [Piece("", postgres[name]) for name in ("none.csv", "names.csv", "none.csv")]
    assert in_memory.joined("concat", pieces, "r.csv") == {"output.csv": postgres["names.csv"]}
    cut = in_memory.cut("rows", {"names.csv": postgres["names.csv"]}, {"items_per_chunk": 4})
    assert [piece.items for piece in cut] == [4, 4, 1]
    assert in_memory.joined("concat", cut, "r.csv") == {"output.csv": postgres["names.csv"]}


@pytest.mark.parametrize("rows", [1, 7, 20])
def test_types_of_postgres_are_exact(postgres: Mapping[str, bytes], rows: int) -> None:
    pieces = in_memory.cut("rows", {"types.csv": postgres["types.csv"]}, {"items_per_chunk": rows})
    found = _parquet(in_memory.joined("parquet", pieces, "r.csv", {"types": {"n": "decimal(38,1)"}}))
    truth = json.loads(postgres["types.json"])
    assert [(row["id"], str(row["big"]), str(row["day"]), row["code"]) for row in found] == [
        (row["id"], row["big"], row["day"], row["code"]) for row in truth
    ]
    assert [f"{row['at'].timestamp():.6f}" for row in found] == [row["at"] for row in truth]
    assert [str(row["n"]) for row in found] == [row["n"] for row in truth]


def _parquet(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    (data,) = files.values()
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


@_needs("perl")
def test_types_of_numbers_that_perl_writes(settings: Settings) -> None:
    script = 'use bigint; for my $i (1..6) { print "{\\"n\\": ", 2**63 + $i * 10**18, ", \\"f\\": ", $i, ".5}\\n" }'
    lines = _run("perl", "-e", script)
    pieces = in_memory.cut("rows", {"n.jsonl": lines}, {"items_per_chunk": 2})
    found = _parquet(join(settings, "parquet", untouched(pieces, "r.jsonl")))
    summed = _run(
        "perl", "-Mbigint", "-ne", r'$s += Math::BigInt->new($1) if /"n": (\d+)/; END { print $s }', given=lines
    )
    assert str(sum(int(row["n"]) for row in found)) == summed.decode()
    assert [row["f"] for row in found] == [number + 0.5 for number in range(1, 7)]


@_needs("sqlite3")
def test_types_of_sqlite_that_are_text() -> None:
    asked = "select '12e45678' as a, '0x1F' as b, '01/02/2026' as c, '007' as d, 1e300 as e union all select 1,2,3,4,5"
    pieces = [Piece("", _sqlite("-header", "-csv", ask=asked))]
    first = _parquet(in_memory.joined("parquet", pieces, "r.csv"))[0]
    assert first == {"a": "12e45678", "b": "0x1F", "c": "01/02/2026", "d": "007", "e": 1e300}


READS = '{ s = substr("ACGTACGTAC", 1 + i % 3, 6); printf "@r%d/%d\\n%s\\n+\\n%s\\n", i, m, s, "IIIIII" }'


@_needs("gawk", "perl", "mawk")
def test_pairs_of_awk_and_paste(tmp_path: Path) -> None:
    script = f"BEGIN {{ for (i = 1; i < 10; i++) {READS} }}"
    one, two = (_run("gawk", "-v", f"m={mate}", script) for mate in (1, 2))
    for name, reads in (("a_1.fastq", one), ("a_2.fastq", two)):
        (tmp_path / name).write_bytes(_run("paste", "-", "-", "-", "-", given=reads))
    script = 'paste -d "\\n" "$0" "$1" | tr "\\t" "\\n"'
    mixed = _run("sh", "-c", script, tmp_path / "a_1.fastq", tmp_path / "a_2.fastq")
    params = {"items_per_chunk": 4, "paired": "interleaved"}
    together = in_memory.cut("sequences", {"a.fastq": mixed}, params)
    assert b"".join(piece.data for piece in together) == mixed
    apart = in_memory.cut("sequences", {"a_1.fastq": one, "a_2.fastq": two}, {**params, "paired": "files"})
    names = [_run("mawk", "NR % 4 == 1", given=piece.data).split() for piece in apart]
    assert sorted(chain(*names)) == sorted(_run("mawk", "NR % 4 == 1", given=mixed).split())
    assert all({name[:-1] for name in each if name.endswith(b"1")} == {name[:-1] for name in each} for each in names)
    turned = _run("perl", "-0777", "-ne", "print reverse /(\\@r.*\\n.*\\n\\+\\n.*\\n)/g", given=two)
    with pytest.raises(SourceError, match="no pair"):
        in_memory.cut("sequences", {"a_1.fastq": one, "a_2.fastq": turned}, {**params, "paired": "files"})


@_needs("perl")
def test_sequences_whose_lines_perl_ends_with_returns() -> None:
    fasta = _run("perl", "-e", 'for (1..7) { print ">s$_\\r", "ACGT" x $_, "\\r", "GG\\r" }')
    pieces = in_memory.cut("sequences", {"a.fasta": fasta}, {"items_per_chunk": 3})
    counted = [int(_run("perl", "-0015", "-ne", "$n++ if /^>/; END { print $n }", given=each.data)) for each in pieces]
    assert [piece.items for piece in pieces] == counted == [3, 3, 1]


def test_times_that_date_writes(tmp_path: Path) -> None:
    zones = ("Asia/Shanghai", "America/St_Johns", "UTC", "Europe/Berlin")
    epochs = [1761350400 + 5003 * number for number in range(40)]
    stamps = tmp_path / "epochs"
    stamps.write_text("".join(f"@{epoch}.{epoch % 997:09d}\n" for epoch in epochs))
    table, truth = b"id,at\n", Counter[str]()
    for number, zone in enumerate(zones):
        form = "+%FT%T.%N%z" if number % 2 else "+%F %T.%N %z"
        lines = _run("env", f"TZ={zone}", "date", "-f", stamps, form).decode().splitlines()
        table += "".join(f"{number},{line}\n" for line in lines[number::4]).encode()
    truth.update(_run("date", "-u", "-f", stamps, "+%F").decode().split())
    pieces = in_memory.cut("dates", {"t.csv": table}, {"column": "at"})
    assert {piece.metadata["period"]: piece.items for piece in pieces} == truth
    in_order = in_memory.joined("sorted_concat", [Piece("", table)], "r.csv", {"by": ["at:date"]})["sorted.csv"]
    ordered = "".join(line.partition(b",")[2].decode() + "\n" for line in in_order.splitlines()[1:])
    (tmp_path / "ordered").write_text(ordered)
    assert _run("date", "-u", "-f", tmp_path / "ordered", "+@%s.%N") == stamps.read_bytes()


def test_times_of_postgres(postgres: Mapping[str, bytes]) -> None:
    pieces = in_memory.cut("dates", {"times.csv": postgres["times.csv"]}, {"column": "at"})
    found = [[piece.metadata["period"], str(piece.items)] for piece in pieces]
    assert sorted(found) == list(csv.reader(io.StringIO(postgres["days.csv"].decode())))
    in_order = in_memory.joined("sorted_concat", [Piece("", postgres["times.csv"])], "r.csv", {"by": ["at:date"]})
    ids = [line.split(b",")[0] for line in in_order["sorted.csv"].splitlines()[1:]]
    assert ids == postgres["order.txt"].split()


@_needs("gawk")
def test_times_in_logs_that_gawk_writes() -> None:
    stamp = 'strftime("%Y-%m-%dT%H:%M:%S", 1761350400 + i * 59, 1), i * 16777213 % 1000000000'
    line = "%s.%09d+0530 host%d said\\n  at 2001-01-01T00:00:00Z inside\\n"
    script = f'BEGIN {{ for (i = n; i < 60; i += 3) printf "{line}", {stamp}, n }}'
    logs = [_run("gawk", "-v", f"n={number}", script) for number in (1, 2, 3)]
    merged = in_memory.joined("logs", [Piece("", log) for log in logs], "a.log")["merged.log"]
    # As gawk joins each entry with what follows it, sort orders them, and tr parts them again.
    joined = _run("gawk", 'NR % 2 { printf "%s\\1", $0; next } { print }', given=b"".join(logs))
    assert merged == _run("tr", "\\1", "\\n", given=_run("env", "LC_ALL=C", "sort", given=joined))


@_needs("git")
def test_small_ones_of_git(tmp_path: Path, settings: Settings) -> None:
    tree = tmp_path / "tree"
    rules = {"": "\ufeff*.log\n!keep.log\n/build/\n!src/**\nsrc/generated/\n", "src": "*.tmp\r\n!/a.tmp\n"}
    names = ["a.py", "x.log", "keep.log", "build/b.py", "src/c.py", "src/generated/d.py", "src/a.tmp", "src/e/b.tmp"]
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    for folder, rule in rules.items():
        (tree / folder / ".gitignore").write_text(rule, newline="")
    _run("git", "init", "-q", tree)
    listed = _run("git", "-C", tree, "ls-files", "-co", "--exclude-standard").decode().split()
    shutil.rmtree(tree / ".git")
    pieces = split(settings, "codebase", [f"{tree.as_uri()}/"], {})
    found = {file for piece in pieces for file in piece.metadata["paths"]}
    assert found == set(listed)


@_needs("jq", "sqlite3", "perl")
def test_small_ones_of_jq_sqlite_and_perl() -> None:
    lines = _run("jq", "-cn", '{k: null}, {k: "None"}, {k: "null"}, {k: ""}, {k: null}')
    pieces = in_memory.cut("keys", {"a.jsonl": lines}, {"columns": ["k"]})
    found = [(piece.metadata["key"]["k"], piece.items) for piece in pieces]
    assert sorted(found, key=repr) == sorted([(None, 2), ("None", 1), ("null", 1), ("", 1)], key=repr)
    twice = _sqlite("-header", "-csv", ask="select id as a, k as a from t")
    with pytest.raises(SourceError, match="twice"):
        in_memory.cut("keys", {"a.csv": twice}, {"columns": ["a"]})
    numbers = _run("jq", "-cn", "[range(30) | {n: (. * 7 % 30)}]")
    half = _run("jq", "-c", ".[]", given=_run("jq", "-cn", "[range(30) | {n: (. * 11 % 30 + 30)}]"))
    in_order = in_memory.joined("sorted_concat", [Piece("", numbers)], "r.json", {"by": ["n"]})["sorted.jsonl"]
    assert _run("jq", "-c", ".n", given=in_order).split() == [b"%d" % number for number in range(30)]
    again = in_memory.joined("sorted_concat", [Piece("", half)], "r.jsonl", {"by": ["n"]})["sorted.jsonl"]
    assert again == _run("jq", "-sc", "sort_by(.n)[]", given=half)
    deep = _run("perl", "-e", 'print "[" x 5000, "]" x 5000, "\\n", "\\"\\\\ud800\\"\\n"')
    assert [piece.items for piece in in_memory.cut("rows", {"a.jsonl": deep}, {})] == [2]


@_needs("iconv")
@pytest.mark.parametrize("charset", ["ISO-8859-2", "KOI8-R", "windows-1253"])
def test_small_ones_of_iconv(charset: str) -> None:
    words = {"ISO-8859-2": "Żółw", "KOI8-R": "Кот", "windows-1253": "Γάτα"}
    page = f'<html><head><meta charset="{charset}"></head><body><h1>{words[charset]}</h1><p>x</p></body></html>'
    data = _run("iconv", "-f", "UTF-8", "-t", charset, given=page.encode())
    pieces = in_memory.cut("sections", {"a.html": data}, {})
    assert [piece.metadata["heading"] for piece in pieces] == ["", words[charset]]
