"""Jobs that other jobs, and dates of the past, start, on a real Airflow."""

from __future__ import annotations

import pytest

from tests.e2e.backfills import backfill
from tests.e2e.conftest import TEXT
from triptych.airflow.rest import poll
from triptych.demo.embedded import EmbeddedAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
LINES = TEXT.read_text().upper()


def test_an_output_starts_the_job_that_reads_it(airflow: EmbeddedAirflow) -> None:
    client, out = airflow.client, airflow.home / "out-begun"
    client.wait_for_dag("chained")
    client.pause("chained", paused=False)
    (asset,) = client.get("assets", name_pattern="begun.output")["assets"]
    forged = {"asset_id": asset["id"], "extra": {"uri": "file:///etc/"}}
    client.call("POST", "assets/events", forged)
    assert poll(lambda: bool(client.runs("chained")), 120, 1.0)
    refused = client.runs("chained")[0]["dag_run_id"]
    assert client.wait_for_run("chained", refused) == "failed"
    assert "was not started by one output of another job" in client.log("chained", refused, "partition")
    first = client.trigger("begun", {"dataSource": TEXT.as_uri(), "dataDestination": out.as_uri()})
    assert client.wait_for_run("begun", first) == "success", client.log("begun", first, "partition")
    assert poll(lambda: len(client.runs("chained")) == 2, 120, 1.0)
    (second,) = {run["dag_run_id"] for run in client.runs("chained")} - {refused}
    assert client.wait_for_run("chained", second) == "success", client.log("chained", second, "partition")
    made = [path.read_text() for path in airflow.home.glob("workspace/outputs/chained/*/output.txt")]
    assert made == ["".join(f"{line[::-1]}\n" for line in LINES.splitlines())]
    client.pause("chained")


def test_a_backfill_makes_the_output_of_each_day(airflow: EmbeddedAirflow) -> None:
    client = airflow.client
    client.wait_for_dag("dated")
    client.pause("dated", paused=False)
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    backfill(client, "dated", days)
    made = {path.parent.name: path.read_text() for path in airflow.home.glob("dated/*/output.txt")}
    assert {day: made[day] for day in days} == dict.fromkeys(days, LINES)
    client.pause("dated")
