"""`parquet` does not guess: types over all results, whatever the number of chunks. Truth: Python's csv, and pyarrow."""

from __future__ import annotations

import csv
import datetime
import decimal
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.engine_harness import Results, join
from triptych.errors import EngineError
from triptych.settings import Settings


def _table(settings: Settings, results: list[Results], **params: Any) -> pa.Table:
    (data,) = join(settings, "parquet", results, params).values()
    return pq.read_table(io.BytesIO(data))


def _in_chunks(text: str, rows: int, name: str = "r.csv") -> list[Results]:
    header, *lines = text.splitlines(keepends=True)
    groups = [lines[start : start + rows] for start in range(0, len(lines), rows)]
    return [Results({name: "".join([header, *group]).encode()}) for group in groups]


BIG = 18446744073709551617
COLUMNS: dict[str, tuple[list[str], pa.DataType]] = {
    "long": ([str(BIG), str(BIG + 2), "-1", "0"], pa.decimal128(38, 0)),
    "int64": (["9223372036854775807", "-9223372036854775808", "", "0"], pa.int64()),
    "longer": (["9" * 39, "1", "2", "3"], pa.string()),
    "mixed": ([str(2**53 + 1), "1.5", "2", "3"], pa.string()),
    "hash": (["12e45678", "1", "2", "3"], pa.string()),
    "hex": (["1", "2", "0x1f", "12"], pa.string()),
    "short_e": (["1e5", "2E7", "3", "12"], pa.string()),
    "zip": (["01067", "10115", "80331", "50667"], pa.string()),
    "us": (["01/02/2026", "03/04/2026", "02/13/2026", "04/25/2026"], pa.string()),
    "german": (["01.02.2026", "03.04.2026", "13.02.2026", "25.04.2026"], pa.string()),
    "day": (["2026-01-02", "", "2026-02-28", "1900-01-01"], pa.date32()),
    "no_day": (["2026-01-02", "2026-02-30", "2026-02-28", "1900-01-01"], pa.string()),
    "late": (["1", "2", "3", "x"], pa.string()),
    "float": (["1", "2.5", "-1e-05", "1.5E+300"], pa.float64()),
    "nan": (["nan", "2.5", "inf", "1"], pa.float64()),
    "flag": (["true", "False", "TRUE", ""], pa.bool_()),
    "empty": (["", "", "", ""], pa.string()),
    "at": (["2026-01-02 10:00", "2026-01-02T10:00:00.5", "2026-01-02", ""], pa.timestamp("us")),
    "nano": (["2026-01-02T10:00:00.123456789", "2026-01-02T10:00:00", "", ""], pa.timestamp("ns")),
    "zone": (["2026-01-02T10:00:00+01:00", "2026-01-02T10:00Z", "", ""], pa.timestamp("us", "UTC")),
    "zone_or_none": (["2026-01-02T10:00:00+01:00", "2026-01-02T10:00", "", ""], pa.string()),
    "clock": (["10:00:00", "11:00:00", "25:00:00", ""], pa.string()),
}


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_types_are_those_of_all_results(settings: Settings, rows: int) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([list(COLUMNS), *zip(*(values for values, _ in COLUMNS.values()), strict=True)])
    table = _table(settings, _in_chunks(text.getvalue(), rows))
    assert {field.name: field.type for field in table.schema} == {name: dtype for name, (_, dtype) in COLUMNS.items()}
    found = table.to_pydict()
    for name, (values, dtype) in COLUMNS.items():
        if pa.types.is_string(dtype):
            assert found[name] == [value or None for value in values], name
    assert found["long"] == [decimal.Decimal(value) for value in COLUMNS["long"][0]]
    assert found["int64"] == [2**63 - 1, -(2**63), None, 0]
    assert found["float"] == [1.0, 2.5, -1e-05, 1.5e300]
    assert found["flag"] == [True, False, True, None]
    assert found["zone"][0] == datetime.datetime(2026, 1, 2, 9, tzinfo=datetime.UTC)


def test_a_decimal_comma_is_found_where_it_cannot_be_anything_else(settings: Settings) -> None:
    text = "id;city;price;thousand\n1;Köln;1,5;1,500\n2;Bonn;2,25;2,000\n3;Köln;3;1\n"
    table = _table(settings, _in_chunks(text, 2))
    assert table.to_pydict() == {
        "id": [1, 2, 3],
        "city": ["Köln", "Bonn", "Köln"],
        "price": [1.5, 2.25, 3.0],
        "thousand": ["1,500", "2,000", "1"],
    }
    declared = _table(settings, _in_chunks(text, 1), dialect={"delimiter": ";", "decimal": ","})
    assert declared.column("thousand").to_pylist() == [1.5, 2.0, 1.0]


def test_rows_that_do_not_fit_the_header_are_named(settings: Settings) -> None:
    results = [Results({"r.csv": b"a,b\n1,2\n"}), Results({"r.csv": b"a,b\n1,x\n1,x,10\n2,y,20\n"})]
    with pytest.raises(EngineError, match=r"chunk 1, 'r\.csv': the record at byte 8 \(line 3\) has more values"):
        _table(settings, results)


def test_declared_types_and_text_only(settings: Settings) -> None:
    results = _in_chunks("id,price,n\n007,1.10,1\n008,2.25,2\n", 1)
    table = _table(settings, results, types={"id": "integer", "price": "decimal(9,2)", "n": "text"})
    assert table.schema.types == [pa.int64(), pa.decimal128(9, 2), pa.string()]
    assert table.column("price").to_pylist() == [decimal.Decimal("1.10"), decimal.Decimal("2.25")]
    assert set(_table(settings, results, text_only=True).schema.types) == {pa.string()}
    wrong = [*results, Results({"r.csv": b"id,price,n\n0x1f,3,4\n"})]
    with pytest.raises(
        EngineError, match=r"chunk 2, 'r\.csv': the record at byte 11 \(line 2\): '0x1f' in 'id' is no integer"
    ):
        _table(settings, wrong, types={"id": "integer"})


def test_json_numbers_are_exact_and_texts_stay_texts(settings: Settings) -> None:
    lines = [
        f'{{"id": {BIG + n}, "d": "01/02/2026", "iso": "2026-01-02", "x": {{"t": "2026-01-02"}}, "f": 1.5}}\n'
        for n in (0, 2)
    ]
    table = _table(settings, [Results({"r.jsonl": line.encode()}) for line in lines])
    assert table.column("id").to_pylist() == [decimal.Decimal(BIG), decimal.Decimal(BIG + 2)]
    assert table.to_pydict()["x"] == [{"t": "2026-01-02"}] * 2
    assert table.to_pydict()["d"] == ["01/02/2026"] * 2
    with pytest.raises(
        EngineError, match=r"chunk 0, 'r\.jsonl': cannot be read as a table: line 2: is no JSON"
    ) as told:
        _table(settings, [Results({"r.jsonl": b'{"a": 1}\n{"a": \n'})])
    assert "/" not in str(told.value).replace("https://", "")


def test_parquet_is_kept_as_it_is(settings: Settings) -> None:
    schema = pa.schema(
        [
            pa.field("id", pa.int32(), nullable=False),
            pa.field("at", pa.timestamp("ms", "Europe/Berlin")),
            pa.field("took", pa.duration("us")),
            pa.field("tags", pa.list_(pa.struct([("k", pa.string()), ("v", pa.int8())]))),
        ]
    )
    rows: list[dict[str, Any]] = [
        {"id": 1, "at": 0, "took": 5, "tags": [{"k": "a", "v": 1}]},
        {"id": 2, "at": None, "took": None, "tags": None},
    ]
    parts = [pa.table({name: [row[name]] for name in schema.names}, schema=schema) for row in rows]
    data = []
    for part in parts:
        out = io.BytesIO()
        pq.write_table(part, out)
        data.append(out.getvalue())
    table = _table(settings, [Results({"r.csv": each}) for each in data])
    assert table.schema.equals(schema)
    assert table.equals(pa.concat_tables(parts))


def test_results_of_several_formats_are_one_table(settings: Settings) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"n": pa.array([1], pa.int64()), "w": ["a"]}), out)
    results = [
        Results({"a.csv": b"n,w\nx,2\n"}),
        Results({"b.parquet": out.getvalue()}),
        Results({"c.jsonl": b'{"w": 1.5}\n'}),
    ]
    table = _table(settings, results)
    assert table.to_pydict() == {"n": ["x", "1", None], "w": ["2", "a", "1.5"]}
