"""merge_keys beside pandas, and what parquet refuses."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow.parquet as pq
import pytest

from engines.harness import Results, join
from triptych.errors import EngineError, JobSpecError
from triptych.settings import Settings

LEFT = pd.DataFrame({"k": ["b", "a", "c"], "n": ["1", "2", "3"], "x": ["p", "q", "r"]})
RIGHT = pd.DataFrame({"n": ["2", "1", "9"], "k": ["a", "b", "z"], "y": ["u", "v", "w"]})


def _results(*frames: pd.DataFrame) -> list[Results]:
    return [Results({"t.csv": frame.to_csv(index=False).encode()}) for frame in frames]


@pytest.mark.parametrize(("how", "pandas_how"), [("inner", "inner"), ("left", "left"), ("full", "outer")])
def test_joins_are_those_of_pandas(settings: Settings, how: str, pandas_how: str) -> None:
    found = join(settings, "merge_keys", _results(LEFT, RIGHT), {"keys": ["k", "n"], "join": how})
    merged = pd.read_csv(io.BytesIO(found["merged.csv"]), dtype=str).sort_values(["k", "n"], ignore_index=True)
    expected = LEFT.merge(RIGHT, how=pandas_how, on=["k", "n"]).sort_values(["k", "n"], ignore_index=True)  # type: ignore[call-overload]
    pd.testing.assert_frame_equal(merged[expected.columns.to_list()], expected, check_dtype=False)


def test_all_keeps_rows_side_by_side(settings: Settings) -> None:
    results = [Results({"t.csv": b"k,v\na,1\nb,2\n"}), Results({"t.csv": b"k,v\nb,3\na,1\n"})]
    found = join(settings, "merge_keys", results, {"keys": ["k"], "conflicts": "all", "name": "m.tsv"})
    assert found["m.tsv"] == b"k\tv\na\t1\na\t1\nb\t2\nb\t3\n"


def test_an_ending_that_cannot_be_written_is_refused(settings: Settings) -> None:
    with pytest.raises(JobSpecError, match=r"\.csv"):
        join(settings, "merge_keys", _results(LEFT), {"keys": ["k"], "name": "m.xlsx"})


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
    """DuckDB would take the types and fields of the first 20,480 rows."""
    rows = pd.DataFrame({"n": [1] * 30_000, "none": [""] * 30_000})
    last = pd.DataFrame({"n": [1.5], "none": ["2026-01-02"]})
    text = rows.to_csv(index=False) + last.to_csv(index=False, header=False)
    lines = rows[["n"]].to_json(orient="records", lines=True) + '{"n": 2.5, "late": "x"}\n'
    found = join(settings, "parquet", [Results({"t.csv": text.encode()}), Results({"t.jsonl": lines.encode()})])
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
    assert list(map(str, table["day"])) == ["2026-01-13", "2026-03-02", "None"]
