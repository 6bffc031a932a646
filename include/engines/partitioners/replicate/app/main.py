"""The whole input, once per replica; nothing is copied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    replicas = params["replicas"]
    for number in range(replicas):
        about = {"replica": number, "replicas": replicas}
        yield Chunk.of_sources(sources, name=f"replica_{number}", metadata=about)
