"""`triptych job retry` with no Airflow that answers, or with one that means harm: it says so, and does nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.hostile_server import Reply, hostile_server

RETRY = ("job", "retry", "run-1", "--new-code", "keep")


@pytest.fixture
def closed_port() -> int:
    """A port of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "AIRFLOW_TOKEN"),
        (["--token-env", "MINE"], "MINE"),
        (["--user", "me"], "AIRFLOW_PASSWORD"),
        (["--user", "me", "--password-env", "MINE"], "MINE"),
    ],
)
def test_a_login_is_wanted_by_variable(options: list[str], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AIRFLOW_TOKEN", "AIRFLOW_PASSWORD", "MINE"):
        monkeypatch.delenv(variable, raising=False)
    refused = call(*RETRY, "--airflow", "http://127.0.0.1:1", *options)
    assert refused.exit_code == 2
    assert f"{name} is not set" in refused.stderr


def test_an_airflow_that_is_not_there_is_named(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_TOKEN", "t")
    failed = call(*RETRY, "--airflow", f"http://127.0.0.1:{closed_port}")
    assert failed.exit_code == 1
    assert f"http://127.0.0.1:{closed_port}/api/v2/dags/~/dagRuns" in failed.stderr
    assert "Is the api-server running?" in failed.stderr


SECRET = "eyJ0b2tlbiI6.c2VjcmV0.7731"


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (403, f"Bearer {SECRET} is \x1b[2J\x07 no good", "HTTP 403"),
        (200, "<html>\x1b]0;owned\x07 Sign in", "no JSON object"),
        (302, "", "no login is sent there"),
        (
            200,
            json.dumps({"dag_runs": [{"dag_id": "../../outside", "dag_run_id": "run-1"}], "total_entries": 1}),
            "outside",
        ),
        (200, json.dumps({"dag_runs": [{"dag_id": 3}], "total_entries": 1}), "the answer lacks"),
    ],
)
def test_an_airflow_that_means_harm_is_one_message(
    status: int, body: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_TOKEN", SECRET)
    before = sorted(tmp_path.rglob("*"))
    with hostile_server(lambda _: Reply(body.encode(), status, {"Location": "http://192.0.2.1/"})) as server:
        failed = call(*RETRY, "--airflow", server.url, "--include", tmp_path)
    assert failed.exit_code in (1, 3)
    assert isinstance(failed.exception, SystemExit)
    assert says in failed.stderr
    assert SECRET not in failed.output
    assert not {"\x1b", "\x07"} & set(failed.output)
    assert sorted(tmp_path.rglob("*")) == before
