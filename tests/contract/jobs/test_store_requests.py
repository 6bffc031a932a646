"""How often a job asks its store: a count at a proxy, so that no speed of this machine is in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.fault_proxy import Request
from tests.support.servers import Server
from tests.support.store_requests import count_requests, count_runs

MOST_PER_CHUNK = 1.2
"""DESIGN 9, for trivial range chunks and all stages together; it was 5.2 when each chunk had objects of its own."""


def test_range_chunks_share_their_requests(store: Server, tmp_path: Path) -> None:
    counted = count_requests(store, tmp_path, chunks=200, per_task=50)
    assert counted.per_chunk <= MOST_PER_CHUNK, dict(counted.by_kind)


@pytest.mark.docker
def test_results_that_are_kept_take_a_listing_and_few_objects_a_pack(store: Server, tmp_path: Path) -> None:
    """Two packs of 50 chunks: what they left, or find, is an object of results and an index each."""
    first, second = count_runs(store, tmp_path, 100, 50, 2, "kept", ["--runner", "docker"], {"cacheable": True})
    kept = Counter(kind for kind, path in first.keys if "/_cache/" in path)
    taken = Counter(kind for kind, path in second.keys if "/_cache/" in path)
    # An attempt puts what it has after two seconds, and the rest at its end; who is first tells the context.
    assert set(kept) == {Request.PUT}
    assert 4 <= kept[Request.PUT] <= 16
    assert taken[Request.PUT] == 0
    assert taken[Request.GET] + taken[Request.RANGED_GET] <= kept[Request.PUT]
    # Beside the listings that it makes as well where nothing is kept: one of the cache for each pack.
    assert second.by_kind[Request.LIST] <= first.by_kind[Request.LIST]
    assert second.per_chunk <= MOST_PER_CHUNK, dict(second.by_kind)
