"""A cacheable app on a real Airflow: what one run made the next one takes, and each task's log says so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.servers import Server, s3_client
from triptych.demo.embedded import EmbeddedAirflow

BUCKET = "kept-lines"
pytestmark = [pytest.mark.airflow, pytest.mark.docker]


def _run(airflow: EmbeddedAirflow, client: Any, lines: list[str]) -> tuple[str, dict[str, str]]:
    """The run's id, and by line the word of chance that a run of the script wrote."""
    client.put_object(Bucket=BUCKET, Key="in.txt", Body="".join(f"{line}\n" for line in lines).encode())
    run_id = airflow.client.trigger("kept", {"dataSource": {"uri": f"s3://{BUCKET}/in.txt", "conn_id": "store"}})
    assert airflow.client.wait_for_run("kept", run_id) == "success", airflow.client.log("kept", run_id, "partition")
    output = airflow.home / "workspace" / "outputs" / "kept" / run_id / "output.txt"
    return run_id, dict(line.rsplit(" ", 1) for line in output.read_text().splitlines())


def test_the_next_run_takes_what_is_the_same(airflow: EmbeddedAirflow, store: Server) -> None:
    with s3_client(store, BUCKET) as client:
        _, first = _run(airflow, client, ["one", "two", "three", "four"])
        run_id, second = _run(airflow, client, ["one", "two", "drei", "four"])
    assert {line for line in second if second[line] != first.get(line)} == {"drei"}
    whole, part = (airflow.client.log("kept", run_id, "app", index) for index in (0, 1))
    assert "2 of 2 chunk(s) had been run before" in whole
    assert "1 chunk(s) ran, which differ from what was kept before by bytes: 2" in part
