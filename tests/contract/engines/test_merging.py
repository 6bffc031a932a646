"""merge_keys beside pandas, and what parquet refuses."""

from __future__ import annotations

import csv
import io
import json
import random
from dataclasses import replace
from typing import Any, Literal

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.support.engine_harness import Results, join
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings

LEFT = pd.DataFrame({"k": ["b", "a", "c"], "n": ["1", "2", "3"], "x": ["p", "q", "r"]})
RIGHT = pd.DataFrame({"n": ["2", "1", "9"], "k": ["a", "b", "z"], "y": ["u", "v", "w"]})


def _results(*frames: pd.DataFrame) -> list[Results]:
    return [Results({"t.csv": frame.to_csv(index=False).encode()}) for frame in frames]


@pytest.mark.parametrize(("how", "pandas_how"), [("inner", "inner"), ("left", "left"), ("full", "outer")])
def test_joins_are_those_of_pandas(settings: Settings, how: str, pandas_how: Literal["inner", "left", "outer"]) -> None:
    found = join(settings, "merge_keys", _results(LEFT, RIGHT), {"on": ["k", "n"], "how": how})
    merged = pd.read_csv(io.BytesIO(found["merged.csv"]), dtype=str).sort_values(["k", "n"], ignore_index=True)
    expected = LEFT.merge(RIGHT, how=pandas_how, on=["k", "n"]).sort_values(["k", "n"], ignore_index=True)
    pd.testing.assert_frame_equal(merged[expected.columns.to_list()], expected, check_dtype=False)


def test_all_keeps_rows_side_by_side(settings: Settings) -> None:
    results = [Results({"t.csv": b"k,v\na,1\nb,2\n"}), Results({"t.csv": b"k,v\nb,3\na,1\n"})]
    found = join(settings, "merge_keys", results, {"on": ["k"], "on_conflict": "all", "name": "m.tsv"})
    assert found["m.tsv"] == b"k\tv\na\t1\na\t1\nb\t2\nb\t3\n"


VALUES = ["", "", "1", "1.0", "ä", 'say "x"', "a,b", "two\nlines", "\r\n", "\x00", "\\", "\U0001f600", " "]
JSON_VALUES = [*VALUES, None, 1, 1.0, True, 2**70, 0.5, [1, "ü"], {"b": None, "a": 2}]


def _expected(parts: list[list[dict[str, Any]]], keys: list[str], kind: str, conflicts: str) -> list[dict[str, Any]]:
    groups: dict[tuple[str, ...], list[tuple[int, dict[str, Any]]]] = {}
    for number, rows in enumerate(parts):
        for row in rows:
            key = tuple(value if isinstance(value := row[name], str) else json.dumps(value) for name in keys)
            groups.setdefault(key, []).append((number, row))
    found = []
    for key in sorted(groups):
        there = {number for number, _ in groups[key]}
        if (kind == "left" and 0 not in there) or (kind == "inner" and len(there) < len(parts)):
            continue
        if conflicts == "all":
            found += [row for _, row in groups[key]]
            continue
        rows = [{name: value for name, value in row.items() if value not in (None, "")} for _, row in groups[key]]
        one: dict[str, Any] = {}
        for row in rows if conflicts == "last" else reversed(rows):
            one.update(row)
        found.append(one)
    return found


@pytest.mark.parametrize("memory", [30_000, 512 << 20])
@pytest.mark.parametrize("seed", range(10))
def test_any_tables_are_joined_as_their_rows_say(settings: Settings, seed: int, memory: int) -> None:
    source = random.Random(seed)
    keys = source.choice([["k"], ["k", "n"]])
    kind, conflicts = source.choice(["full", "left", "inner"]), source.choice(["first", "last", "all"])
    parts, results = [], []
    for _ in range(source.randrange(1, 6)):
        form = source.choice(["csv", "tsv", "jsonl"])
        names = ["k", "n", *source.sample("abcd", source.randrange(4))]
        source.shuffle(names)
        values = JSON_VALUES if form == "jsonl" else VALUES
        rows = [{name: source.choice(values) for name in names} for _ in range(source.randrange(1, 120))]
        for row in rows:
            row["k"] = str(source.randrange(40))
            if form == "jsonl":
                row.pop(source.choice("abcd"), None)
        if source.random() < 0.5:
            rows.sort(key=lambda row: [str(row[name]) for name in keys])
        parts.append(rows)
        results.append(Results({f"t.{form}": _table(rows, names, form)}))
    params = {"on": keys, "how": kind, "on_conflict": conflicts}
    expected = _expected(parts, keys, kind, conflicts)
    settings = replace(settings, engine_memory_bytes=memory)
    (lines,) = join(settings, "merge_keys", results, {**params, "name": "m.jsonl"}).values()
    assert [json.loads(line) for line in lines.split(b"\n")[:-1]] == expected
    (table,) = join(settings, "merge_keys", results, {**params, "name": "m.tsv"}).values()
    header, *found = csv.reader(io.StringIO(table.decode(), newline=""), delimiter="\t")
    assert found == [["" if row.get(name) is None else str(row[name]) for name in header] for row in expected]


def _table(rows: list[dict[str, Any]], names: list[str], form: str) -> bytes:
    if form == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, delimiter="," if form == "csv" else "\t")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_one_and_one_point_zero_are_no_conflict(settings: Settings) -> None:
    parts = [b'{"k": "a", "v": 1}\n', b'{"k": "a", "v": 1.0}\n', b'{"k": "a", "v": "1"}\n']
    results = [Results({"t.jsonl": part}) for part in parts]
    assert join(settings, "merge_keys", results[:2], {"on": ["k"]}) == {"merged.csv": b"k,v\na,1\n"}
    with pytest.raises(EngineError, match=r"k=a: 'v' is 1 in chunk 0, .* and '1' in chunk 2"):
        join(settings, "merge_keys", results, {"on": ["k"]})


def test_a_row_with_more_values_than_the_header_is_refused(settings: Settings) -> None:
    with pytest.raises(EngineError, match=r"chunk 0, 't.csv': the record at byte 8 \(line 3\) has more values"):
        join(settings, "merge_keys", [Results({"t.csv": b"k,v\n1,2\n2,3,4\n"})], {"on": ["k"]})


def test_an_ending_that_cannot_be_written_is_refused(settings: Settings) -> None:
    with pytest.raises(JobSpecError, match=r"\.csv"):
        join(settings, "merge_keys", _results(LEFT), {"on": ["k"], "name": "m.xlsx"})


def test_schemas_that_must_be_the_same(settings: Settings) -> None:
    with pytest.raises(EngineError, match=r"chunk 1, 't.csv': has the columns"):
        join(settings, "parquet", _results(LEFT, RIGHT), {"schemas": "same"})


def test_row_groups_and_order(settings: Settings) -> None:
    frames = [pd.DataFrame({"n": range(start, start + 5000)}) for start in (0, 5000)]
    found = join(settings, "parquet", _results(*frames), {"row_group_rows": 4096})
    file = pq.ParquetFile(io.BytesIO(found["data.parquet"]))
    assert file.metadata.num_row_groups == 3
    assert file.read().column("n").to_pylist() == list(range(10_000))


def test_what_only_the_last_rows_have_is_not_lost(settings: Settings) -> None:
    """Types and fields are those of all rows, not of the first."""
    rows = pd.DataFrame({"n": [1] * 30_000, "none": [""] * 30_000})
    last = pd.DataFrame({"n": [1.5], "none": ["2026-01-02"]})
    text = rows.to_csv(index=False) + last.to_csv(index=False, header=False)
    lines = rows[["n"]].to_json(orient="records", lines=True) + '{"n": 2.5, "late": "x"}\n'
    results = [Results({"t.csv": text.encode()}), Results({"t.jsonl": lines.encode()})]
    found = join(settings, "parquet", results, {"datasets": "one"})
    table = pq.read_table(io.BytesIO(found["data.parquet"])).to_pydict()
    assert sum(table["n"]) == pytest.approx(60_004)
    assert [str(day) for day in table["none"] if day] == ["2026-01-02"]
    assert table["late"] == [None] * 60_001 + ["x"]


def test_columns_of_any_name_and_values_of_any_form(settings: Settings) -> None:
    frame = pd.DataFrame(
        {"it's": ["a", 'say "x"', "two\r\nlines"], 'a "b", ü': [1, 2, 3], "day": ["13/01/2026", "02/03/2026", ""]}
    )
    found = join(settings, "parquet", [Results({"t.csv": frame.to_csv(index=False, lineterminator="\r\n").encode()})])
    table = pq.read_table(io.BytesIO(found["data.parquet"])).to_pydict()
    assert table["it's"] == frame["it's"].to_list()
    assert table['a "b", ü'] == [1, 2, 3]
    # Day and month could be swapped: it stays text.
    assert table["day"] == ["13/01/2026", "02/03/2026", None]
