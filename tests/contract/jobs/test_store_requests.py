"""How often a job asks its store: a count at a proxy, so that no speed of this machine is in it."""

from __future__ import annotations

from pathlib import Path

from tests.support.servers import Server
from tests.support.store_requests import count_requests

MOST_PER_CHUNK = 1.2
"""DESIGN 9, for trivial range chunks and all stages together; it was 5.2 when each chunk had objects of its own."""


def test_range_chunks_share_their_requests(store: Server, tmp_path: Path) -> None:
    counted = count_requests(store, tmp_path, chunks=200, per_task=50)
    assert counted.per_chunk <= MOST_PER_CHUNK, dict(counted.by_kind)
