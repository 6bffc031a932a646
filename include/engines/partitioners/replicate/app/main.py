"""The whole input, once per replica; nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.reduction.replicas import Replica


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for number in range(params["replicas"]):
        replica = Replica(replica=number, replicas=params["replicas"])
        yield Chunk.of_sources(sources, name=f"replica_{number}", metadata=replica.to_metadata())
