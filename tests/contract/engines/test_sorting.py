"""sorted_concat against other sorts: sqlite3's and the standard library's."""

from __future__ import annotations

import csv
import io
import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.support.engine_harness import Results, join
from tests.support.inputs import MemoryInput
from triptych.engines.runtime.resources import Resources, using
from triptych.engines.sorting.external_merge import keyed, merged, record_bytes, write_merged
from triptych.engines.sorting.order import Order
from triptych.engines.sorting.sort_keys import SortColumn
from triptych.errors import EngineError
from triptych.settings import Settings


def test_columns_of_several_kinds_as_sqlite_orders_them(settings: Settings) -> None:
    source = random.Random(11)
    rows = [
        (n, source.choice("aäbB"), source.randrange(5), source.choice(["2026-01-02", "2025-12-31"])) for n in range(400)
    ]
    results = []
    for start in range(0, 400, 90):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([("id", "letter", "count", "day"), *rows[start : start + 90]])
        results.append(Results({"t.csv": text.getvalue().encode()}))
    found = join(settings, "sorted_concat", results, {"by": ["letter:desc", "count:number", "day:date:desc"]})
    ids = [int(row["id"]) for row in csv.DictReader(io.StringIO(found["sorted.csv"].decode(), newline=""))]
    with sqlite3.connect(":memory:") as database:
        database.execute("create table t (id integer, letter text, count integer, day text)")
        database.executemany("insert into t values (?, ?, ?, ?)", rows)
        # The id makes it stable.
        expected = database.execute("select id from t order by letter desc, count, day desc, id").fetchall()
    database.close()
    assert ids == [row[0] for row in expected]


TEXTS = ["", "a", "a b", "aä", "äa", "B", "報", "\U0001f600", "\uffee", 'say "x"', "two\nlines", "x,y", "z\r\n", " "]
TEXTS += ["a\0", "a\0b", "a\0\0", "long" * 2, "long" * 9]
NUMBERS = ["", "0", "-0.0", "7", "007", "1e3", "1000", " 12 ", "1_0", "-inf", "inf", "2.5", str(2**53), str(2**53 + 1)]
NUMBERS += [f"{2.0**53:.1f}", str(2**63 - 1), str(-(2**63)), str(2**63), f"{2.0**63}", str(-(2**64) - 1), "1e400"]
NUMBERS += [str(10**25), str(10**25 + 1), "1e25", str(-(10**25)), str(10**320), str(10**320 + 1), str(-(10**320))]
DATES = ["", "2026-01-02", "2026-01-02T00:00:00Z", "2026-01-02T02:00+02:00", "2026-01-01T23:59:59.999999Z", "20260102"]
DATES += ["2026-01-02 00:00:00.000001", "1969-12-31T23:59:59.5Z", "0001-01-01", "9999-12-31T23:59:59", "2026-W01-5"]


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


READ: dict[str, Callable[[str], Any]] = {"text": str, "number": _number, "date": _moment}


def _by_python(rows: list[list[str]], columns: list[tuple[int, str, bool]], missing: str) -> list[list[str]]:
    """sorted() is stable: by the last column first, each time with what is missing aside."""
    for at, kind, descending in reversed(columns):
        there = sorted((row for row in rows if row[at]), key=lambda row: READ[kind](row[at]), reverse=descending)
        if descending:
            # What is equal stays in order, which `reverse` keeps too.
            assert there == sorted(there, key=lambda row: READ[kind](row[at]), reverse=True)
        none = [row for row in rows if not row[at]]
        rows = none + there if missing == "first" else there + none
    return rows


@pytest.mark.parametrize("seed", range(12))
def test_any_mix_of_values_is_in_the_order_of_python(small: Settings, seed: int) -> None:
    source = random.Random(seed)
    names = ["text", "number", "date", "id"]
    columns = [(at, names[at], source.random() < 0.5) for at in source.sample(range(3), source.randrange(1, 4))]
    missing = source.choice(["first", "last"])
    by = [f"{kind}:{kind}:{'desc' if descending else 'asc'}" for _, kind, descending in columns]
    few = [source.sample(values, source.choice([2, len(values)])) for values in (TEXTS, NUMBERS, DATES)]
    parts: list[list[list[str]]] = []
    for number in range(source.randrange(1, 12)):
        rows = [[*map(source.choice, few), f"{number}-{place}"] for place in range(source.randrange(200))]
        parts.append(_by_python(rows, columns, missing) if source.random() < 0.4 else rows)
    expected = _by_python([row for part in parts for row in part], columns, missing)
    ends = source.choice(["\n", "\r\n"])
    tables = [Results({"t.csv": _csv([names, *part], ends)}) for part in parts]
    found = join(small, "sorted_concat", tables, {"by": by, "nulls": missing})["sorted.csv"]
    assert list(csv.reader(io.StringIO(found.decode(), newline=""))) == [names, *expected]
    assert found == _csv([names, *expected], ends)
    lines = [Results({"t.jsonl": _json([names, *part])}) for part in parts if part]
    of_lines = join(small, "sorted_concat", lines, {"by": by, "nulls": missing}) if lines else {"sorted.jsonl": b""}
    assert [json.loads(line) for line in of_lines["sorted.jsonl"].splitlines()] == _objects([names, *expected])


@pytest.mark.parametrize("bits", [8, 53, 54, 60, 63, 64, 65, 90, 140, 1024, 1100])
def test_integers_of_any_size_are_in_order(bits: int) -> None:
    source = random.Random(bits)
    # So near to each other that as floats most are equal.
    near = [2**bits - 1 - 2 ** source.randrange(max(1, bits - 50)) - source.randrange(3) for _ in range(200)]
    numbers = near + [-n for n in near]
    texts = pa.array(map(str, numbers), pa.large_string())
    column = SortColumn.of("n:number")
    batch = keyed(column.keys(texts, MemoryInput(name="t.csv"), "last"), texts.cast(pa.large_binary()))
    places = Order(column.directions).sort_indices(batch)
    assert [int(record) for record in batch.take(places).column("record").to_pylist()] == sorted(numbers)


def _csv(rows: list[list[str]], ends: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ends).writerows(rows)
    return text.getvalue().encode()


def _objects(rows: list[list[str]]) -> list[dict[str, str]]:
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def _json(rows: list[list[str]]) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in _objects(rows)).encode()


@pytest.fixture
def small(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """So little memory that a run has a few records, and a merge takes two runs."""
    return replace(settings, engine_memory_bytes=16_000)


@pytest.mark.parametrize("in_order", [None, False])
@pytest.mark.parametrize("memory", [4_000, 100_000_000])
def test_many_runs_are_merged_a_few_at_once(tmp_path: Path, in_order: bool | None, memory: int) -> None:
    source = random.Random(2)
    parts = [sorted(source.randrange(40) for _ in range(50)) for _ in range(30)]
    runs = [partial(_batches, part, number, source.randrange(1, 60)) for number, part in enumerate(parts)]
    with using(Resources(tmp_path, memory)):
        found = list(merged(runs, Order(["ascending"]), in_order=in_order))
    records = [record for batch in found for record in batch.column("record").to_pylist()]
    # Its run and place make equal ones differ.
    expected = sorted((n, number, place) for number, part in enumerate(parts) for place, n in enumerate(part))
    assert records == [b"%d-%d-%d" % each for each in expected]
    assert b"".join(map(record_bytes, found)) == b"".join(records)


def _batches(part: list[int], number: int, size: int) -> Iterator[Any]:
    """A few at once, so that equal ones are on both sides of a border."""
    for start in range(0, len(part), size):
        keys = part[start : start + size]
        records = [b"%d-%d-%d" % (n, number, start + place) for place, n in enumerate(keys)]
        yield keyed([pa.array(keys)], pa.array(records, pa.large_binary()))


def test_a_result_in_order_is_not_sorted_again(tmp_path: Path) -> None:
    runs = [partial(_batches, list(range(at, 4000, 7)), at, 50) for at in range(7)]
    with using(Resources(tmp_path, 256 << 20)):
        found = [n for batch in merged(runs, Order(["ascending"])) for n in batch.column(0).to_pylist()]
    assert found == list(range(4000))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_out_of_order_only_at_its_end(tmp_path: Path) -> None:
    """What was written by then is given up, with the files of that try."""
    parts = [list(range(number, 1000, 9)) for number in range(9)]
    parts[5].append(3)
    runs = [partial(_batches, part, number, 20) for number, part in enumerate(parts)]
    tries: list[list[int]] = []

    def write(batches: Iterator[Any]) -> None:
        tries.append([])
        for batch in batches:
            tries[-1] += batch.column(0).to_pylist()

    for memory in (1 << 30, 16_000):
        with using(Resources(tmp_path, memory)):
            write_merged(write, runs, Order(["ascending"]))
        first, found = tries[-2:]
        assert found == sorted(n for part in parts for n in part)
        assert len(first) < len(found)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_output_is_written_again_from_its_beginning(settings: Settings) -> None:
    """The fault is behind what is read at once."""
    rows = [b"%07d,%s\n" % (n, b"x" * 40) for n in range(1, 100_000)]
    results = [Results({"t.csv": b"".join([b"n,x\n", *rows, b"0000000,y\n"])})]
    found = join(settings, "sorted_concat", results, {"by": ["n"]})
    assert found["sorted.csv"] == b"".join([b"n,x\n", b"0000000,y\n", *rows])


def test_blank_lines_of_json_are_no_records(settings: Settings) -> None:
    results = [Results({"t.jsonl": b'  {"n": 2}\n \t\n\n\r\n{"n": 1}\r\n  '})]
    found = join(settings, "sorted_concat", results, {"by": ["n:number"]})
    assert found["sorted.jsonl"] == b'{"n": 1}\r\n  {"n": 2}\n'


def test_results_that_are_said_to_be_sorted_are_held_to_it(settings: Settings) -> None:
    results = [Results({"t.csv": b"n\n2\n1\n"})]
    with pytest.raises(EngineError, match=r"chunk 0, 't.csv': is not in order"):
        join(settings, "sorted_concat", results, {"by": ["n:number"], "sorted": True})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ([b"n\n1\n", b"m\n1\n"], "its header"),
        ([b"m\n1\n"], "no column 'n'"),
        ([b"a,n\n1,2\n3\n"], "has not as many columns"),
    ],
)
def test_tables_that_do_not_fit_are_refused(settings: Settings, files: list[bytes], says: str) -> None:
    with pytest.raises(EngineError, match=says):
        join(settings, "sorted_concat", [Results({"t.csv": data}) for data in files], {"by": ["n"]})


def test_dates_order_to_the_nanosecond_whatever_their_offset(settings: Settings) -> None:
    """Truth: the moments as whole numbers of nanoseconds."""
    moments = {
        "2026-01-01T00:00:00.000000002Z": 2,
        "2026-01-01 01:00:00.000000001 CET": 1,
        "2025-12-31T19:00:00.000000004-0500": 4,
        "2026-01-01T08:00:00,000000003+08": 3,
        "2026-01-01 00:00:00 UTC": 0,
    }
    data = ("at\n" + "".join(f'"{text}"\n' for text in moments)).encode()
    joined = join(settings, "sorted_concat", [Results({"o.csv": data})], {"by": ["at:date"]})
    lines = joined["sorted.csv"].decode().splitlines()[1:]
    assert [moments[line.strip('"')] for line in lines] == [0, 1, 2, 3, 4]


def test_json_arrays_and_numbers_are_ordered(settings: Settings) -> None:
    """Truth: Python's own order of numbers, and of texts behind these."""
    values: list[Any] = [10, 9, -1, 1.5, 10**30, 2**53 + 1, 2**53, "9", "10", "a", 1e5, 0]
    expected = [*sorted(each for each in values if not isinstance(each, str)), "10", "9", "a", None, ""]
    records = [{"n": each} for each in [*values, None, ""]]
    array, pretty = json.dumps(records[:5]), json.dumps(records[5:9], indent=2)
    lines = "".join(json.dumps(record) + "\n" for record in records[9:])
    results = [
        Results({name: text.encode()}) for name, text in (("a.json", array), ("b.json", pretty), ("c.jsonl", lines))
    ]
    joined = join(settings, "sorted_concat", results, {"by": ["n"]})["sorted.jsonl"]
    assert [json.loads(line)["n"] for line in joined.splitlines()] == expected
    declared = join(settings, "sorted_concat", results[:1], {"by": ["n:text"]})["sorted.jsonl"]
    assert [json.loads(line)["n"] for line in declared.splitlines()] == sorted(values[:5], key=json.dumps)
    with pytest.raises(EngineError, match="after item 0 is no JSON"):
        join(settings, "sorted_concat", [Results({"a.json": b'[{"n": 1}, {"n" 2}]'})], {"by": ["n"]})
