"""One DAG per template: its three tasks, what the manifest says of them, and DAGs that stand for what is broken."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.serialization.serialized_objects import DagSerialization

from tests.support.include_folders import write_app
from triptych.airflow.factory import build_dag, build_dags

PARTS = {"partitioner": "passthrough", "assembler": "passthrough"}


def _task(dag: DAG, task_id: str) -> Any:
    return dag.task_dict[task_id]


def test_a_template_is_three_tasks_in_a_row(include: Path) -> None:
    write_app(include, "", template=PARTS)
    dags = build_dags()
    assert list(dags) == ["tried"]
    dag = dags["tried"]
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == {
        "partition": ["app", "assemble"],
        "app": ["assemble"],
        "assemble": [],
    }
    assert _task(dag, "assemble").trigger_rule == "all_done"
    assert {"triptych", "app:tried@1.0"} < set(dag.tags)


def test_resources_come_from_the_manifest_else_from_the_settings(include: Path) -> None:
    write_app(include, "", name="plain", template=PARTS)
    needs = {"min_cpu": 2.5, "min_memory": 0.5}
    image = {"container": "debian:12", "docker_conn_id": "mine"}
    own = {"retries": 0, "device_requirements": needs, "platform_config": image}
    write_app(include, "", name="large", manifest=own, template=PARTS)
    dags = build_dags()
    plain, large = _task(dags["plain"], "app"), _task(dags["large"], "app")
    assert (plain.partial_kwargs["retries"], plain.partial_kwargs["pool_slots"]) == (5, 1)
    assert (large.partial_kwargs["retries"], large.partial_kwargs["pool_slots"]) == (0, 2)
    assert large.partial_kwargs["image"] == "debian:12"
    shown = [large.partial_kwargs[key] for key in ("docker_conn_id", "cpus", "mem_limit")]
    assert shown == ["mine", 2.5, "0.5g"]
    assert plain.partial_kwargs["pool"] == "gpus"
    assert _task(dags["plain"], "partition").retry_delay == timedelta(seconds=7)


def test_a_broken_manifest_is_a_dag_that_says_why_and_hides_no_other(include: Path) -> None:
    write_app(include, "", name="sound", template=PARTS)
    write_app(include, "", name="worn", template=PARTS)
    (include / "apps" / "worn" / "manifest.json").write_text('{"name": "worn"}', encoding="utf-8")
    dags = build_dags()
    assert sorted(dags) == ["broken.worn.manifest", "sound"]
    broken = dags["broken.worn.manifest"]
    assert "$.version" in str(broken.doc_md)
    assert [task.task_id for task in broken.tasks] == ["broken"]


def test_what_airflow_refuses_is_a_broken_dag_too(include: Path) -> None:
    write_app(include, "", name="sound", template=PARTS)
    schema = {"properties": {"level": {"type": "integer", "minimum": 1, "default": 0}}}
    write_app(include, "", name="low", schema=schema, template={**PARTS, "schedule": "@daily"})
    dags = build_dags()
    assert sorted(dags) == ["broken.low.template", "sound"]
    assert "Airflow cannot make a DAG of it" in str(dags["broken.low.template"].description)


@pytest.mark.parametrize(("schedule", "says"), [("@daily", "0 0 * * *"), (None, None)])
def test_a_schedule_is_airflows(include: Path, schedule: str | None, says: str | None) -> None:
    dag = build_dag(write_app(include, "", template={**PARTS, "schedule": schedule}))
    data = DagSerialization.to_dict(dag)["dag"]["timetable"]
    assert data["__var"].get("expression") == says


def test_a_list_of_uris_is_a_schedule_of_assets(include: Path) -> None:
    dag = build_dag(write_app(include, "", template={**PARTS, "schedule": ["s3://bucket/new"]}))
    assert dag.schedule == [Asset("s3://bucket/new")]


def test_a_task_process_gets_the_dag_that_it_runs_only(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        write_app(include, "", name=name, template=PARTS)
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "two")
    assert list(build_dags()) == ["two"]


def test_every_dag_of_ours_can_be_stored(include: Path) -> None:
    """Airflow serialises each; one that it cannot would be an import error of the whole file."""
    schema = {"properties": {"level": {"type": "integer", "default": 3, "description": "A pipe | in a table."}}}
    dag = build_dag(write_app(include, "", schema=schema, template={**PARTS, "params": {"app": {"level": 4}}}))
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))["dag"]
    assert stored["dag_id"] == "tried"
    assert "A pipe \\| in a table." in str(dag.doc_md)
    assert "| `app.level` | integer | `4` |" in str(dag.doc_md)
