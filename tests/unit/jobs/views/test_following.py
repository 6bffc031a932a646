"""A job looked at again and again: what is new since the last look, and nothing is read twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.pack_logs import planned, tried
from triptych.jobs.pack_log import PackLog
from triptych.jobs.plan import put_plan
from triptych.jobs.views.following import Follower
from triptych.jobs.workspace import Workspace
from triptych.storage import SMALL_BYTES
from triptych.storage.files import FileStore


class _Counting(FileStore):
    """Notes which entries of logs are read."""

    entries: list[str]

    def read(self, uri: str, most_bytes: int = SMALL_BYTES) -> bytes:
        if "/commits/" in uri:
            self.entries.append(uri.rsplit("/", 2)[1])
        return super().read(uri, most_bytes)


@pytest.fixture
def store(tmp_path: Path) -> _Counting:
    store = _Counting([tmp_path])
    store.entries = []
    return store


@pytest.fixture
def workspace(tmp_path: Path, store: _Counting) -> Workspace:
    return Workspace(store, (tmp_path / "dag" / "run").as_uri())


def test_each_look_tells_what_is_new_and_reads_what_has_changed(workspace: Workspace, store: _Counting) -> None:
    follower = Follower(workspace)
    assert follower.look() is None
    plan = planned(6, per_pack=2)
    put_plan(workspace, plan)
    seen = follower.look()
    assert seen is not None
    assert (seen.chunks, seen.done, seen.failed, seen.left, seen.new) == (6, 0, 0, 6, [])
    first, second, _ = (PackLog(workspace, plan, pack) for pack in plan.packs)
    first.append([tried(0, "a"), tried(1, "a", 1, error="exit code 3")])
    seen = follower.look()
    assert seen is not None
    assert (seen.done, seen.failed, seen.left, len(seen.new)) == (1, 1, 4, 2)
    store.entries.clear()
    second.append([tried(2, "b")])
    first.append([tried(1, "a", 2)])
    store.entries.clear()
    seen = follower.look()
    assert seen is not None
    assert (seen.done, seen.failed, seen.tries) == (3, 0, 4)
    assert sorted((each.chunk, each.serial) for each in seen.new) == [(1, 2), (2, 0)]
    assert sorted(store.entries) == ["0-2", "2-2"]
    store.entries.clear()
    seen = follower.look()
    assert seen is not None
    assert (seen.new, store.entries) == ([], [])


def test_a_plan_that_lets_results_go_counts_them_no_more(workspace: Workspace) -> None:
    plan = planned(2, per_pack=2)
    put_plan(workspace, plan)
    PackLog(workspace, plan, plan.packs[0]).append([tried(0, "a"), tried(1, "a", 1)])
    follower = Follower(workspace)
    seen = follower.look()
    assert seen is not None
    assert seen.done == 2
    put_plan(workspace, replace(plan, generation=1))
    seen = follower.look()
    assert seen is not None
    assert (seen.done, seen.left) == (0, 2)
