"""Records of equal keys into one chunk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.grouping import grouped


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    """A chunk per key, or per bucket that has a record, in the order in which they first occur."""
    columns, buckets = params["columns"], params["buckets"]

    def label(values: Sequence[str]) -> str:
        if buckets is None:
            return values[0] if len(values) == 1 else json.dumps(values, ensure_ascii=False)
        digest = blake2b(json.dumps(values, ensure_ascii=False).encode(), digest_size=8).digest()
        return f"bucket_{int.from_bytes(digest, 'big') % buckets:0{len(str(buckets - 1))}d}"

    def about(label: str) -> dict[str, Any]:
        if buckets is not None:
            return {"bucket": int(label.removeprefix("bucket_")), "buckets": buckets}
        values = [label] if len(columns) == 1 else json.loads(label)
        return {"key": dict(zip(columns, values, strict=True))}

    return grouped(sources, params["format"], columns, label, about)
