"""`triptych doctor` where an Airflow runs."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from tests.support.judged import findings
from triptych.demo.embedded import EmbeddedAirflow
from triptych.errors import ConfigError
from triptych.settings import PROJECT

if TYPE_CHECKING:
    import pytest

POOL = "default_pool"


def test_the_doctor_reads_a_running_airflow(airflow: EmbeddedAirflow) -> None:
    code, found = findings(airflow.env, "--include", str(PROJECT / "include"))
    told = {finding["about"]: finding for finding in found}
    assert code == 0, told
    assert told["executor"]["said"] == "LocalExecutor: all tasks run on the scheduler's machine."
    slots = airflow.client.get(f"pools/{POOL}")["slots"]
    assert f"{POOL!r} has {slots} slots" in told["pools"]["said"]
    assert told["pools"]["standing"] == ("ok" if slots <= (os.cpu_count() or 1) else "warning")


def test_a_class_whose_pool_is_missing_is_told(airflow: EmbeddedAirflow, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        "some": {"cores": 64, "memory_gib": 512, "pool": POOL},
        "far": {"cores": 9, "memory_gib": 9, "pool": "far"},
    }
    monkeypatch.setitem(airflow.env, "AIRFLOW__TRIPTYCH__CLASSES", json.dumps(table))
    code, found = findings(airflow.env, "--include", str(PROJECT / "include"))
    assert code == ConfigError.exit_code
    (wrong,) = (finding["said"] for finding in found if finding["standing"] == "wrong")
    assert wrong == "[triptych] classes.far: there is no pool 'far'."


def test_an_app_that_no_pool_can_hold_is_told_before_it_is_launched(airflow: EmbeddedAirflow) -> None:
    code, found = findings(airflow.env)
    assert code == ConfigError.exit_code
    (wrong,) = (finding["said"] for finding in found if finding["standing"] == "wrong")
    assert "`huge.app` takes 1000 slots" in wrong
