"""Feather (Arrow IPC) read as a table wherever Parquet is; pyarrow's and pandas' own readers are the truth."""

from __future__ import annotations

import io
import json
import random
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from tests.support.engine_harness import Results, join, left_behind, split
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

DAYS = [1_767_225_600_000 + day * 86_400_000 for day in range(12)]
TABLE = pa.table(
    {
        "id": pa.array(range(12), pa.int16()),
        "land": pa.array(["DE", "FR", None] * 4).dictionary_encode(),
        "when": pa.array(
            [1_767_225_600_000 + day * 86_400_000 for day in range(12)], pa.timestamp("ms", "Europe/Rome")
        ),
        "tags": pa.array([["a"], [], None] * 4),
        "price": pa.array([n / 4 for n in range(12)]),
    }
)


def _feather(folder: Path, table: pa.Table = TABLE, name: str = "t.feather", **options: Any) -> Path:
    path = folder / name
    pyarrow.feather.write_feather(table, path, **options)
    return path


@pytest.mark.parametrize("compression", ["lz4", "zstd", "uncompressed"])
def test_rows_keep_their_types(settings: Settings, tmp_path: Path, compression: str) -> None:
    path = _feather(tmp_path, compression=compression, chunksize=5)
    pieces = split(settings, "rows", [path], {"items_per_chunk": 7})
    tables = [pq.read_table(pa.BufferReader(piece.data)) for piece in pieces]
    assert [table.num_rows for table in tables] == [7, 5]
    assert pa.concat_tables(tables).equals(pyarrow.feather.read_table(path))
    assert [(piece.name, piece.metadata["first_row"]) for piece in pieces] == [
        ("t.feather_000000000.parquet", 0),
        ("t.feather_000000007.parquet", 7),
    ]
    assert left_behind(settings) == []


def test_keys_and_dates_whatever_the_name(settings: Settings, tmp_path: Path) -> None:
    path = _feather(tmp_path, name="noname")
    pieces = split(settings, "keys", [path], {"columns": ["land"]})
    found = {piece.metadata["key"]["land"]: pd.read_parquet(io.BytesIO(piece.data))["id"].tolist() for piece in pieces}
    assert found == {"DE": [0, 3, 6, 9], "FR": [1, 4, 7, 10], None: [2, 5, 8, 11]}
    assert len(split(settings, "dates", [path], {"column": "when", "time_zone": "Europe/Rome"})) == 12


def test_joins_that_read_parquet_read_it(settings: Settings, tmp_path: Path) -> None:
    data = _feather(tmp_path).read_bytes()
    made = join(settings, "parquet", [Results({"t.feather": data})] * 2, {"name": "t.parquet"})
    assert pq.read_table(pa.BufferReader(made["t.parquet"])).equals(
        pa.concat_tables([TABLE, TABLE]).unify_dictionaries()
    )
    params = {"by": ["land"], "aggregates": ["price:sum"], "name": "g.jsonl"}
    grouped = join(settings, "group_by", [Results({"t.feather": data})], params)["g.jsonl"]
    sums = {row["land"]: row["price_sum"] for row in map(json.loads, grouped.splitlines())}
    assert sums == {None: 6.5, "DE": 4.5, "FR": 5.5}
    for engine in ("sorted_concat", "merge_keys", "reduce"):
        needed = {"sorted_concat": {"by": ["id"]}, "merge_keys": {"on": ["id"]}}.get(engine, {})
        with pytest.raises(EngineError, match=r"is an Arrow file, which Feather is too, and no text. Write it as"):
            join(settings, engine, [Results({"t.feather": data})], needed)


def test_an_empty_table_keeps_its_columns(settings: Settings, tmp_path: Path) -> None:
    (piece,) = split(settings, "rows", [_feather(tmp_path, TABLE.slice(0, 0))], {})
    assert pq.read_schema(pa.BufferReader(piece.data)).names == TABLE.column_names


def test_a_type_that_parquet_has_not_is_named(settings: Settings, tmp_path: Path) -> None:
    spans = pa.array([pa.MonthDayNano([1, 2, 3])])
    with pytest.raises(SourceError, match=r"t.feather: the column 'span' is of the type month_day_nano_interval"):
        split(settings, "rows", [_feather(tmp_path, pa.table({"id": [1], "span": spans}))], {})


def test_a_batch_beyond_the_memory_is_refused_before_it_is_read(settings: Settings, tmp_path: Path) -> None:
    """As it is, and by what it states to unpack to."""
    few = replace(settings, engine_memory_bytes=64 << 20)
    values = pa.table({"n": np.arange(3 << 20) % 4})
    path = _feather(tmp_path, values, compression="zstd", chunksize=len(values))
    assert path.stat().st_size < values.nbytes / 4
    with pytest.raises(SourceError, match=r"which is read whole, is longer than .* Write it in smaller batches"):
        split(few, "rows", [path], {})


def test_what_is_damaged_is_refused_in_our_words(settings: Settings, tmp_path: Path) -> None:
    path = _feather(tmp_path, compression="zstd", chunksize=5)
    whole = path.read_bytes()
    draw, said = random.Random(5), set()
    for _ in range(60):
        data = bytearray(whole)
        if draw.random() < 0.5:
            data = data[: draw.randrange(9, len(data))]
        else:
            at = draw.randrange(8, len(data) - 8)
            data[at : at + 4] = struct.pack("<I", draw.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF]))
        path.write_bytes(data)
        try:
            split(settings, "rows", [path], {})
        except SourceError as error:
            said.add(str(error).replace("Arrow file", ""))
        assert left_behind(settings) == []
    assert said
    assert not [text for text in said if "arrow" in text.lower() or str(settings.scratch) in text]
