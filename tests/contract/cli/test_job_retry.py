"""`triptych job retry` without an Airflow that answers: what it says before it does anything."""

from __future__ import annotations

import socket

import pytest

from tests.support.command import call

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
