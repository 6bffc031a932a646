"""A commit whose answer is lost on its way: the client puts again by itself, and meets its own object."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.losing_proxy import LosingProxy, Loss, losing_proxy
from tests.support.servers import Server, s3_connection
from triptych.jobs.workspace import Workspace
from triptych.running import Usage
from triptych.running.result_files import ResultLimits
from triptych.settings import read_settings
from triptych.stages.run_pack import ResultStore
from triptych.storage import Stores

CLIENT_ATTEMPTS = 3
LIMITS = ResultLimits(files=10, bytes=1 << 20)


@pytest.fixture(params=["reset", "500"])
def proxy(request: pytest.FixtureRequest, s3_seaweed: str, store: Server) -> Iterator[LosingProxy]:
    """Before SeaweedFS; the first answer to each commit's put is lost."""
    loss: Loss = request.param
    with losing_proxy(store.endpoint, lambda asked: asked.startswith("PUT") and "/results/" in asked, loss) as made:
        yield made


@pytest.fixture
def workspace(proxy: LosingProxy, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_LOSING", s3_connection(proxy.endpoint, attempts=CLIENT_ATTEMPTS))
    return Workspace(Stores(read_settings({})).open("s3://tests/w", "triptych_losing"), f"s3://tests/{uuid.uuid4()}")


def _result(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "r.txt").write_text(text)
    return folder


def test_a_commit_whose_answer_was_lost_counts_and_keeps_its_files(
    workspace: Workspace, proxy: LosingProxy, tmp_path: Path
) -> None:
    results = ResultStore(workspace, "1-ours", LIMITS, 1)
    assert results.commit(0, _result(tmp_path / "out", "kept"), Usage(1.0))
    assert len(proxy.lost) == 2  # Of the file and of the commit.
    commit = workspace.read_commit(0)
    assert commit is not None
    assert commit.attempt == "1-ours"
    assert workspace.store.read(workspace.result_uri(0, "1-ours", "r.txt")) == b"kept"


def test_the_second_of_two_attempts_deletes_nothing(workspace: Workspace, tmp_path: Path) -> None:
    assert ResultStore(workspace, "1-first", LIMITS, 1).commit(0, _result(tmp_path / "first", "first"), Usage(1.0))
    assert not ResultStore(workspace, "1-second", LIMITS, 1).commit(0, _result(tmp_path / "2", "second"), Usage(1.0))
    commit = workspace.read_commit(0)
    assert commit is not None
    assert commit.attempt == "1-first"
    texts = [workspace.store.read(workspace.result_uri(0, name, "r.txt")) for name in ("1-first", "1-second")]
    assert texts == [b"first", b"second"]
