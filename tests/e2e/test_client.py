"""`triptych.client` against a real Airflow, and the example notebook, whose outputs are those that it has here."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from triptych.api.prefix import PREFIX
from triptych.client import Client, Job, NotFoundError, RefusedError, State
from triptych.demo.embedded import EmbeddedAirflow
from triptych.errors import JobFailedError
from triptych.profiles import Profile, write_profiles
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
NOTEBOOK = PROJECT / "examples" / "jobs.ipynb"
KEPT = "KEEP_NOTEBOOK"
"""With this variable set the outputs of the run become those of the notebook."""
SHOWN = ("text/plain", "text/html")


@pytest.fixture(scope="module")
def key(airflow: EmbeddedAirflow) -> str:
    made = airflow.client.ask("POST", f"{PREFIX}/auth/api_keys", {"name": "tests"})
    return str(made["apiKey"])


@pytest.fixture
def client(airflow: EmbeddedAirflow, key: str) -> Client:
    return Client(airflow.url, api_key=key)


@pytest.fixture(scope="module")
def jobs(airflow: EmbeddedAirflow, key: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Job]:
    """By template, all at once: what each does is a matter of waiting."""
    client = Client(airflow.url, api_key=key)
    words = tmp_path_factory.mktemp("client") / "two words.txt"
    words.write_text("so it goes\nso it went\n")
    upper = client.launch("upper", source=words, name="Shouted", description="of a test")
    return {"upper": upper, "once": client.launch("once"), "held": client.launch("held")}


def test_a_file_goes_up_and_its_output_comes_down(client: Client, jobs: Mapping[str, Job], tmp_path: Path) -> None:
    job = jobs["upper"]
    events = list(job.events())
    assert events[-1].state is State.COMPLETE
    assert (events[-1].chunks, events[-1].done, events[-1].failed) == (1, 1, 0)
    (path,) = job.download(tmp_path / "out")
    assert path.read_text() == "SO IT GOES\nSO IT WENT\n"
    status = job.status()
    assert (status.template, status.name, status.error) == ("upper", "Shouted", "")
    assert status.created
    assert status.seconds
    assert job.report()["counts"]["chunks"] == 1
    assert b"<html" in job.save_report(tmp_path / "report.html").read_bytes()
    assert [line for line in job.logs("INFO") if "partition" in line]
    assert job.id in [each.id for each in client.jobs()]
    with pytest.raises(NotFoundError, match="It has: "):
        job.read("none.txt")


def test_a_job_that_failed_is_retried_by_the_one_who_is_told_so(jobs: Mapping[str, Job]) -> None:
    job = jobs["once"]
    with pytest.raises(JobFailedError, match=r"of once failed: Chunk 1 \((.|\n)*not yet"):
        job.wait()
    with pytest.raises(RefusedError, match="Chunk 1"):
        job.outputs()
    assert job.retry().wait().read("output").decode() == "0\n1\n2\n"
    assert job.status().error == ""


def test_a_job_is_stopped_and_no_other_word_is_said_of_it_once_it_is_stopped(jobs: Mapping[str, Job]) -> None:
    job = jobs["held"]
    for event in job.events():
        if event.state is State.RUNNING:
            with pytest.raises(RefusedError, match="has not ended"):
                job.retry()
            job.cancel()
    assert job.status().error == "Aborted by admin."
    with pytest.raises(RefusedError, match="ended already"):
        job.cancel()


def test_what_is_wrong_leaves_nothing_behind(client: Client) -> None:
    for params, told in (({"app": {"min_length": 0}}, "min_length"), ({"assembler": {"b": 1}}, "params.assembler.b")):
        with pytest.raises(RefusedError, match=told):
            client.launch("wordcount", source="https://example.com/a.txt", params=params)
    with pytest.raises(NotFoundError, match="nothing"):
        client.launch("nothing")
    with pytest.raises(RefusedError, match="dataSource: is missing"):
        client.launch("upper")
    assert [each.state for each in client.jobs() if each.state is State.NEW] == []


def test_a_profile_of_name_and_password_will_do(
    airflow: EmbeddedAirflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    write_profiles({"here": Profile(airflow.url, user="admin", password=airflow.password)})
    client = Client(profile="here")
    assert client.user() == "admin"
    assert "wordcount" in [template.id for template in client.templates()]


def test_the_notebook_prints_what_it_shows(
    airflow: EmbeddedAirflow, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a kernel of its own, which has an address, a key and the package."""
    for name, value in (
        ("TRIPTYCH_URL", airflow.url),
        ("TRIPTYCH_API_KEY", key),
        ("IPYTHONDIR", str(tmp_path)),
        ("JUPYTER_RUNTIME_DIR", str(tmp_path)),
        ("PYTHONPATH", str(PROJECT / "plugins")),
    ):
        monkeypatch.setenv(name, value)
    shown = nbformat.read(NOTEBOOK, as_version=4)
    run = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(run, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    if os.environ.get(KEPT):
        for cell in run.cells:
            cell.metadata.pop("execution", None)
        nbformat.write(run, tmp_path / "jobs.ipynb")
        shutil.copy(tmp_path / "jobs.ipynb", NOTEBOOK)
        return
    for wanted, cell in zip(shown.cells, run.cells, strict=True):
        assert _told(cell) == _told(wanted), f"{cell.source}\n\nIf that is right: {KEPT}=1 and this test write it anew."


def _told(cell: Mapping[str, Any]) -> list[str]:
    """What a cell prints and shows, but for ids of jobs."""
    texts = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        texts += [str(output["text"])] if "text" in output else [str(data[kind]) for kind in SHOWN if kind in data]
    return [re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "JOB", text) for text in texts]
