"""passthrough, replicate, files, rows; passthrough, zip, concat."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.contract.engines.cases import Join, Split
from tests.support.engine_harness import Piece, Results


def _texts(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.txt" for name in ("a", "b", "c")]
    for path in paths:
        path.write_text(f"{path.name}\n" * 3)
    return paths


def _table(folder: Path) -> list[Path]:
    path = folder / "orders.csv"
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([["id", "note"], *([n, f'"{n}",\n'] for n in range(25))])
    return [path]


def _one_text(folder: Path) -> list[Path]:
    return _texts(folder)[:1]


def _one_row(folder: Path) -> list[Path]:
    path = folder / "one.csv"
    path.write_text('id,note\n1,"a\nb"')
    return [path]


def _open_quote(folder: Path) -> Path:
    path = folder / "broken.csv"
    path.write_text('a,b\n1,"2\n3,4\n')
    return path


def _large_table(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.csv"
    with path.open("w") as out:
        out.write("id,note\n")
        for number in range(factor * 300_000):
            out.write(f'{number},"some text, quoted"\n')
    return path


def _each_file(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert [piece.data for piece in pieces] == [path.read_bytes() for path in sources]


def _all_bytes(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert b"".join(piece.data for piece in pieces) == b"".join(path.read_bytes() for path in sources)
    assert sum(piece.items or 0 for piece in pieces) == len(sources)


def _replicas(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    whole = b"".join(path.read_bytes() for path in sources)
    assert [piece.data for piece in pieces] == [whole] * 3


def _records(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    tables = [list(csv.reader(io.StringIO(piece.data.decode(), newline=""))) for piece in pieces]
    read = [
        row for path in sources for row in list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))[1:]
    ]
    assert [row for table in tables for row in table[1:]] == read
    assert all(not piece.copied for piece in pieces)


def _same_names() -> list[Results]:
    return [Results({"r.txt": b"zero\n"}), Results({"r.txt": b"one\n", "o.txt": b"x"})]


def _names(found: Mapping[str, bytes]) -> None:
    assert found == {"000000_r.txt": b"zero\n", "000001_r.txt": b"one\n", "o.txt": b"x"}


def _folders() -> list[Results]:
    first = {"a/x.txt": b"0", "a/y.txt": b"1", "b/x.txt": b"2", "x.txt": b"3", "c": b"4"}
    return [Results(first), Results({"a/y.txt": b"5", "a/000000_y.txt": b"6", "c/d/e": b"7"})]


def _in_folders(found: Mapping[str, bytes]) -> None:
    alone = {"a/x.txt": b"0", "b/x.txt": b"2", "x.txt": b"3", "a/000000_y.txt": b"6", "c/d/e": b"7"}
    # Both chunks wrote a/y.txt, one a name that would be free for it; and c is a file of one, a folder of the other.
    assert found == {**alone, "a/_000000_y.txt": b"1", "a/000001_y.txt": b"5", "000000_c": b"4"}


def _zipped(found: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(found["output.zip"])) as archive:
        _names({name: archive.read(name) for name in archive.namelist()})


def _tables() -> list[Results]:
    return [Results({"t.csv": b"a,b\n1,2"}), Results({"t.csv": b"a,b\n3,4\n"})]


def _one_table(found: Mapping[str, bytes]) -> None:
    assert found == {"output.csv": b"a,b\n1,2\n3,4\n"}


def _large(factor: int) -> list[Results]:
    line = b"id,text\n" + b"1,some text of some length\n" * 40_000
    return [Results({"t.csv": line}) for _ in range(8 * factor)]


CASES = [
    Split("passthrough", {}, _texts, _each_file, bad={"none": 1}, empty="one chunk", one=_one_text),
    Split("replicate", {"replicas": 3}, _texts, _replicas, bad={"replicas": 0}, empty="one chunk"),
    Split(
        "files",
        {"items_per_chunk": 2},
        _texts,
        _all_bytes,
        bad={"items_per_chunk": 0},
        empty="one chunk",
        one=_one_text,
    ),
    Split(
        "rows",
        {"items_per_chunk": 10, "format": "csv"},
        _table,
        _records,
        bad={"items_per_chunk": 0},
        corrupt=_open_quote,
        says="byte 6 is never closed",
        grow=_large_table,
        one=_one_row,
    ),
    Join("passthrough", {}, _same_names, _names, bad={"none": 1}),
    Join("passthrough", {}, _folders, _in_folders, bad={"none": 1}),
    Join("zip", {}, _same_names, _zipped, bad={"name": ""}, grow=_large),
    Join("concat", {}, _tables, _one_table, bad={"header": "maybe"}, grow=_large),
]
