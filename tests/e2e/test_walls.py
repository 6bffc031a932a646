"""What a caller may not name is refused by a real Airflow, over REST, in one try and before any data moves."""

from __future__ import annotations

from typing import Any

import pytest

from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
LINES = (PROJECT / "include" / "apps" / "linecount" / "test" / "lines.txt").as_uri()


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"dataSource": "file://{home}/workspace/"}, "of Triptych's own (workspace, registry, scratch"),
        (
            {"dataSource": "file://{home}/x/../%77orkspace/outputs/"},
            "of Triptych's own (workspace, registry, scratch",
        ),
        (
            {"dataSource": LINES, "dataDestination": "file://{home}/workspace/outputs/upper/theirs/"},
            "of Triptych's own (workspace, registry, scratch",
        ),
        (
            {"dataSource": {"uri": "s3://jobs/in/", "conn_id": "team_b"}},
            "dataSource: the connection 'team_b' is none that a caller may name. The template's author can list",
        ),
        ({"dataSource": "http://2130706433:8080/api/v2/connections"}, "is no public address"),
        ({"dataSource": "s3://jobs/in/"}, "a caller may not use the worker's own credentials"),
        (
            {"dataSource": {"dataSourceDescriptor": "s3", "params": {"bucket": "jobs", "key": "a", "secretid": "b"}}},
            "dataSource.params.secretid: is unknown. Did you mean 'secret_id'?",
        ),
        ({"dataSource": "file://{home}/{{{{ 'x' * 3000000000 }}}}"}, "3000000000 }}: the glob holds no file"),
    ],
    ids=str,
)
def test_what_a_caller_may_not_name_is_refused(airflow: EmbeddedAirflow, conf: dict[str, Any], words: str) -> None:
    filled = {k: v.format(home=airflow.home) if isinstance(v, str) else v for k, v in conf.items()}
    run_id = airflow.client.trigger("upper", filled)
    assert airflow.client.wait_for_run("upper", run_id) == "failed"
    [partition] = [task for task in airflow.client.tasks("upper", run_id) if task["task_id"] == "partition"]
    assert partition["try_number"] == 1
    assert words in airflow.client.log("upper", run_id, "partition")
    assert not list(airflow.home.glob(f"workspace/upper/{run_id}/plans/*"))
