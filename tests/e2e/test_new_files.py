"""New files start jobs of these alone, with a triggerer that is killed, and files that come while a job runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.judged import findings
from tests.support.servers import Server, s3_client
from triptych.airflow.rest import poll
from triptych.demo.embedded import EmbeddedAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.docker]


@contextmanager
def _triggerer(airflow: EmbeddedAirflow) -> Iterator[None]:
    """Killed at the end, at whatever it does."""
    with (airflow.home / "logs" / "triggerer.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
            env=airflow.env,
            cwd=airflow.home,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def bucket(store: Server) -> Iterator[Any]:
    with s3_client(store, "arrivals") as client:
        yield client


def test_each_new_file_is_some_jobs_and_of_no_two(airflow: EmbeddedAirflow, bucket: Any) -> None:
    sent: list[str] = []

    def send(*names: str) -> None:
        for name in names:
            bucket.put_object(Bucket="arrivals", Key=f"incoming/{name}.txt", Body=f"file {name}\n".encode())
            sent.append(f"FILE {name.upper()}\n")

    def outputs() -> list[str]:
        """What all jobs made, each as often as it was made."""
        return sorted(text for run in airflow.client.runs("incoming", ["success"]) for text in _made(airflow, run))

    airflow.client.wait_for_dag("incoming")
    assert _told_by_doctor(airflow) == ["warning"]
    send("a")
    airflow.client.pause("incoming", paused=False)
    with _triggerer(airflow):
        assert poll(lambda: outputs() == sorted(sent), 180, 1), f"{outputs()}: {_log(airflow)}"
        assert _told_by_doctor(airflow) == ["ok"]
        send("b")
        # Killed somewhere between a look, its batch and its event.
        assert poll(lambda: len(_batches(airflow)) > 1, 60, 0.05), _log(airflow)
    before = len(airflow.client.runs("incoming"))
    send("c")
    with _triggerer(airflow):
        assert poll(lambda: len(airflow.client.runs("incoming")) > before, 120, 0.2), _log(airflow)
        send("d", "e")
        assert poll(lambda: outputs() == sorted(sent), 180, 1), f"{outputs()}: {_log(airflow)}"
    # One more may have begun, of an event that came twice; it makes nothing.
    assert poll(lambda: {run["state"] for run in airflow.client.runs("incoming")} == {"success"}, 120, 1)
    assert outputs() == sorted(sent)
    taken = sorted(path.name for path in (airflow.home / "workspace" / "_watch" / "incoming" / "taken").iterdir())
    assert taken == sorted(path.name for path in _batches(airflow))


def _told_by_doctor(airflow: EmbeddedAirflow) -> list[str]:
    _, found = findings(airflow.env)
    return [finding["standing"] for finding in found if finding["about"] == "triggerer"]


def _batches(airflow: EmbeddedAirflow) -> list[Any]:
    folder = airflow.home / "workspace" / "_watch" / "incoming" / "batches"
    return list(folder.iterdir()) if folder.is_dir() else []


def _made(airflow: EmbeddedAirflow, run: Mapping[str, Any]) -> list[str]:
    folder = airflow.home / "workspace" / "outputs" / "incoming" / run["dag_run_id"]
    return [path.read_text() for path in folder.rglob("*") if path.is_file() and "_triptych" not in path.parts]


def _log(airflow: EmbeddedAirflow) -> str:
    return (airflow.home / "logs" / "triggerer.log").read_text()[-3000:]
