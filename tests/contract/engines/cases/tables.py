"""bytes, keys, dates."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tests.contract.engines.cases import Split
from tests.support.engine_harness import Piece

COUNTRIES = ["DE", "FR", '"DE"', "", "日本", '"a, ""b""\nc"']


def _table(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.csv" for name in ("one", "two")]
    source = random.Random(1)
    for path in paths:
        rows = [
            f'{n},"x\ny {n}",{source.choice(COUNTRIES)},2026-0{source.randrange(1, 4)}-03T04:00:00Z\r\n'
            for n in range(300)
        ]
        path.write_text("id,note,country,at\r\n" + "".join(rows), newline="")
    return paths


def _one_row(folder: Path) -> list[Path]:
    path = folder / "one.csv"
    path.write_text("id,note,country,at\n1,x,DE,2026-01-03T04:00:00Z\n")
    return [path]


def _one_event(folder: Path) -> list[Path]:
    path = folder / "event.jsonl"
    path.write_text('{"n": 0, "who": {"country": "é"}}')
    return [path]


def _lines(folder: Path) -> list[Path]:
    path = folder / "events.jsonl"
    source = random.Random(2)
    rows = [{"n": n, "who": {"country": source.choice([1, "1", None, "é"])}} for n in range(200)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return [path]


def _one_group(folder: Path) -> list[Path]:
    path = folder / "group.parquet"
    pd.DataFrame({"n": [1], "key": ["k"]}).to_parquet(path)
    return [path]


def _parquet(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.parquet" for name in ("one", "two")]
    for at, path in enumerate(paths):
        frame = pd.DataFrame({"n": range(at, 500, 2), "key": [f"k{n % 7}" for n in range(at, 500, 2)]})
        frame.to_parquet(path)
    return paths


def records(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def _whole(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert b"".join(piece.data for piece in pieces) == b"".join(path.read_bytes() for path in sources)
    assert not any(piece.copied for piece in pieces)


def _by_country(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    truth: dict[str, list[list[str]]] = {}
    for row in (row for path in sources for row in records(path.read_bytes())[1:]):
        truth.setdefault(row[2], []).append(row)
    found = {piece.metadata["key"]["country"]: records(piece.data) for piece in pieces}
    assert {key: rows[1:] for key, rows in found.items()} == truth
    assert all(rows[0] == ["id", "note", "country", "at"] for rows in found.values())
    raw = b"".join(path.read_bytes() for path in sources)
    assert all(record in raw for piece in pieces for record in piece.data.split(b"\r\n"))


def _buckets(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    rows = [(row[2], piece.metadata["bucket"]) for piece in pieces for row in records(piece.data)[1:]]
    assert len(rows) == 600
    assert len(dict(rows)) == len(set(rows)) == 5
    # A job resumed on another machine must agree: FNV-1a of 64 bits, worked out byte by byte, folded to 32.
    hashed = 0xCBF29CE484222325
    for byte in b"DE":
        hashed = (hashed ^ byte) * 0x100000001B3 % 2**64
    assert dict(rows)["DE"] == ((hashed >> 32) ^ (hashed & 0xFFFFFFFF)) % 3


def _by_json_value(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    rows = [json.loads(line) for piece in pieces for line in piece.data.splitlines()]
    assert sorted(row["n"] for row in rows) == list(range(len(sources[0].read_text().splitlines())))
    for piece in pieces:
        assert len({str(json.loads(line)["who"]["country"]) for line in piece.data.splitlines()}) == 1


def _by_parquet_key(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    whole = pd.concat([pd.read_parquet(path) for path in sources], ignore_index=True)
    truth = {key: group["n"].tolist() for key, group in whole.groupby("key")}
    found = {piece.metadata["key"]["key"]: pd.read_parquet(io.BytesIO(piece.data)) for piece in pieces}
    assert {key: frame["n"].tolist() for key, frame in found.items()} == truth
    assert [piece.items for piece in pieces] == [len(frame) for frame in found.values()]


def _by_month(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    rows = [row for path in sources for row in records(path.read_bytes())[1:]]
    found = {piece.metadata["period"]: records(piece.data)[1:] for piece in pieces}
    assert found == {month: [row for row in rows if row[3].startswith(month)] for month in found}
    assert sum(map(len, found.values())) == len(rows)


def _short_record(folder: Path) -> Path:
    path = folder / "short.csv"
    path.write_text("id,note,country,at\n1,2,3,2026-01-01\n4,5\n")
    return path


def _no_date(folder: Path) -> Path:
    path = folder / "wrong.csv"
    path.write_text("id,at\n1,2026-01-01\n2,soon\n")
    return path


def _no_parquet(folder: Path) -> Path:
    path = folder / "wrong.parquet"
    path.write_bytes(b"PAR1 and nothing")
    return path


def _large(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.csv"
    with path.open("w") as out:
        out.write("id,country,at\n")
        for number in range(factor * 200_000):
            out.write(f"{number},k{number % 5000},2026-01-{1 + number % 28:02}T00:00:00\n")
    return path


CASES = [
    Split("bytes", {"chunk_bytes": 1000}, _table, _whole, bad={"chunk_bytes": 0}, one=_one_row),
    Split(
        "keys",
        {"columns": ["country"]},
        _table,
        _by_country,
        bad={"columns": []},
        corrupt=_short_record,
        says=r"at byte 36 \(line 3\) has not as many columns",
        one=_one_row,
    ),
    Split("keys", {"columns": ["country"], "buckets": 3}, _table, _buckets, bad={"buckets": 0}, grow=_large),
    Split("keys", {"columns": ["who.country"]}, _lines, _by_json_value, bad={"format": "xml"}, one=_one_event),
    Split(
        "keys",
        {"columns": ["key"]},
        _parquet,
        _by_parquet_key,
        bad={"columns": ""},
        corrupt=_no_parquet,
        says="Parquet",
        one=_one_group,
    ),
    Split(
        "dates",
        {"column": "at", "freq": "month"},
        _table,
        _by_month,
        bad={"freq": "minute"},
        corrupt=_no_date,
        says="'soon' in 'at' is no date",
        grow=_large,
        one=_one_row,
    ),
]
