"""kfold and models."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from sklearn.model_selection import KFold

from tests.contract.engines.cases import Join, Split
from tests.support.engine_harness import Piece, Results


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


def npz(**arrays: object) -> bytes:
    """A model, by NumPy itself."""
    out = io.BytesIO()
    save: Any = np.savez  # Its annotations take names of arrays for the one option that it has.
    save(out, **{name: np.asarray(array) for name, array in arrays.items()})
    return out.getvalue()


def _two_models() -> list[Results]:
    """Of two layers, by 1 and by 3 samples; the second chunk knows its number by its metadata."""
    first = {"w": np.array([[1, 2], [3, 4]], np.float32), "b": np.array([0.5])}
    second = {"w": np.array([[5, 6], [7, 10]], np.float32), "b": np.array([-0.5])}
    files = {
        "m.npz": npz(**first),
        "m.safetensors": safetensors.numpy.save(first),
        "about.json": b'{"n": {"train": 1}}',
    }
    others = {"m.npz": npz(**second), "m.safetensors": safetensors.numpy.save(second)}
    return [Results(files), Results(others, metadata={"n": {"train": 3}})]


def _mean_of_two(found: Mapping[str, bytes]) -> None:
    """By hand: (1 * first + 3 * second) / 4."""
    with np.load(io.BytesIO(found["m.npz"])) as arrays:
        models = [dict(arrays), safetensors.numpy.load(found["m.safetensors"])]
    for model in models:
        assert sorted(model) == ["b", "w"]
        assert model["w"].dtype == np.float32
        assert model["w"].tolist() == [[4, 5], [6, 8.5]]
        assert model["b"].tolist() == [-0.25]
    told = json.loads(found["averaged.json"])["models"]
    assert [each["name"] for each in told] == ["m.npz", "m.safetensors"]
    assert [chunk["weight"] for chunk in told[0]["chunks"]] == [1, 3]
    assert told[0]["total_weight"] == 4


def _another_shape() -> list[Results]:
    models = npz(w=np.zeros((2, 3))), npz(w=np.zeros((3, 2)))
    return [Results({"m.npz": model}, metadata={"n": {"train": 1}}) for model in models]


def _large_models(factor: int) -> list[Results]:
    whole = np.ones(1 << 20, np.float32)
    return [Results({"m.npz": npz(**{f"w{n}": whole for n in range(factor)})}) for _ in range(2)]


def _large_tensors(factor: int) -> list[Results]:
    whole = np.ones(factor << 20, np.float32)
    return [Results({"m.safetensors": safetensors.numpy.save({"w": whole})}) for _ in range(2)]


def _all_ones(found: Mapping[str, bytes]) -> None:
    if "m.npz" in found:
        with np.load(io.BytesIO(found["m.npz"])) as model:
            assert model["w0"].min() == 1
    else:
        assert safetensors.numpy.load(found["m.safetensors"])["w"].min() == 1


CASES = [
    Join(
        "models",
        {"weight": "n.train"},
        _two_models,
        _mean_of_two,
        bad={"weight": 1},
        corrupt=_another_shape,
        says=r"chunk 1, 'm.npz': 'w' is float64 of the shape \(3, 2\), and in chunk 0, 'm.npz' float64 of the shape",
    ),
    Join("models", {}, lambda: _large_models(1), _all_ones, bad={"name": ""}, grow=_large_models),
    Join(
        "models",
        {"results": "*.safetensors"},
        lambda: _large_tensors(1),
        _all_ones,
        bad={"results": ""},
        grow=_large_tensors,
    ),
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
