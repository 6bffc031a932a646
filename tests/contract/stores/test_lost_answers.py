"""An entry whose answer is lost on its way: the client puts again by itself, and meets its own object."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.google_rules import GoogleRules
from tests.support.losing_proxy import LosingProxy, Loss, losing_proxy
from tests.support.pack_logs import planned, tried
from tests.support.places import BUCKET, GCS_BUCKET
from tests.support.servers import GCS_CONNECTION, Server, s3_connection
from triptych.jobs.pack_log import PackLog
from triptych.jobs.plan import PlanRef, put_plan, read_plan
from triptych.jobs.workspace import Workspace
from triptych.settings import read_settings
from triptych.storage import Stores

CLIENT_ATTEMPTS = 3


@dataclass(frozen=True)
class Losing:
    """A workspace, and the proxy before its store."""

    proxy: LosingProxy
    workspace: Workspace


@pytest.fixture(params=["reset", "500"])
def loss(request: pytest.FixtureRequest) -> Loss:
    found: Loss = request.param
    return found


@pytest.fixture(params=["s3", "gcs"])
def losing(request: pytest.FixtureRequest, loss: Loss, monkeypatch: pytest.MonkeyPatch) -> Iterator[Losing]:
    """Before SeaweedFS, and Google's; the first answer to each put of a plan and of an entry is lost."""

    def loses(asked: str) -> bool:
        # Google's puts have the name in their body.
        is_ours = "/commits/" in asked or "/plans/" in asked or "ifGenerationMatch=0" in asked
        return is_ours and asked.startswith(("PUT", "POST"))

    upstream: Server | GoogleRules = request.getfixturevalue("store" if request.param == "s3" else "gcs_rules")
    request.getfixturevalue("s3_seaweed" if request.param == "s3" else "gcs")
    with losing_proxy(upstream.endpoint, loses, loss) as proxy:
        monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_LOSING", s3_connection(proxy.endpoint, attempts=CLIENT_ATTEMPTS))
        if request.param == "gcs":
            monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_LOSING", GCS_CONNECTION)
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.endpoint)
        root = f"{BUCKET if request.param == 's3' else GCS_BUCKET}/{uuid.uuid4()}"
        yield Losing(proxy, Workspace(Stores(read_settings({})).open(root, "triptych_losing"), root))


@pytest.fixture
def proxy(losing: Losing) -> LosingProxy:
    return losing.proxy


@pytest.fixture
def workspace(losing: Losing) -> Workspace:
    return losing.workspace


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
