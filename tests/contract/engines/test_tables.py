"""keys and dates: many keys, time zones, formats, and what is dropped."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import resource
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.support.engine_harness import Piece, Results, join, split, untouched
from triptych.errors import EngineError, JobSpecError, SourceError
from triptych.settings import Settings

TIMES = ["2026-03-29T00:30:00+01:00", "2026-03-28T23:30:00Z", "2026-12-31 12:00", "1767225600", "1767225600000"]


def _dates(settings: Settings, tmp_path: Path, times: list[str], **params: Any) -> list[Piece]:
    path = tmp_path / "times.csv"
    path.write_text("at\n" + "".join(f"{time}\n" for time in times))
    return split(settings, "dates", [path], {"column": "at", **params})


@pytest.mark.parametrize(("zone", "first_day"), [("Europe/Berlin", "2026-03-29"), ("America/New_York", "2026-03-28")])
def test_days_begin_where_the_zone_says(settings: Settings, tmp_path: Path, zone: str, first_day: str) -> None:
    pieces = _dates(settings, tmp_path, TIMES, time_zone=zone)
    moments = [pd.Timestamp(time).tz_convert(zone) for time in TIMES[:2]]
    moments += [pd.Timestamp(TIMES[2]).tz_localize(zone)]
    moments += [pd.Timestamp(int(TIMES[3]), unit="s", tz="UTC").tz_convert(zone)] * 2
    truth: dict[str, int] = {}
    for moment in moments:
        truth[f"{moment:%Y-%m-%d}"] = truth.get(f"{moment:%Y-%m-%d}", 0) + 1
    assert {piece.metadata["period"]: piece.items for piece in pieces} == truth
    assert pieces[0].name == f"{first_day}.csv"


@pytest.mark.parametrize(
    ("unit", "labels"),
    [("week", ["2025-W01", "2026-W53"]), ("year", ["2024", "2027"]), ("hours", ["2024-12-30T18", "2027-01-01T00"])],
)
def test_other_periods(settings: Settings, tmp_path: Path, unit: str, labels: list[str]) -> None:
    pieces = _dates(settings, tmp_path, ["2024-12-30T23:00", "2027-01-01T05:59"], freq=unit, hours=6)
    assert [piece.metadata["period"] for piece in pieces] == labels


def test_declared_formats(settings: Settings, tmp_path: Path) -> None:
    times = ["24.12.2026", "12/25/2026"]
    pieces = _dates(settings, tmp_path, times, formats=["%d.%m.%Y", "%m/%d/%Y"])
    assert [piece.metadata["period"] for piece in pieces] == ["2026-12-24", "2026-12-25"]


def test_unparsable_times_go_where_the_user_says(settings: Settings, tmp_path: Path) -> None:
    times = ["2026-01-01", "soon", "", "2026-01-02"]
    with pytest.raises(SourceError, match=r"times\.csv: the record at byte 14 \(line 3\): 'soon' in 'at'"):
        _dates(settings, tmp_path, times)
    own = _dates(settings, tmp_path, times, on_unparsable="own_chunk")
    assert [(piece.name, piece.items) for piece in own] == [
        ("2026-01-01.csv", 1),
        ("unparsable.csv", 1),
        ("2026-01-02.csv", 1),
    ]
    dropped = _dates(settings, tmp_path, times, on_unparsable="drop")
    assert [piece.metadata.get("dropped") for piece in dropped] == [None, 1]


def test_a_zone_that_is_none(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(JobSpecError, match="time_zone"):
        _dates(settings, tmp_path, TIMES, time_zone="Mars/Olympus")


def test_many_keys_beyond_memory_with_few_open_files(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    rows = [f"k{n % 20_000},{n}\n" for n in range(60_000)]
    rows[30_000:30_000] = [f"large,{'x' * 200_000}\n"] * 30
    path.write_text("key,n\n" + "".join(rows))
    small = dataclasses.replace(settings, engine_memory_bytes=16 * 1024 * 1024)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 40, hard))
    try:
        pieces = split(small, "keys", [path], {"columns": ["key"]})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(pieces) == 20_001
    truth: dict[str, list[str]] = {}
    for row in rows:
        truth.setdefault(row.partition(",")[0], []).append(row)
    assert [piece.data.decode() for piece in pieces] == ["key,n\n" + "".join(group) for group in truth.values()]
    assert [piece.items for piece in pieces] == [len(group) for group in truth.values()]


def test_keys_of_any_parquet_type(settings: Settings, tmp_path: Path) -> None:
    values = [[1], None, [1], [2, 3]]
    columns = {"n": range(4), "list": values, "word": pd.Categorical(["a", None, "a", "b"]), "flag": [True, None] * 2}
    path = tmp_path / "t.parquet"
    pd.DataFrame(columns).to_parquet(path)
    for column, truth in (("list", [[0, 2], [1], [3]]), ("word", [[0, 2], [1], [3]]), ("flag", [[0, 2], [1, 3]])):
        pieces = split(settings, "keys", [path], {"columns": [column]})
        assert [pd.read_parquet(io.BytesIO(piece.data))["n"].tolist() for piece in pieces] == truth


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.jsonl", '{"key": 1}\n\n{"key": 2\n', r"t\.jsonl: the record at byte 12 \(line 3\) is no JSON"),
        ("t.jsonl", '{"key": 1}\n{"kex": 2}\n', r"t\.jsonl: the record at byte 11 \(line 2\) has no value 'key'"),
        ("t.csv", "key\na\n\udcff\n", r"t\.csv: the record at byte 6 \(line 3\): '\\xff' is no UTF-8"),
        ("t.jsonl", '{"key": "\udcff"}\n', r"t\.jsonl: .* JSON"),
    ],
)
def test_a_faulty_record_is_named_with_its_place(
    settings: Settings, tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text, errors="surrogateescape")
    with pytest.raises(SourceError, match=says):
        split(settings, "keys", [tmp_path / name], {"columns": ["key"]})


@pytest.mark.parametrize("raw", ['"a"', '"a ""b"""', 'a "b"', '"a,b"', '"two\nlines"', '""', "ä"])
def test_quotes_mean_what_the_csv_module_says(settings: Settings, tmp_path: Path, raw: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"key,n\n{raw},1\n")
    ((value, _),) = list(csv.reader(io.StringIO(path.read_text(), newline="")))[1:]
    (piece,) = split(settings, "keys", [path], {"columns": ["key"]})
    assert piece.metadata["key"] == {"key": value}
    found = join(settings, "merge_keys", untouched([piece], "r.csv"), {"on": ["key"], "name": "m.jsonl"})
    assert json.loads(found["m.jsonl"]) == ({"key": value} if value else {}) | {"n": "1"}


@pytest.mark.parametrize("raw", ['"a"b', '"a" '])
def test_quotes_that_are_not_right_are_refused_everywhere(settings: Settings, tmp_path: Path, raw: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"key,n\nx,1\n{raw},2\n")
    with pytest.raises(SourceError, match=r"t\.csv: the record at byte 10 \(line 3\): .* is not right in its quotes"):
        split(settings, "keys", [path], {"columns": ["key"]})
    results = [Results({"t.csv": path.read_bytes()})]
    for engine, params in (("sorted_concat", {"by": ["key"]}), ("merge_keys", {"on": ["key"]})):
        with pytest.raises(EngineError, match=r"chunk 0, 't\.csv': .* is not right in its quotes"):
            join(settings, engine, results, params)


def test_lines_of_white_space_are_no_records(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"key": 1}\n \t\n\n  {"key": 2}\n   \r\n')
    pieces = split(settings, "keys", [path], {"columns": ["key"]})
    assert [piece.data for piece in pieces] == [b'{"key": 1}\n', b'  {"key": 2}\n']


def test_json_values_are_text_as_json_writes_it(settings: Settings, tmp_path: Path) -> None:
    values = [1, "1", 1.5, True, None, "a\tb", 'q"', {"b": [1, 2]}, "é", 10**30, 1e5]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(json.dumps({"a": {"k": value}}) for value in values))
    pieces = split(settings, "keys", [path], {"columns": ["a.k"]})
    texts = [each if isinstance(each, str | None) else json.dumps(each) for each in values]
    assert [piece.metadata["key"]["a.k"] for piece in pieces] == list(dict.fromkeys(texts))


def test_split_by_key_and_merged_is_the_table(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("key,n\n" + "".join(f"k{n % 7},{n:03}\n" for n in range(100)))
    pieces = split(settings, "keys", [path], {"columns": ["key"]})
    found = join(settings, "sorted_concat", untouched(pieces, "r.csv"), {"by": ["n"]})
    assert found["sorted.csv"] == path.read_bytes()


def test_headers_that_differ_are_refused(settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    paths[0].write_text("key,n\n1,2\n")
    paths[1].write_text("n,key\n1,2\n")
    with pytest.raises(SourceError, match=r"b\.csv: its header"):
        split(settings, "keys", paths, {"columns": ["key"]})
    with pytest.raises(SourceError, match=r"a\.csv: there is no column 'k'"):
        split(settings, "keys", paths, {"columns": ["k"]})


@pytest.mark.parametrize(
    ("texts", "freq", "names"),
    [
        (["2025", "2026", "2026"], "year", ["2025", "2026"]),
        (["2025-11", "2026-01-02", "2026"], "year", ["2025", "2026"]),
        (["2025-11", "2025-12", "2025-11-30"], "month", ["2025-11", "2025-12"]),
        (["1795500428669794202", "1795500428669794"], "day", ["2026-11-24"]),
        (["2026-11-24 23:30:00 EST", "2026-11-24T00:30:00.123456789+08"], "day", ["2026-11-25", "2026-11-23"]),
    ],
)
def test_periods_of_bare_years_names_of_zones_and_long_fractions(
    settings: Settings, tmp_path: Path, texts: list[str], freq: str, names: list[str]
) -> None:
    pieces = _dates(settings, tmp_path, texts, freq=freq)
    assert [piece.metadata["period"] for piece in pieces] == names


@pytest.mark.parametrize(
    ("text", "freq"), [("2025", "day"), ("45000", "year"), ("45000.5", "day"), ("2025-11", "week")]
)
def test_years_and_days_of_a_spreadsheet_are_no_seconds_of_1970(
    settings: Settings, tmp_path: Path, text: str, freq: str
) -> None:
    with pytest.raises(SourceError, match=f"'{text}' in 'at' is no date or time"):
        _dates(settings, tmp_path, [text], freq=freq)


def test_no_value_is_not_the_text_none(settings: Settings, tmp_path: Path) -> None:
    """Of one column and of two, in Parquet and in JSON Lines."""
    values = ["None", None, "null", "", None, "None"]
    rows = [{"a": value, "n": number} for number, value in enumerate(values)]
    table, lines = tmp_path / "t.parquet", tmp_path / "t.jsonl"
    pd.DataFrame(rows).to_parquet(table)
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for path in (table, lines):
        pieces = split(settings, "keys", [path], {"columns": ["a"]})
        assert [piece.metadata["key"]["a"] for piece in pieces] == ["None", None, "null", ""]
        assert [piece.items for piece in pieces] == [2, 2, 1, 1]
        assert len({piece.name for piece in pieces}) == 4
        pairs = split(settings, "keys", [path], {"columns": ["a", "n"]})
        assert [piece.metadata["key"]["a"] for piece in pairs] == values
        assert sum(piece.items or 0 for piece in split(settings, "keys", [path], {"columns": ["a"], "buckets": 4})) == 6
