"""Labels and groups: the examples of the docstrings, and the same by Python's own means."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.arrays.text_columns import TextColumn, scalar
from triptych.engines.runtime.resources import Resources, using
from triptych.engines.tables.csv_batches import line_batches
from triptych.engines.tables.group_labels import Labels, NoLabelError
from triptych.engines.tables.group_spill import GroupSpill
from triptych.errors import SourceError, TriptychError


def _texts(values: Sequence[str | None]) -> TextColumn:
    return pa.array(values, pa.large_string())


def _joined(columns: Sequence[TextColumn]) -> TextColumn:
    return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, scalar("+"))


def _error(index: int, text: str) -> TriptychError:
    return SourceError(f"record {index}: {text}")


def test_labels_get_numbers_as_they_come() -> None:
    labels = Labels(_joined)
    assert labels.number([_texts(["DE", "FR"])], lambda raws: raws, _error).tolist() == [0, 1]
    assert labels.number([_texts(["FR", "IT", None, "FR"])], lambda raws: raws, _error).tolist() == [1, 2, -1, 1]
    assert (labels.names, labels.dropped) == (["DE", "FR", "IT"], 1)


def test_each_combination_is_labelled_once() -> None:
    asked: list[list[list[str]]] = []

    def label(columns: Sequence[TextColumn]) -> TextColumn:
        asked.append([column.to_pylist() for column in columns])
        return _joined(columns)

    numbers = Labels(label).number([_texts(["b", "a", "b"]), _texts(["x", "y", "x"])], lambda raws: raws, _error)
    assert asked == [[["b", "a"], ["x", "y"]]]
    assert numbers.tolist() == [0, 1, 0]


@pytest.mark.parametrize("seed", range(20))
def test_combinations_are_those_of_a_dictionary(seed: int) -> None:
    draw = random.Random(seed)
    rows = [tuple(draw.choice("abc") for _ in range(3)) for _ in range(draw.randrange(1, 200))]
    first: dict[str, int] = {}
    truth = [first.setdefault("+".join(row), len(first)) for row in rows]
    labels = Labels(_joined)
    columns = [_texts(column) for column in zip(*rows, strict=True)]
    assert labels.number(columns, lambda raws: raws, _error).tolist() == truth
    assert labels.names == list(first)


def test_the_first_record_with_a_value_without_label_is_named() -> None:
    def label(columns: Sequence[TextColumn]) -> TextColumn:
        values = columns[0].to_pylist()
        raise NoLabelError("has none", values.index("bad"))

    with pytest.raises(SourceError, match=r"^record 2: has none$"):
        Labels(label).number([_texts(["a", "b", "bad", "a", "bad"])], lambda raws: raws, _error)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[None]:
    """So little that every batch is written."""
    with using(Resources(tmp_path, 12 * 500)):
        yield


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("seed", range(10))
def test_groups_are_the_records_of_their_numbers_in_order(seed: int) -> None:
    draw = random.Random(seed)
    lines = [f"{index}:{'x' * draw.randrange(60)}\n".encode() for index in range(400)]
    item = MemoryInput(b"".join(lines))
    spill, truth, rest = GroupSpill(), defaultdict[int, list[bytes]](list), iter(lines)
    for batch in line_batches(item.stream(), item, batch_bytes=400):
        numbers = np.array([draw.randrange(-1, 30) for _ in range(len(batch))])
        spill.add(batch, numbers)
        for number, line in zip(numbers.tolist(), rest, strict=False):
            truth[number].append(line)
    groups = list(spill.read(30))
    assert [(group.count, b"".join(group.blocks)) for group in groups] == [
        (len(truth[number]), b"".join(truth[number])) for number in range(30)
    ]
    assert [group.size for group in groups] == [len(b"".join(truth[number])) for number in range(30)]
