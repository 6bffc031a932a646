"""group_by: exact whatever the format and the cut. Truth: Python's fractions, statistics and sets, and sqlite3."""

from __future__ import annotations

import csv
import io
import json
import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.engine_harness import Results, join
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings

Row = Mapping[str, str]
NAMES = ("k", "day", "v")
AGGREGATES = [
    "count", "v:count", "v:sum", "v:mean", "v:min", "v:max", "v:distinct", "v:top2", "day:min:text", "day:top3:text",
]  # fmt: skip


def _rows(draw: random.Random, count: int) -> list[Row]:
    values: list[Callable[[], str]] = [
        lambda: str(draw.randrange(-(10**25), 10**25)),
        lambda: f"{draw.randrange(10**6)}.{draw.randrange(10**20):020}",
        lambda: f"{draw.uniform(-1, 1)!r}",
        lambda: "",
        lambda: str(draw.randrange(3)),
    ]
    return [
        {"k": draw.choice('abcdefgü,"'), "day": f"2026-0{draw.randrange(1, 9)}-01", "v": draw.choice(values)()}
        for _ in range(count)
    ]


def _csv(rows: Sequence[Row], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, NAMES, delimiter=delimiter)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def _json_lines(rows: Sequence[Row]) -> bytes:
    lines = [f'{{"k": {json.dumps(row["k"])}, "day": "{row["day"]}", "v": {row["v"] or "null"}}}\n' for row in rows]
    return "".join(lines).encode()


def _parquet(rows: Sequence[Row]) -> bytes:
    columns = {
        "k": pa.array([row["k"] for row in rows]),
        "day": pa.array([date.fromisoformat(row["day"]) for row in rows]),
        "v": pa.array([Decimal(row["v"]) if row["v"] else None for row in rows], pa.decimal256(60, 25)),
    }
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def _expected(rows: Sequence[Row]) -> list[dict[str, Any]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["k"], []).append(row)
    found = []
    for key in sorted(groups, key=str.encode):
        values = [Fraction(row["v"]) for row in groups[key] if row["v"]]
        days = sorted((row["day"] for row in groups[key]), reverse=True)
        found.append(
            {
                "k": key,
                "count": len(groups[key]),
                "v_count": len(values),
                "v_sum": sum(values) if values else None,
                "v_mean": float(sum(values) / len(values)) if values else None,
                "v_min": min(values, default=None),
                "v_max": max(values, default=None),
                "v_top2": sorted(values, reverse=True)[:2],
                "day_min": days[-1],
                "day_top3": days[:3],
            }
        )
    return found


def _exactly(line: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line, parse_float=Fraction, parse_int=Fraction)
    return {name: float(value) if name == "v_mean" and value is not None else value for name, value in found.items()}


@pytest.mark.parametrize(("name", "write"), [("r.csv", _csv), ("r.jsonl", _json_lines), ("r.parquet", _parquet)])
@pytest.mark.parametrize("memory", [30_000, 512 << 20])
def test_groups_are_exact_however_the_rows_were_cut(
    settings: Settings, name: str, write: Callable[[Sequence[Row]], bytes], memory: int
) -> None:
    draw = random.Random(memory)
    rows = _rows(draw, 700)
    settings = replace(settings, engine_memory_bytes=memory) if name != "r.parquet" else settings
    cuts = [sorted(draw.sample(range(1, len(rows)), parts - 1)) for parts in (1, 4)]
    outputs = []
    for cut in cuts:
        parts = [rows[start:end] for start, end in zip([0, *cut], [*cut, len(rows)], strict=True)]
        draw.shuffle(parts)
        results = [Results({name: write(part)}) for part in parts]
        params = {"by": ["k"], "aggregates": AGGREGATES, "name": "g.jsonl"}
        outputs.append(join(settings, "group_by", results, params)["g.jsonl"])
    assert outputs[0] == outputs[1]
    found = [_exactly(line) for line in outputs[0].splitlines()]
    assert [{key: value for key, value in each.items() if key != "v_distinct"} for each in found] == _expected(rows)
    written = {key: {row["v"] for row in rows if row["k"] == key and row["v"]} for key in {row["k"] for row in rows}}
    if name != "r.parquet":
        assert {each["k"]: each["v_distinct"] for each in found} == {key: len(each) for key, each in written.items()}


def test_it_is_what_sqlite_says(settings: Settings) -> None:
    draw = random.Random(4)
    rows = [(draw.choice("abc"), draw.randrange(5), draw.randrange(-9, 9)) for _ in range(3000)]
    with sqlite3.connect(":memory:") as data:
        data.execute("CREATE TABLE t (a TEXT, b INTEGER, n INTEGER)")
        data.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        query = "SELECT a, b, count(*), sum(n), min(n), max(n), count(DISTINCT n), avg(n) FROM t GROUP BY a, b"
        expected = [tuple(map(str, row[:-1])) + row[-1:] for row in data.execute(f"{query} ORDER BY a, b")]
    data.close()
    parts = [rows[:1000], rows[1000:1001], rows[1001:]]
    tables = [b"a\tb\tn\n" + b"".join(b"%b\t%d\t%d\n" % (a.encode(), b, n) for a, b, n in part) for part in parts]
    asked = ["count", "n:sum", "n:min", "n:max", "n:distinct", "n:mean"]
    found = join(
        settings, "group_by", [Results({"t.tsv": each}) for each in tables], {"by": ["a", "b"], "aggregates": asked}
    )
    lines = list(csv.reader(io.StringIO(found["grouped.csv"].decode())))[1:]
    assert [(*line[:-1], float(line[-1])) for line in lines] == expected


def _typed(settings: Settings, results: Sequence[Results], *aggregates: str, by: str = "k") -> pa.Table:
    params = {"by": [by], "aggregates": list(aggregates), "name": "g.parquet"}
    return pq.read_table(io.BytesIO(join(settings, "group_by", results, params)["g.parquet"]))


def test_parquet_holds_sums_exactly(settings: Settings) -> None:
    rows = [{"k": "a", "day": "", "v": "9223372036854775807"}, {"k": "b", "day": "", "v": "0.10"}]
    table = _typed(settings, [Results({"r.csv": _csv(rows)})] * 2, "v:sum", "v:count", "v:top1", "v:mean")
    assert table.schema.types == [
        pa.string(),
        pa.decimal128(38, 1),
        pa.int64(),
        pa.list_(pa.decimal128(38, 1)),
        pa.float64(),
    ]
    assert table["v_sum"].to_pylist() == [Decimal(2**64 - 2), Decimal("0.2")]
    assert table["v_top1"].to_pylist() == [[Decimal(2**63 - 1)], [Decimal("0.1")]]
    small = _typed(settings, [Results({"r.jsonl": b'{"k": 7, "v": 1}\n{"k": 8, "v": null}\n'})], "v:sum")
    assert small.to_pydict() == {"k": [7, 8], "v_sum": [1, None]}
    huge = _typed(settings, [Results({"r.csv": b"k,v\na,%s\n" % (b"9" * 90)})], "v:sum")
    assert huge["v_sum"].to_pylist() == ["9" * 90]


def test_floats_of_parquet_stay_floats(settings: Settings) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"k": [1, 1, 1], "v": [0.1, 0.2, 1e300]}), out)
    table = _typed(
        settings, [Results({"r.parquet": out.getvalue()}), Results({"r.parquet": out.getvalue()})], "v:sum", "v:min"
    )
    assert table.to_pydict() == {"k": [1], "v_sum": [2e300], "v_min": [0.1]}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"r.csv": b"k,v\na,0x1f\n"}, r"line 2\): '0x1f' in 'v' is no number"),
        ({"r.csv": b"k,v\na,nan\n"}, "'nan' in 'v' is no number"),
        ({"r.csv": b"k,v\na,1e999\n"}, "'1e999' in 'v' is no number, or has more than 300 digits"),
        ({"r.csv": b"k,w\na,1\n"}, "there is no column 'v'; the header has k, w"),
        ({"r.jsonl": b'{"k": 1, "v": 1}\n{"k": 1, "v": true}\n'}, "line 2: 'true' in 'v' is no number"),
        ({"r.jsonl": b'{"k": 1, "w": 1}\n'}, "no record has a field 'v'"),
        ({"r.jsonl": b'{"k": 1, "v": 1}\n[1]\n'}, "line 2: is no JSON object"),
        ({"r.parquet": b"PAR1"}, "cannot be read as Parquet"),
    ],
)
def test_what_is_no_number_is_named(settings: Settings, files: Mapping[str, bytes], says: str) -> None:
    (name,) = files
    with pytest.raises(EngineError, match=f"chunk 1, '{name}': .*{says}"):
        join(settings, "group_by", [Results({}), Results(files)], {"by": ["k"], "aggregates": ["v:sum"]})


def test_floats_that_are_no_number_are_named(settings: Settings) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"k": [1, 1], "v": [0.5, float("nan")]}), out)
    with pytest.raises(EngineError, match=r"chunk 0, 'r.parquet': row 2: 'nan' in 'v' is no number"):
        join(settings, "group_by", [Results({"r.parquet": out.getvalue()})], {"by": ["k"], "aggregates": ["v:sum"]})


def test_keys_of_json_are_json_in_csv(settings: Settings) -> None:
    lines = b'{"k": {"a": [1, "x"]}}\n{"k": true}\n{"k": "true"}\n{"k": 1.50}\n{}\n'
    found = join(settings, "group_by", [Results({"r.jsonl": lines})], {"by": ["k"]})["grouped.csv"].decode()
    rows = list(csv.reader(io.StringIO(found)))[1:]
    assert rows == [["1.50", "1"], ["", "1"], ["true", "1"], ['{"a": [1, "x"]}', "1"], ["true", "1"]]


def test_one_dataset_is_grouped_of_several(settings: Settings) -> None:
    results = [Results({"fact.csv": b"k\na\n", "part.csv": b"other\n1\n"}), Results({"fact.csv": b"k\na\n"})]
    found = join(settings, "group_by", results, {"by": ["k"], "results": "fact.csv"})
    assert found == {"grouped.csv": b"k,count\na,2\n"}
    with pytest.raises(EngineError, match=r"no result is called 'facts.csv'; there are 'fact.csv', 'part.csv'"):
        join(settings, "group_by", results, {"by": ["k"], "results": "facts.csv"})


def test_decimal_commas_and_empty_keys(settings: Settings) -> None:
    table = b"k;v\n;1,5\na;2\n;3\n"
    found = join(
        settings,
        "group_by",
        [Results({"r.csv": table})],
        {"by": ["k"], "aggregates": ["v:sum"], "dialect": {"decimal": ","}},
    )
    assert found == {"grouped.csv": b"k,v_sum\n,4.5\na,2\n"}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"name": "g.xlsx"}, "must end in one of .csv"),
        ({"aggregates": ["v:min", "v:min:text"]}, "two columns of the output would be called 'v_min'"),
        ({"aggregates": ["v:sum:text"]}, "aggregates"),
    ],
)
def test_parameters_that_cannot_be(settings: Settings, params: Mapping[str, Any], says: str) -> None:
    with pytest.raises(JobSpecError, match=says):
        join(settings, "group_by", [Results({"r.csv": b"k,v\na,1\n"})], {"by": ["k"], **params})


def test_a_chunk_whose_values_are_all_null_is_one_without_values(settings: Settings) -> None:
    """As in a log of which nobody had a name for a while."""
    lines = (b'{"k": "a", "v": null}\n{"k": "b", "v": null}\n', b'{"k": "a", "v": 2}\n')
    params = {"by": ["k"], "aggregates": ["v:sum", "v:distinct"]}
    found = join(settings, "group_by", [Results({"r.jsonl": each}) for each in lines], params)
    assert list(csv.reader(io.StringIO(found["grouped.csv"].decode())))[1:] == [["a", "2", "1"], ["b", "", "0"]]
