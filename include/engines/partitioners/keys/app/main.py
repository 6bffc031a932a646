"""Records of equal keys into one chunk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from triptych.engines import Chunk, Source
from triptych.engines.arrays.fnv1a import fnv1a
from triptych.engines.arrays.text_columns import TextColumn, scalar
from triptych.engines.tables.group_by import group_by

NULL = "\0null"
"""The label of no value, which no text is."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per key, or per bucket that has a record, in the order in which they first occur."""
    columns, buckets = params["columns"], params["buckets"]

    def metadata(label: str) -> dict[str, Any]:
        if buckets is not None:
            return {"bucket": int(label.removeprefix("bucket_")), "buckets": buckets}
        values = [None if label == NULL else label] if len(columns) == 1 else json.loads(label)
        return {"key": dict(zip(columns, values, strict=True))}

    def label(values: Sequence[TextColumn]) -> TextColumn:
        return _keys(values) if buckets is None else _buckets(values, buckets)

    return group_by(sources, params, columns, label, metadata)


def _keys(values: Sequence[TextColumn]) -> TextColumn:
    """The value, or all of them as a JSON array."""
    if len(values) == 1:
        return values[0].fill_null(NULL)
    rows = zip(*(column.to_pylist() for column in values), strict=True)
    return pa.array(json.dumps(row, ensure_ascii=False) for row in rows)


def _buckets(values: Sequence[TextColumn], buckets: int) -> TextColumn:
    """By a hash of the values with a unit separator (U+001F) between them: bucket_07 of 16."""
    filled = [column.fill_null(NULL) for column in values]
    texts = filled[0] if len(filled) == 1 else pc.binary_join_element_wise(*filled, scalar("\x1f"))
    numbers = pa.array(fnv1a(texts) % buckets).dictionary_encode()
    digits = len(str(buckets - 1))
    names = pa.array(f"bucket_{bucket:0{digits}d}" for bucket in numbers.dictionary.to_pylist())
    return names.take(numbers.indices)
