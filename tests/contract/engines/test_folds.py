"""kfold on files: labels from columns, layouts, what is refused; scikit-learn and pandas are the truth."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

from tests.support.engine_harness import Piece, split
from triptych.errors import JobSpecError, SourceError
from triptych.settings import Settings

CLASSES = ["no", "yes", "no", "no", "maybe", "no", "yes", "yes", "no", "yes"] * 6
PATIENTS = [f"p{number * number % 17}" for number in range(60)]
TABLE = pd.DataFrame({"id": range(60), "class": CLASSES, "patient": PATIENTS})


def _parts(piece: Piece) -> tuple[bytes, bytes]:
    at = piece.metadata["train_bytes"]
    return piece.data[:at], piece.data[at:]


def _tested(pieces: Sequence[Piece]) -> list[list[int]]:
    """The ids of each fold's test part, once its train part was seen to hold all others."""
    found = []
    for piece in pieces:
        train, test = (pd.read_csv(io.BytesIO(part))["id"].tolist() for part in _parts(piece))
        assert sorted(train + test) == list(range(60))
        found.append(test)
    return found


@pytest.mark.parametrize(
    ("params", "splitter"),
    [
        ({"stratify": "class"}, StratifiedKFold(4)),
        ({"stratify": "class", "shuffle": True, "seed": 5}, StratifiedKFold(4, shuffle=True, random_state=5)),
        ({"groups": "patient"}, GroupKFold(4)),
        ({"groups": "patient", "shuffle": True, "seed": 5}, GroupKFold(4, shuffle=True, random_state=5)),
        ({"groups": "patient", "stratify": "class"}, StratifiedGroupKFold(4)),
    ],
)
def test_folds_by_columns_are_those_of_scikit_learn(
    settings: Settings, tmp_path: Path, params: dict[str, Any], splitter: Any
) -> None:
    path = tmp_path / "t.csv"
    TABLE.to_csv(path, index=False)
    expected = [test.tolist() for _, test in splitter.split(TABLE, CLASSES, PATIENTS if "groups" in params else None)]
    pieces = split(settings, "kfold", [path], {"folds": 4, **params})
    assert _tested(pieces) == expected
    assert not any(piece.copied for piece in pieces)
    lines = tmp_path / "t.jsonl"
    records = json.loads(TABLE.to_json(orient="records"))
    lines.write_text("".join(f"{json.dumps({'id': record['id'], 'x': record})}\n" for record in records))
    nested = {key: f"x.{value}" if key in ("stratify", "groups") else value for key, value in params.items()}
    by_line = split(settings, "kfold", [lines], {"folds": 4, **nested})
    tested = [[json.loads(line)["id"] for line in _parts(piece)[1].splitlines()] for piece in by_line]
    assert tested == expected


def test_pandas_reads_both_parts_from_one_file(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    TABLE.to_csv(path, index=False)
    for piece in split(settings, "kfold", [path], {"folds": 7}):
        trained = piece.metadata["train_records"]
        train = pd.read_csv(io.BytesIO(piece.data), nrows=trained)
        test = pd.read_csv(io.BytesIO(piece.data), skiprows=trained + 1)
        assert list(test.columns) == list(TABLE.columns)
        pd.testing.assert_frame_equal(pd.concat([train, test]).sort_values("id", ignore_index=True), TABLE)


def test_scattered_records_are_copied_and_the_same(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    TABLE.to_csv(path, index=False)
    params = {"folds": 3, "shuffle": True, "seed": 1}
    ranges = split(settings, "kfold", [path], params)
    monkeypatch.setattr("triptych.engines.learning.fold_chunks.MOST_RANGES", 3)
    copied = split(settings, "kfold", [path], params)
    assert [piece.copied for piece in ranges + copied] == [False] * 3 + [True] * 3
    assert [(piece.name, piece.data, piece.metadata) for piece in copied] == [
        (piece.name, piece.data, piece.metadata) for piece in ranges
    ]


def test_packed_tables_and_a_tar(settings: Settings, tmp_path: Path) -> None:
    """Two files with names, for an app that reads files."""
    plain, packed = tmp_path / "t.csv", tmp_path / "u.csv.gz"
    TABLE.to_csv(plain, index=False)
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected = [_parts(piece) for piece in split(settings, "kfold", [plain], {"folds": 3})]
    assert [_parts(piece) for piece in split(settings, "kfold", [packed], {"folds": 3})] == expected
    for source in (plain, packed):
        for number, piece in enumerate(split(settings, "kfold", [source], {"folds": 3, "layout": "tar"})):
            assert piece.name == f"fold_{number}.tar"
            with tarfile.open(fileobj=io.BytesIO(piece.data)) as archive:
                assert archive.getnames() == ["train.csv", "test.csv"]
                found = tuple(stream.read() for each in archive if (stream := archive.extractfile(each)))
            assert found == expected[number]


def test_single_records_without_line_ends_are_put_on_lines(settings: Settings, tmp_path: Path) -> None:
    """No source has a line end that a range could be of."""
    paths = [tmp_path / f"{name}.txt" for name in "abc"]
    for path in paths:
        path.write_text(path.stem)
    pieces = split(settings, "kfold", paths, {"folds": 3})
    assert [_parts(piece) for piece in pieces] == [(b"b\nc\n", b"a\n"), (b"a\nc\n", b"b\n"), (b"a\nb\n", b"c\n")]


@pytest.mark.parametrize(
    ("name", "text", "params", "says"),
    [
        ("t.csv", "a\n1\n2\n", {"folds": 3}, "folds: is 3, and there are 2 records. Ask for fewer folds."),
        ("t.csv", "a,g\n1,x\n2,x\n", {"folds": 2, "groups": "g"}, "there are 1 groups"),
        ("t.csv", "a,g\n1,x\n2,y\n", {"folds": 2, "stratify": "g"}, "there are 1 records of the largest class"),
        ("t.csv", "a,g\n1,x\n2,x\n", {"groups": "h"}, "there is no column 'h'; the header has a, g"),
        ("t.jsonl", '{"a": 1}\n{"b": 2}\n', {"stratify": "a"}, r"\(line 2\).* has no value 'a'"),
        ("t.json", '[\n{"a": 1},\n{"a": 2}\n]\n', {}, r"\(line 1\): is no JSON object on a line of its own"),
        ("t.csv", "PAR1\0\0\1", {}, "is Parquet, and no text"),
    ],
)
def test_what_cannot_be_split_is_refused(
    settings: Settings, tmp_path: Path, name: str, text: str, params: dict[str, Any], says: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises((SourceError, JobSpecError), match=says):
        split(settings, "kfold", [tmp_path / name], params)
