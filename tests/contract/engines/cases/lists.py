"""sweep, urls, json_keys, and rows of Parquet."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pyarrow.parquet as pq

from tests.contract.engines.cases import Split
from tests.support.engine_harness import Piece

SPACE: dict[str, list[float] | list[str] | list[int]] = {"rate": [0.1, 0.01], "kind": ["a", "ä"], "depth": [1, 2, 3]}
URLS = ["https://b.example/1", "https://a.example/2", "http://b.example:8080/3?q=a,b", "https://b.example/1"]


def _grid(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found = [json.loads(piece.data) for piece in pieces]
    points = [dict(zip(SPACE, values, strict=True)) for values in itertools.product(*SPACE.values())]
    assert [each["params"] for each in found] == [point for point in points for _ in range(2)]
    assert [each["seed"] for each in found] == list(range(7, 31))
    assert [piece.metadata["replicate"] for piece in pieces[:4]] == [0, 1, 0, 1]


def _points_over_rows(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    """Every point with every part: a line with the point, then rows of the table with its header, not copied."""
    points = [dict(zip(SPACE, values, strict=True)) for values in itertools.product(*SPACE.values())]
    tables = []
    for number, piece in enumerate(pieces):
        line, _, data = piece.data.partition(b"\n")
        assert json.loads(line)["params"] == piece.metadata["params"] == points[number % len(points)]
        assert (piece.metadata["point"], piece.metadata["data_part"]) == (number % len(points), number // len(points))
        assert not piece.copied
        tables.append(pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False))
    for first in range(len(points)):
        whole = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in sources])
        assert pd.concat(tables[first :: len(points)]).values.tolist() == whole.values.tolist()


def _rows_of_urls(folder: Path) -> list[Path]:
    path = folder / "list.csv"
    path.write_text("id,url\n" + "".join(f'{number},"{url}"\n' for number, url in enumerate(URLS)))
    return [path]


def _open_quote(folder: Path) -> Path:
    path = folder / "broken.csv"
    path.write_text('a,b\n1,"2\n3,4\n')
    return path


def _url_text(folder: Path) -> list[Path]:
    path = folder / "list.txt"
    path.write_text("# a list\n\n" + "\r\n".join(URLS))
    return [path]


def _one_url(folder: Path) -> list[Path]:
    path = folder / "one.txt"
    path.write_text(URLS[0])
    return [path]


def _url_tables(folder: Path) -> list[Path]:
    table, document = folder / "list.csv", folder / "list.json"
    pd.DataFrame({"id": range(4), "url": URLS}).to_csv(table, index=False)
    document.write_text(json.dumps([{"url": url} for url in URLS] + ["https://c.example"]))
    return [table, document]


def _in_order(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    listed = [line for line in sources[0].read_text().split() if line.startswith("http")]
    assert [piece.data.decode().splitlines() for piece in pieces] == [
        listed[at : at + 3] for at in range(0, len(listed), 3)
    ]


def _by_host(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found = [line for piece in pieces for line in piece.data.decode().splitlines()]
    assert found == [URLS[1], URLS[0], URLS[2], "https://c.example"]
    for piece in pieces:
        assert {urlsplit(line).hostname for line in piece.data.decode().splitlines()} == {piece.metadata["host"]}


def _no_url(folder: Path) -> Path:
    path = folder / "wrong.txt"
    path.write_text("https://a.example\nno url\n")
    return path


def _long_urls(folder: Path, factor: int) -> Path:
    path = folder / f"long{factor}.txt"
    with path.open("w") as out:
        for number in range(factor * 3000):
            out.write(f"https://a.example/{number}?q={'x' * 8000}\n")
    return path


def _many_urls(folder: Path, factor: int) -> Path:
    """So many that even the smallest input is more than is sorted in memory at once."""
    path = folder / f"many{factor}.txt"
    with path.open("w") as out:
        for number in range(factor * 30_000):
            out.write(f"https://{number % 40}.example/{number}?q={'x' * 800}\n")
    return path


def _documents(folder: Path) -> list[Path]:
    paths = [folder / "a.json", folder / "b.json"]
    for at, path in enumerate(paths):
        path.write_text(
            json.dumps({"meta": 1, "data": {"items": [{"n": n, "t": "ü\n"} for n in range(at, 7)]}}, indent=2)
        )
    return paths


def _one_item(folder: Path) -> list[Path]:
    path = folder / "one.json"
    path.write_text('{"data": {"items": [{"n": 1}]}}')
    return [path]


def _objects(folder: Path) -> list[Path]:
    path = folder / "o.json"
    path.write_text(json.dumps({f"k{n} ä": {"n": [n, 1.5, None]} for n in range(5)}))
    return [path]


def _one_object(folder: Path) -> list[Path]:
    path = folder / "one.json"
    path.write_text('{"k0 ä": {"n": 1}}')
    return [path]


def _items(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    wholes = [json.loads(path.read_text())["data"]["items"] for path in sources]
    truth = [whole[at : at + 3] for whole in wholes for at in range(0, len(whole), 3)]
    assert [json.loads(piece.data) for piece in pieces] == truth
    assert [piece.items for piece in pieces] == list(map(len, truth))


def _keys(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found: dict[str, object] = {}
    for piece in pieces:
        for line in piece.data.splitlines():
            found |= json.loads(line)
    assert found == json.loads(sources[0].read_text())
    assert [piece.metadata["key"] for piece in pieces] == list(found)[::2]


def _many(folder: Path) -> list[Path]:
    path = folder / "many.json"
    path.write_text(json.dumps({"data": {"items": list(range(1200))}}))
    return [path]


def _numbered(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert [json.loads(piece.data) for piece in pieces] == [
        list(range(500)),
        list(range(500, 1000)),
        list(range(1000, 1200)),
    ]


def _numbered_lines(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found = [[int(line) for line in piece.data.splitlines()] for piece in pieces]
    assert found == [list(range(900)), list(range(900, 1200))]


def _bad_item(folder: Path) -> Path:
    path = folder / "bad.json"
    path.write_text('{"data": {"items": [1, {"n": two}]}}')
    return path


def _cut_off(folder: Path) -> Path:
    path = folder / "cut.json"
    path.write_text('{"data": {"items": [{"n": 1}, {"n": 2')
    return path


def _large_json(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.json"
    with path.open("w") as out:
        out.write('{"data": {"items": [')
        out.write(",".join(json.dumps({"n": n, "text": "x" * 400}) for n in range(factor * 20_000)))
        out.write("]}}")
    return path


def _parquet(folder: Path) -> list[Path]:
    path = folder / "t.parquet"
    pd.DataFrame({"n": range(1000), "s": [f"row {n}" for n in range(1000)]}).to_parquet(path, row_group_size=300)
    return [path]


def _one_row(folder: Path) -> list[Path]:
    path = folder / "one.parquet"
    pd.DataFrame({"n": [1], "s": ["ä"]}).to_parquet(path)
    return [path]


def _rows(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found = pd.concat([pd.read_parquet(io.BytesIO(piece.data)) for piece in pieces], ignore_index=True)
    pd.testing.assert_frame_equal(found, pd.read_parquet(sources[0]))
    assert [piece.items for piece in pieces] == [pq.read_metadata(io.BytesIO(piece.data)).num_rows for piece in pieces]


def _row_groups(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    _rows(pieces, sources)
    about = pq.read_metadata(sources[0])
    assert [piece.items for piece in pieces] == [about.row_group(n).num_rows for n in range(about.num_row_groups)]


def _no_parquet(folder: Path) -> Path:
    path = folder / "wrong.parquet"
    path.write_bytes(b"PAR1 and nothing")
    return path


def _large_parquet(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.parquet"
    frame = pd.DataFrame({"n": range(factor * 400_000)})
    frame["x"] = frame["n"].map(lambda n: (n * 2654435761) % 2**32)
    frame.to_parquet(path, row_group_size=20_000)
    return path


def _lines(folder: Path) -> list[Path]:
    path = folder / "l.txt"
    path.write_text("".join(f"line {n}\n" for n in range(1000)))
    return [path]


def _four(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert b"".join(piece.data for piece in pieces) == sources[0].read_bytes()
    assert len(pieces) == 4


CASES = [
    Split("sweep", {"space": SPACE, "replicates": 2, "seed": 7}, None, _grid, bad={"replicates": 0}),
    Split(
        "sweep",
        {"space": SPACE, "parts": "rows", "items_per_chunk": 2},
        _rows_of_urls,
        _points_over_rows,
        bad={"parts": "halves"},
        corrupt=_open_quote,
        says="byte 6 is never closed",
    ),
    Split(
        "urls",
        {"items_per_chunk": 3},
        _url_text,
        _in_order,
        bad={"items_per_chunk": 0},
        corrupt=_no_url,
        says="line 2: 'no url'",
        grow=_long_urls,
        one=_one_url,
    ),
    Split(
        "urls",
        {"by_host": True, "items_per_chunk": 1000, "drop_duplicates": True},
        _url_tables,
        _by_host,
        bad={"urls": [1]},
        grow=_many_urls,
    ),
    Split(
        "json_keys",
        {"path": "data.items", "items_per_chunk": 3},
        _documents,
        _items,
        bad={"items_per_chunk": 0},
        corrupt=_cut_off,
        says="is no JSON: it ends at byte 37",
        one=_one_item,
    ),
    Split(
        "json_keys", {"path": "data.items", "items_per_chunk": 500}, _many, _numbered, bad={"path": 1}, grow=_large_json
    ),
    Split(
        "json_keys", {"layout": "jsonl", "items_per_chunk": 2}, _objects, _keys, bad={"layout": "xml"}, one=_one_object
    ),
    Split(
        "json_keys",
        {"path": "data.items", "items_per_chunk": 900, "layout": "jsonl"},
        _many,
        _numbered_lines,
        bad={"items_per_chunk": "x"},
        corrupt=_bad_item,
        says="byte 30: ",
        grow=_large_json,
    ),
    Split(
        "rows",
        {},
        _parquet,
        _row_groups,
        bad={"items_per_chunk": 0},
        corrupt=_no_parquet,
        says="Parquet",
        grow=_large_parquet,
        one=_one_row,
    ),
    Split("rows", {"items_per_chunk": 77}, _parquet, _rows, bad={"items_per_chunk": -1}, one=_one_row),
    Split("rows", {"chunks": 4}, _lines, _four, bad={"chunks": 0}),
]
