"""What is read of Airflow's own configuration beside our section, and which texts of our own are refused."""

from __future__ import annotations

import pytest

from triptych.errors import ConfigError
from triptych.settings import get_settings, read_settings


@pytest.mark.parametrize(
    ("executor", "here"),
    [
        ("LocalExecutor", True),
        ("airflow.executors.local_executor.LocalExecutor", True),
        ("CeleryExecutor", False),
        ("LocalExecutor,CeleryExecutor", False),
        ("far:airflow.providers.edge3.executors.EdgeExecutor", False),
        ("LocalExecutor;team_a=LocalExecutor,near:LocalExecutor", True),
        ("LocalExecutor;team_a=CeleryExecutor", False),
    ],
)
def test_only_the_local_executor_keeps_every_task_here(
    executor: str, here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("airflow")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    get_settings.cache_clear()
    assert get_settings().one_machine is here
    assert get_settings().shared_folders is here
    for said in ("yes", "no"):
        monkeypatch.setenv("AIRFLOW__TRIPTYCH__SHARED_FOLDERS", said)
        get_settings.cache_clear()
        assert get_settings().shared_folders is (said == "yes")
    get_settings.cache_clear()


def test_a_pod_of_the_kubernetes_executor_is_one_machine_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official chart tells it that the executor is the LocalExecutor: a file would stay on the pod's own disk."""
    pytest.importorskip("airflow")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    monkeypatch.setenv("AIRFLOW_IS_K8S_EXECUTOR_POD", "True")
    get_settings.cache_clear()
    assert not get_settings().one_machine
    assert not get_settings().shared_folders
    get_settings.cache_clear()


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "http://host", "host:80", "host/path", "10.300.1.1", "*", "a b", "1.2.3"]
)
def test_what_is_no_network_or_host_is_refused(text: str) -> None:
    sound = "10.0.0.0/8, fd00::/8, ::1, a-b.example.com"
    assert ", ".join(read_settings({"allowed_addresses": sound}).allowed_addresses) == sound
    with pytest.raises(ConfigError, match="allowed_addresses"):
        read_settings({"allowed_addresses": f"{sound}, {text}"})
