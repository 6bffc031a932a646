"""merge_keys and parquet."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Mapping

import pyarrow.parquet as pq

from tests.contract.engines.cases import Join
from tests.support.engine_harness import Results

SCORES = b'id,city,score\n01,K\xc3\xb6ln,1.50\n02,"a, b",2\n'
AGES = b"age,id\n7,02\n,03\n"


def _scores_and_ages() -> list[Results]:
    return [Results({"s.csv": SCORES}), Results({}), Results({"a.bin": AGES})]


def _rows(found: Mapping[str, bytes]) -> list[list[str]]:
    return list(csv.reader(io.StringIO(found["merged.csv"].decode(), newline="")))


def _merged(found: Mapping[str, bytes]) -> None:
    # Text stays text: 01 and 1.50 are what they were.
    expected = [
        ["id", "city", "score", "age"],
        ["01", "Köln", "1.50", ""],
        ["02", "a, b", "2", "7"],
        ["03", "", "", ""],
    ]
    assert _rows(found) == expected


def _contradiction() -> list[Results]:
    return [*_scores_and_ages(), Results({"s.csv": b"id,score\n02,3\n"})]


def _large(factor: int) -> list[Results]:
    source = random.Random(factor)
    rows = [b"%d,%s\n" % (source.randrange(10**9), b"x" * 400) for _ in range(20_000)]
    return [Results({"t.csv": b"id,note\n" + b"".join(rows)}) for _ in range(factor)]


def _spilling(factor: int) -> list[Results]:
    """More than DuckDB's memory, whatever the factor."""
    return [Results({f"{n}.csv": result.files["t.csv"]}) for n in range(8) for result in _large(factor)]


def _tables() -> list[Results]:
    return [
        Results({"a.csv": b"id,day,country\n1,2026-01-02,DE\n2,2026-01-03,FR\n"}),
        Results({"b.jsonl": b'{"id": 3.5, "country": "DE", "more": "x"}\n'}),
    ]


def _unified(found: Mapping[str, bytes]) -> None:
    table = pq.read_table(io.BytesIO(found["data.parquet"])).to_pydict()
    assert table["id"] == [1.0, 2.0, 3.5]
    assert [str(day) for day in table["day"]] == ["2026-01-02", "2026-01-03", "None"]
    assert table["more"] == [None, None, "x"]


def _in_folders(found: Mapping[str, bytes]) -> None:
    assert sorted(found) == ["country=DE/p.parquet", "country=FR/p.parquet"]
    table = pq.ParquetFile(io.BytesIO(found["country=DE/p.parquet"])).read().to_pydict()
    assert table["id"] == [1.0, 3.5]
    assert "country" not in table


CASES = [
    Join(
        "merge_keys",
        {"on": ["id"]},
        _scores_and_ages,
        _merged,
        bad={"on": []},
        corrupt=_contradiction,
        says=r"id=02: 'score' is '2' in chunk 0, 's.csv' and '3' in chunk 3, 's.csv'",
    ),
    Join(
        "merge_keys",
        {"on": ["id"], "on_conflict": "last"},
        _contradiction,
        lambda found: _same([row[2] for row in _rows(found)], ["score", "1.50", "3", ""]),
        bad={"on_conflict": "sum"},
        corrupt=lambda: [Results({"s.csv": b"key\n1\n"})],
        says="chunk 0, 's.csv': there is no key column 'id'",
        # As many as are merged at once, whatever the factor.
        grow=lambda factor: _large(4 * factor),
    ),
    Join(
        "parquet",
        {"datasets": "one"},
        _tables,
        _unified,
        bad={"row_group_rows": 1},
        corrupt=lambda: [Results({"a.parquet": b"PAR1 and no more"})],
        says="chunk 0, 'a.parquet': cannot be read as Parquet",
        grow=_spilling,
    ),
    Join(
        "parquet",
        {"datasets": "one", "partition_by": ["country"], "name": "p.parquet"},
        _tables,
        _in_folders,
        bad={"compression": "rar"},
        corrupt=lambda: [Results({"a.csv": b"id\n1\n"})],
        says="no column 'country' to partition by",
    ),
]


def _same(found: object, expected: object) -> None:
    assert found == expected
