"""kfold."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import KFold

from tests.contract.engines.cases import Split
from tests.support.engine_harness import Piece


def _two_tables(folder: Path) -> list[Path]:
    """With quoted line ends and an empty line; the first lacks its last line end."""
    paths = [folder / "one.csv", folder / "two.csv"]
    paths[0].write_text('id,note\n0,"a\nb"\n\n1,c\n2,"d"')
    paths[1].write_text('id,note\n3,e\n4,"f,\n"\n5,g\n6,h\n')
    return paths


def _open_quote(folder: Path) -> Path:
    path = folder / "broken.csv"
    path.write_text('a,b\n1,"2\n3,4\n')
    return path


def _large(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.csv"
    with path.open("w") as out:
        out.write("id,note\n")
        for number in range(factor * 80_000):
            out.write(f'{number},"{"x" * 90}"\n')
    return path


def _rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def _folds(pieces: Sequence[Piece], sources: Sequence[Path], *, seed: int | None = None) -> None:
    """Both parts are whole tables, of the records that scikit-learn would have in them."""
    tables = [[row for row in _rows(path.read_bytes()) if row] for path in sources]
    records = [row for table in tables for row in table[1:]]
    splitter = KFold(len(pieces), shuffle=seed is not None, random_state=seed)
    for piece, (train, test) in zip(pieces, splitter.split(np.zeros(len(records))), strict=True):
        at = piece.metadata["train_bytes"]
        for part, expected in ((piece.data[:at], train), (piece.data[at:], test)):
            assert _rows(part) == [tables[0][0], *(records[index] for index in expected)]
        assert (piece.metadata["train_records"], piece.metadata["test_records"]) == (len(train), len(test))
        assert at + piece.metadata["test_bytes"] == len(piece.data)
        assert not piece.copied
        # What is read from the first line on, as pandas' nrows and skiprows do, is the same.
        assert _rows(piece.data) == [*_rows(piece.data[:at]), *_rows(piece.data[at:])]


CASES = [
    Split(
        "kfold",
        {"folds": 3},
        _two_tables,
        _folds,
        bad={"folds": 1},
        corrupt=_open_quote,
        says="is never closed",
        grow=_large,
    ),
    Split(
        "kfold",
        {"folds": 2, "shuffle": True, "seed": 3},
        _two_tables,
        lambda pieces, sources: _folds(pieces, sources, seed=3),
        bad={"seed": -1},
        grow=_large,
    ),
]
