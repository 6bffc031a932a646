"""One job through a real Airflow: scheduler, API server, DAG processor, containers."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tests.support.workspaces import counted
from triptych.airflow.rest import AirflowError, poll
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
LINES = PROJECT / "include" / "apps" / "linecount" / "test" / "lines.txt"
TEXT = PROJECT / "include" / "apps" / "wordcount" / "test" / "declaration.txt"


def _launch(airflow: EmbeddedAirflow, dag_id: str, conf: dict[str, Any]) -> tuple[str, str]:
    run_id = airflow.client.trigger(dag_id, conf)
    return run_id, airflow.client.wait_for_run(dag_id, run_id)


@pytest.mark.parametrize("style", ["nested", "flat"])
def test_a_job_counts_what_an_independent_count_says(airflow: EmbeddedAirflow, style: str) -> None:
    out = airflow.home / f"out-{style}"
    params: dict[str, Any] = {"app.min_length": 1, "partitioner.items_per_chunk": 7}
    if style == "nested":
        params = {"params": {"app": {"min_length": 1}, "partitioner": {"items_per_chunk": 7}}}
    run_id, state = _launch(
        airflow, "wordcount", {"dataSource": TEXT.as_uri(), "dataDestination": out.as_uri(), **params}
    )
    assert state == "success", airflow.client.log("wordcount", run_id, "assemble")
    with (out / "words.csv").open(newline="") as table:
        counted = {row["word"]: int(row["count_sum"]) for row in csv.DictReader(table)}
    truth = Counter(re.findall(r"\bthe\b", TEXT.read_text().lower()))
    assert counted["the"] == truth["the"] > 0


def test_an_updated_asset_launches_a_job(airflow: EmbeddedAirflow) -> None:
    client = airflow.client
    client.wait_for_dag("updated")
    client.pause("updated", paused=False)
    (asset,) = client.get("assets", uri_pattern="s3://jobs/ready")["assets"]
    client.call("POST", "assets/events", {"asset_id": asset["id"]})
    assert poll(lambda: bool(client.runs("updated")), 120, 1.0)
    run_id = client.runs("updated")[0]["dag_run_id"]
    assert client.wait_for_run("updated", run_id) == "success", client.log("updated", run_id, "partition")
    output = next(airflow.home.glob("workspace/outputs/updated/*/output.txt"))
    assert output.read_text() == LINES.read_text().upper()


def test_container_engines_and_a_function(airflow: EmbeddedAirflow) -> None:
    out = airflow.home / "out-function"
    words = LINES.read_text().split()
    run_id, state = _launch(airflow, "function", {"dataSource": LINES.as_uri(), "dataDestination": out.as_uri()})
    assert state == "success", airflow.client.log("function", run_id, "partition")
    assert len(words) > 11  # By number, not as text: data_10 after data_9.
    assert (out / "joined").read_text() == "".join(f"<{word}>" for word in words)


def test_a_table_by_keys_in_containers_and_back_in_order(airflow: EmbeddedAirflow) -> None:
    out = airflow.home / "out-keys"
    table = PROJECT / "include" / "engines" / "samples" / "orders.csv"
    run_id, state = _launch(airflow, "bykey", {"dataSource": table.as_uri(), "dataDestination": out.as_uri()})
    assert state == "success", airflow.client.log("bykey", run_id, "partition")
    assert (out / "sorted.csv").read_bytes() == table.read_bytes()
    assert json.loads((out / "_triptych" / "bykey" / f"{run_id}.json").read_text())["chunks"] == 3


def test_folds_learned_apart_are_a_model_as_of_one_machine(airflow: EmbeddedAirflow) -> None:
    """Each record is in the training part of two folds of three: so the mean of their steps is the step of all."""
    table, out = airflow.home / "points.csv", airflow.home / "out-learned"
    points = [(number % 7 / 4, number * 0.3 - 5) for number in range(31)]
    table.write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in points))
    run_id, state = _launch(airflow, "learned", {"dataSource": table.as_uri(), "dataDestination": out.as_uri()})
    assert state == "success", airflow.client.log("learned", run_id, "partition")
    found = safetensors.numpy.load_file(out / "model.safetensors")["line"]
    x, y = np.array(points).T
    assert found == pytest.approx([0.2 * np.mean(x * y), 0.2 * np.mean(y)], rel=1e-12)
    (told,) = json.loads((out / "averaged.json").read_text())["models"]
    assert sorted(chunk["weight"] for chunk in told["chunks"]) == [20, 21, 21]


@pytest.mark.parametrize(
    ("conf", "place"),
    [
        ({"params": {"partitioner": {"items_per_chunk": 0}}}, "items_per_chunk"),
        ({"partitioner.items_per_chunk": "many"}, "partitioner.items_per_chunk"),
    ],
)
def test_bad_parameters_are_answered_400(airflow: EmbeddedAirflow, conf: dict[str, Any], place: str) -> None:
    with pytest.raises(AirflowError, match=place) as caught:
        airflow.client.trigger("wordcount", conf)
    assert caught.value.status == 400


def test_an_unknown_key_fails_in_partition_without_a_retry(airflow: EmbeddedAirflow) -> None:
    run_id, state = _launch(airflow, "wordcount", {"dataSorce": TEXT.as_uri()})
    assert state == "failed"
    [partition] = [task for task in airflow.client.tasks("wordcount", run_id) if task["task_id"] == "partition"]
    assert partition["try_number"] == 1
    assert "Did you mean 'dataSource'" in airflow.client.log("wordcount", run_id, "partition")


def test_clearing_the_failed_chunk_runs_only_it(airflow: EmbeddedAirflow) -> None:
    run_id, state = _launch(airflow, "tried", {})
    assert state == "failed"
    assert "Chunk 1 (replica_1): exit code 3" in airflow.client.log("tried", run_id, "app", 1)
    workspace = airflow.home / "workspace" / "tried" / run_id
    before = counted(workspace)
    assert set(before) == {0, 2}
    airflow.client.clear("tried", run_id, ["app", "assemble"])
    assert airflow.client.wait_for_run("tried", run_id) == "failed"
    tries = {task["map_index"]: task["try_number"] for task in airflow.client.tasks("tried", run_id)}
    assert (tries[0], tries[1], tries[2]) == (1, 2, 1)
    assert counted(workspace) == before


def test_a_broken_block_is_shown_and_hides_nothing(airflow: EmbeddedAirflow) -> None:
    dags = {dag["dag_id"]: dag for dag in airflow.client.dags()}
    assert {"wordcount", "linecount", "tried", "lame"} <= set(dags)
    assert "version" in dags["lame"]["description"]
    assert "version" in dags["lame"]["dag_display_name"]
    assert airflow.client.import_errors() == []
    run_id, state = _launch(airflow, "lame", {"dataSource": TEXT.as_uri()})
    assert state == "failed"
    assert "manifest.json" in airflow.client.log("lame", run_id, "partition")


def test_the_plugin_loader_leaves_the_package_alone() -> None:
    assert (PROJECT / "plugins" / ".airflowignore").read_text().split() == ["triptych/"]
