"""An engine elsewhere to which the network is cut while a chunk runs there."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.running.conftest import WAYS, Connect
from tests.support.cut_cable import CutCable, cut_cable
from tests.support.elsewhere import ONLY_THERE, Elsewhere
from tests.support.include_folders import write_app
from triptych.airflow.rest import poll
from triptych.errors import ContainerError
from triptych.jobs.job import load_job, new_job
from triptych.jobs.pack_log import read_states
from triptych.jobs.spec import build_job_spec
from triptych.running import container
from triptych.running.transport import connected, patience
from triptych.stages.assemble import assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import Launch, run_pack

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.getuid() != 0, reason="starting an engine needs root"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no dockerd here: apt-get install docker.io"),
    pytest.mark.skipif(not Path("/usr/sbin/sshd").exists(), reason="no sshd here: apt-get install openssh-server"),
]

HELD = """
import os, pathlib, time
tried = pathlib.Path(os.environ["USER_CACHE_DIR"], os.environ["JOB_ID"].replace("/", "_"))
if os.environ["CHUNK_NUMBER"] == "1" and not tried.exists():
    tried.touch()
    print("it is held", flush=True)
    time.sleep(3600)
data = pathlib.Path(os.environ["TASK_DIR"], "data.bin").read_text()
pathlib.Path(os.environ["TASK_RESULTS_DIR"], "out").write_text(data.upper())
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_network_that_is_cut_in_mid_chunk_ends_the_try_and_no_chunk_counts_twice(
    connect: Connect, elsewhere: Elsewhere, worker: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is told of the cut: packets are lost. The app is one that says nothing, for an hour."""
    # The kernel answers for a machine that is busy; sshd has to come to it.
    monkeypatch.setattr(patience, "SILENT_S", 6 if way == "tls" else 24)
    monkeypatch.setattr(patience, "AGAIN_S", 1)
    manifest = {"platform_config": {"container": ONLY_THERE}}
    template: dict[str, Any] = {"partitioner": "rows", "assembler": "concat", "config": {"chunksPerTask": 3}}
    template["params"] = {"partitioner": {"items_per_chunk": 1, "format": "lines"}}
    app = write_app(worker / "include", HELD, name=f"held-{way}", manifest=manifest, template=template)
    (worker / "in.txt").write_text("one\ntwo\nthree\n")
    with cut_cable(elsewhere.port if way == "tls" else elsewhere.sshd.port) as cable:
        url = _url(way, cable)
        data = dataclasses.replace(connect(way, url), workspace=(worker / "w").as_uri(), allowed_roots=(worker,))
        conf = {"dataSource": (worker / "in.txt").as_uri(), "dataDestination": f"{(worker / 'out').as_uri()}/"}
        done = partition(new_job(data, app, build_job_spec(app, conf), app.id, "run"))
        job = load_job(data, app.id, "run", done.ref)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(run_pack, job, 0, Launch("1", 1, "first"))
            assert poll(lambda: first.done() or _is_held(elsewhere, app.id), 120, 0.1)
            cable.cut()
            try:
                with monkeypatch.context() as patch:
                    patch.setattr(container, "ENDING_S", 3)
                    error = first.exception(300)
            finally:
                cable.mend()
        assert isinstance(error, ContainerError)
        assert error.retryable
        assert re.fullmatch(f"The connection to the engine at {re.escape(url)}, .* was lost while .* ran.", str(error))
        assert run_pack(job, 0, Launch("1", 2, "second")) == 2
    assert assemble(job).chunks == 3
    [output] = [path for path in (worker / "out").iterdir() if path.is_file()]
    assert output.read_text() == "ONE\nTWO\nTHREE\n"
    [(_, state)] = read_states(job.workspace, job.plan).values()
    assert {number: tried.worker for number, tried in state.done.items()} == {0: "first", 1: "second", 2: "second"}
    assert not state.failures
    running = ("ps", "-q", "--filter", f"label=triptych.dag={app.id}")
    assert poll(lambda: elsewhere.engine.docker(*running) == "", 120, 0.1), "What was held runs on."
    for left in elsewhere.engine.docker("ps", "-aq").split():
        elsewhere.engine.docker("rm", "-v", left)


def _url(way: str, cable: CutCable) -> str:
    return f"tcp://127.0.0.1:{cable.port}" if way == "tls" else f"ssh://root@127.0.0.1:{cable.port}"


def _is_held(elsewhere: Elsewhere, dag_id: str) -> bool:
    running = elsewhere.engine.docker("ps", "-q", "--filter", f"label=triptych.dag={dag_id}").split()
    with suppress(subprocess.CalledProcessError):  # The first chunk's container may be gone by now.
        return any("it is held" in elsewhere.engine.docker("logs", each) for each in running)
    return False


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_that_did_not_answer_once_is_asked_with_less_patience(
    connect: Connect, elsewhere: Elsewhere, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be removed there would be waited for once more for each container and volume."""
    monkeypatch.setattr(patience, "AGAIN_S", 3)
    with cut_cable(elsewhere.port if way == "tls" else elsewhere.sshd.port) as cable:
        url = _url(way, cable)
        with connected(connect(way, url)) as client:
            assert client.ping()
            cable.cut()
            with pytest.raises(requests.RequestException):
                client.wait("some", timeout=1)
            assert client.timeout == patience.ANSWER_S, "A look that was to be short says nothing of the engine."
            client.timeout = 4
            with pytest.raises(requests.RequestException):
                client.ping()
            assert client.timeout == 3


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_that_was_cut_off_before_is_not_waited_for(
    connect: Connect, elsewhere: Elsewhere, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "REACHED_S", 1)
    monkeypatch.setattr(patience, "ANSWER_S", 100_000)  # Whoever waits for an answer here does not come back.
    with cut_cable(elsewhere.port if way == "tls" else elsewhere.sshd.port) as cable:
        settings = connect(way, _url(way, cable))
        cable.cut()
        with pytest.raises(ContainerError, match=r"No Docker engine answers|cannot be reached"), connected(settings):
            pytest.fail("An engine answered by a cable that is cut.")
