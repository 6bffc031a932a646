"""What of Airflow's configuration is told, by configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from triptych.airflow.checkup.at_start import on_starting
from triptych.airflow.checkup.configuration import check_configuration, check_shared
from triptych.checkup import Standing
from triptych.settings import get_settings, read_settings

ALONE = read_settings({"workspace": "s3://bucket/w"})
MANY = dataclasses.replace(ALONE, one_machine=False, shared_folders=False)
SOUND = {
    "CORE__EXECUTOR": "CeleryExecutor",
    "CORE__EXECUTION_API_SERVER_URL": "https://airflow.example.com/execution/",
    "CORE__FERNET_KEY": "x" * 44,
    "API_AUTH__JWT_SECRET": "secret",
    "LOGGING__REMOTE_LOGGING": "True",
    "LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://logs/",
    "SCHEDULER__TASK_QUEUED_TIMEOUT": "600",
    "SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "1000",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
}


def _found(monkeypatch: pytest.MonkeyPatch, **changes: str) -> dict[str, Standing]:
    for key, value in {**SOUND, **changes}.items():
        monkeypatch.setenv(f"AIRFLOW__{key}", value)
    return {each.about: each.standing for each in check_configuration(MANY) if each.standing is not Standing.OK}


def test_one_machine_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    assert [finding.standing for finding in check_configuration(ALONE)] == [Standing.OK]


def test_many_machines_that_have_what_they_need_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _found(monkeypatch) == {}


@pytest.mark.parametrize(
    ("key", "value", "about", "standing"),
    [
        ("CORE__EXECUTION_API_SERVER_URL", "http://localhost:8080/execution/", "api address", Standing.WRONG),
        ("CORE__EXECUTION_API_SERVER_URL", "http://127.0.0.2:8080/execution/", "api address", Standing.WRONG),
        ("CORE__EXECUTION_API_SERVER_URL", "http://[::1]/execution/", "api address", Standing.WRONG),
        ("CORE__EXECUTION_API_SERVER_URL", "", "api address", Standing.WRONG),
        ("CORE__FERNET_KEY", "", "keys", Standing.WRONG),
        ("LOGGING__REMOTE_LOGGING", "False", "task logs", Standing.WARNING),
        ("SCHEDULER__TASK_QUEUED_TIMEOUT", "21600", "queue", Standing.WARNING),
        ("SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES", "2", "queue", Standing.WARNING),
        ("SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT", "300", "heartbeat", Standing.WARNING),
        ("CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT", "3600", "redis", Standing.WARNING),
    ],
)
def test_each_thing_that_is_missing_is_told(
    monkeypatch: pytest.MonkeyPatch, key: str, value: str, about: str, standing: Standing
) -> None:
    assert _found(monkeypatch, **{key: value}) == {about: standing}


def test_another_executor_is_asked_nothing_of_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    redis = {"CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "1"}
    assert _found(monkeypatch, CORE__EXECUTOR="KubernetesExecutor", **redis) == {}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {}),
        ({"LOGGING__REMOTE_LOGGING": "False"}, {}),  # They push their logs.
        ({"EDGE__API_ENABLED": "False"}, {"edge": Standing.WRONG}),
        ({"EDGE__API_ENABLED": "False", "EDGE__API_URL": "https://airflow.example.com/edge_worker/v1/rpcapi"}, {}),
        ({"API_AUTH__JWT_SECRET": ""}, {"edge": Standing.WRONG}),
        ({"API_AUTH__JWT_SECRET": "", "EDGE__TRUSTED_JWKS_URL": "https://id.example.com/keys"}, {}),
        ({"API_AUTH__JWT_PRIVATE_KEY_PATH": ""}, {"edge": Standing.WARNING}),
    ],
)
def test_edge_workers_need_their_api_and_a_secret(
    monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, str], found: Mapping[str, Standing]
) -> None:
    edge = {"CORE__EXECUTOR": "EdgeExecutor", "EDGE__API_ENABLED": "True", "API_AUTH__JWT_PRIVATE_KEY_PATH": "/key"}
    assert _found(monkeypatch, **{**edge, **changes}) == found


def test_a_workspace_of_one_machine_is_told(tmp_path: Path) -> None:
    own = dataclasses.replace(MANY, workspace=tmp_path.as_uri())
    assert [finding.standing for finding in check_shared(own)] == [Standing.WRONG]
    assert list(check_shared(dataclasses.replace(own, shared_folders=True))) == []
    assert list(check_shared(MANY)) == []


class Job:
    """What Airflow's scheduler, DAG processor and triggerer call their listeners with, by its class's name."""


def test_the_components_logs_have_what_is_missing(
    include: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://localhost/")
    get_settings.cache_clear()
    on_starting(object())
    assert caplog.text == ""
    on_starting(Job())
    assert "api address: Tasks are told http://localhost/" in caplog.text
    assert "shared files: [triptych] workspace" in caplog.text


def test_what_is_forked_of_a_component_reads_its_own_settings() -> None:
    """As the DAG processor does for each DAG file: a team's says where its blocks are."""
    get_settings.cache_clear()
    on_starting(Job())
    assert get_settings.cache_info().currsize == 0


def test_airflows_own_component_has_that_name() -> None:
    from airflow.jobs.job import Job as Airflows

    assert Airflows.__name__ == Job.__name__
