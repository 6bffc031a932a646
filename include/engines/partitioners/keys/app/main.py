"""Records of equal keys into one chunk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source, need
from triptych.engines.arrays.fnv1a import fnv1a
from triptych.engines.arrays.text_columns import scalar
from triptych.engines.tables.group_by import grouped


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per key, or per bucket that has a record, in the order in which they first occur."""
    columns, buckets = params["columns"], params["buckets"]

    def about(label: str) -> dict[str, Any]:
        if buckets is not None:
            return {"bucket": int(label.removeprefix("bucket_")), "buckets": buckets}
        values = [label] if len(columns) == 1 else json.loads(label)
        return {"key": dict(zip(columns, values, strict=True))}

    def label(values: Sequence[Any]) -> Any:
        return _keys(values) if buckets is None else _buckets(values, buckets)

    return grouped(sources, params["format"], columns, label, about)


def _keys(values: Sequence[Any]) -> Any:
    """The value, or all of them as a JSON array."""
    if len(values) == 1:
        return values[0]
    rows = zip(*(column.to_pylist() for column in values), strict=True)
    return need("pyarrow", "tables").array(json.dumps(row, ensure_ascii=False) for row in rows)


def _buckets(values: Sequence[Any], buckets: int) -> Any:
    """By a hash of the values with a unit separator (U+001F) between them."""
    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    texts = values[0] if len(values) == 1 else pc.binary_join_element_wise(*values, scalar("\x1f"))
    found = pa.array(fnv1a(texts) % buckets).dictionary_encode()
    digits = len(str(buckets - 1))
    names = pa.array(f"bucket_{bucket:0{digits}d}" for bucket in found.dictionary.to_pylist())
    return names.take(found.indices)
