"""Tasks go to the machines that the setting `classes` has for their blocks, by Airflow's queues and pools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from tests.support.include_folders import write_app, write_engine
from triptych.airflow.factory import build_dags, find_template
from triptych.errors import ManifestError
from triptych.settings import get_settings

PARTS = {"partitioner": "passthrough", "assembler": "passthrough"}
CLASSES = {
    "small": {"cores": 4, "memory_gib": 16, "pool": "smalls"},
    "a100": {"cores": 32, "memory_gib": 256, "gpus": 4, "gpu_name": "NVIDIA A100-SXM4-80GB", "queue": "far"},
}


@pytest.fixture
def classes(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__CLASSES", json.dumps(CLASSES))
    get_settings.cache_clear()


@pytest.mark.usefixtures("classes")
def test_tasks_go_to_the_class_that_has_what_their_blocks_ask_for(include: Path) -> None:
    write_app(include, "", name="plain", template=PARTS)
    wants = {"device_requirements": {"min_cpu": 2, "gpu": ["NVIDIA H100", "nvidia a100"]}}
    write_app(include, "", name="asking", manifest=wants, template=PARTS)
    write_app(include, "", name="own", manifest=wants, template={**PARTS, "pool": "mine"})
    stored = {dag_id: DagSerialization.from_dict(DagSerialization.to_dict(dag)) for dag_id, dag in build_dags().items()}
    placed = {
        dag_id: {task.task_id: (task.queue, task.pool, task.pool_slots) for task in dag.tasks}
        for dag_id, dag in stored.items()
    }
    engines = dict.fromkeys(("partition", "assemble"), ("default", "default_pool", 1))
    assert placed == {
        "plain": {**engines, "app": ("default", "smalls", 1)},
        "asking": {**engines, "app": ("far", "gpus", 8)},
        "own": {**engines, "app": ("far", "mine", 8)},
    }


@pytest.mark.usefixtures("classes")
def test_an_engine_is_placed_by_its_own_needs(include: Path) -> None:
    write_engine(include, "partitioner", "")
    manifest = include / "engines" / "partitioner" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "device_requirements": {"min_memory": 64}}))
    write_app(include, "", template={"partitioner": "mine", "assembler": "passthrough"})
    dag = build_dags()["tried"]
    assert [dag.task_dict[each].queue for each in ("partition", "assemble")] == ["far", "default"]


@pytest.mark.usefixtures("classes")
def test_what_no_class_fits_is_a_broken_dag_that_says_why(include: Path) -> None:
    write_app(include, "", name="asking", manifest={"device_requirements": {"gpu": "NVIDIA H100"}}, template=PARTS)
    dag = build_dags()["asking"]
    with pytest.raises(AirflowFailException, match=r"asking@1.0 asks for a GPU of NVIDIA H100, and no class .*a100 \("):
        dag.task_dict["partition"].execute({})
    with pytest.raises(ManifestError, match="no class of"):
        find_template("asking")
