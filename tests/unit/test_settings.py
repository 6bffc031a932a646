"""What is read of Airflow's own configuration beside our section."""

from __future__ import annotations

import pytest

from triptych.settings import get_settings


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
