"""An entry whose answer is lost on its way: the client puts again by itself, and meets its own object."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support.losing_proxy import LosingProxy, Loss, losing_proxy
from tests.support.pack_logs import planned, tried
from tests.support.servers import Server, s3_connection
from triptych.jobs.pack_log import PackLog
from triptych.jobs.plan import PlanRef, put_plan, read_plan
from triptych.jobs.workspace import Workspace
from triptych.settings import read_settings
from triptych.storage import Stores

CLIENT_ATTEMPTS = 3


@pytest.fixture(params=["reset", "500"])
def proxy(request: pytest.FixtureRequest, s3_seaweed: str, store: Server) -> Iterator[LosingProxy]:
    """Before SeaweedFS; the first answer to each put of a plan and of an entry is lost."""
    loss: Loss = request.param

    def loses(asked: str) -> bool:
        return asked.startswith("PUT") and ("/commits/" in asked or "/plans/" in asked)

    with losing_proxy(store.endpoint, loses, loss) as made:
        yield made


@pytest.fixture
def workspace(proxy: LosingProxy, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_LOSING", s3_connection(proxy.endpoint, attempts=CLIENT_ATTEMPTS))
    return Workspace(Stores(read_settings({})).open("s3://tests/w", "triptych_losing"), f"s3://tests/{uuid.uuid4()}")


def test_an_entry_whose_answer_was_lost_counts_once(workspace: Workspace, proxy: LosingProxy) -> None:
    plan = planned(chunks=2)
    ours = PackLog(workspace, plan, plan.packs[0])
    state = ours.append([tried(0, "ours")])
    assert len(proxy.lost) == 1
    assert state.done[0].attempt == "ours"
    assert ours.position.number == 1
    second = PackLog(workspace, plan, plan.packs[0])
    second.read()
    assert second.append([tried(0, "other"), tried(1, "other")]).done[0].attempt == "ours"
    assert ours.append([tried(1, "ours", serial=1)]).done[1].attempt == "other"
    assert [name.rpartition("/")[2] for name in workspace.names("commits/")] == ["00000001.json", "00000002.json"]


def test_a_plan_whose_answer_was_lost_is_ours(workspace: Workspace, proxy: LosingProxy) -> None:
    plan = planned(chunks=2)
    ref = put_plan(workspace, plan)
    assert len(proxy.lost) == 1
    assert read_plan(workspace, PlanRef.parse(str(ref))) == plan
    assert put_plan(workspace, planned(chunks=3)) == ref
