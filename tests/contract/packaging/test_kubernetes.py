"""The manifests of docs/how-to/kubernetes: against Kubernetes' published schemas, Airflow's tables, and each other."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # It has none.
import pytest
import yaml  # type: ignore[import-untyped]  # Its stubs are no requirement of ours.
from airflow.models.taskinstance import TaskInstance
from airflow.utils.state import TaskInstanceState

from tests.support.judged import judged
from triptych.settings import PROJECT

FOLDER = PROJECT / "docs" / "how-to" / "kubernetes"
OF_THE_SECRET = {"AIRFLOW__API_AUTH__JWT_SECRET": "j" * 32, "AIRFLOW__CORE__FERNET_KEY": "f" * 43 + "="}
OF_THE_SCHEDULER = {
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "600",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "1000",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
}


def _manifests(name: str) -> dict[str, dict[str, Any]]:
    """By kind: no file has two of one."""
    documents = list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))
    assert [kind for kind, times in Counter(each["kind"] for each in documents).items() if times > 1] == []
    return {each["kind"]: each for each in documents}


@pytest.mark.parametrize("version", ["1.29", "1.33", "1.37"])
def test_every_manifest_is_what_kubernetes_reads(version: str) -> None:
    """Strictly: a field that is no field, such as a misspelt one, would be passed over by a cluster."""
    for manifest in (*_manifests("workers.yaml").values(), *_manifests("pod.yaml").values()):
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_how_workers_go_is_what_an_autoscaler_of_kubernetes_reads() -> None:
    """KEDA's own kinds are no part of Kubernetes; what they hand on to it is."""
    scaled = _manifests("autoscale.yaml")["ScaledObject"]["spec"]
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "worker"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", **scaled["scaleTargetRef"]},
            "minReplicas": scaled["minReplicaCount"],
            "maxReplicas": scaled["maxReplicaCount"],
            **scaled["advanced"]["horizontalPodAutoscalerConfig"],
        },
    }
    kubernetes_validate.validate(autoscaler, "1.37", strict=True)


def test_the_doctor_has_nothing_to_say_of_a_workers_settings(tmp_path: Path) -> None:
    found = judged({**_manifests("workers.yaml")["ConfigMap"]["data"], **OF_THE_SECRET, **OF_THE_SCHEDULER}, tmp_path)
    assert {each["about"] for each in found} >= {"executor", "api address", "task logs"}
    assert [each for each in found if each["standing"] != "ok"] == []


def test_the_doctor_has_nothing_to_say_of_a_pods_settings(tmp_path: Path) -> None:
    """Its task brings its own token, and connections come by that."""
    found = judged({**_settings_of_a_pod(), **OF_THE_SECRET, **OF_THE_SCHEDULER}, tmp_path)
    assert {each["about"] for each in found} >= {"executor", "api address", "task logs"}
    assert [each for each in found if each["standing"] != "ok"] == []


def _settings_of_a_pod() -> dict[str, str]:
    [base] = _manifests("pod.yaml")["Pod"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in base["env"]}


def test_a_task_reaches_the_engine_of_its_pod() -> None:
    """By the one socket, which is the group's that both users have, and not below /run, which is the engine's own."""
    pod = _manifests("pod.yaml")["Pod"]["spec"]
    [engine], [base] = pod["initContainers"], pod["containers"]
    url = _settings_of_a_pod()["AIRFLOW__TRIPTYCH__DOCKER_URL"]
    for command in (engine["args"], engine["startupProbe"]["exec"]["command"]):
        assert f"--host={url}" in command
    place = Path(url.removeprefix("unix://"))
    for container in (engine, base):
        mounted = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
        assert mounted[str(place.parent)] == "engine"
    assert not place.is_relative_to("/run")
    assert engine["securityContext"]["runAsGroup"] in pod["securityContext"]["supplementalGroups"]
    assert engine["securityContext"]["runAsUser"] != 0
    assert {each["name"] for each in pod["volumes"]} == {"engine", "images", "include", "scratch"}


def test_worker_and_engine_see_the_same_files_at_the_same_paths() -> None:
    manifests = _manifests("workers.yaml")
    pod = manifests["StatefulSet"]["spec"]["template"]["spec"]
    [engine], [worker] = pod["initContainers"], pod["containers"]
    mounts = [{each["mountPath"]: each["name"] for each in container["volumeMounts"]} for container in (engine, worker)]
    shared = dict(mounts[0].items() & mounts[1].items())
    settings = manifests["ConfigMap"]["data"]
    assert Path(settings["AIRFLOW__TRIPTYCH__SCRATCH"]).parent in map(Path, shared)  # The cache lies beside it.
    url = settings["AIRFLOW__TRIPTYCH__DOCKER_URL"]
    assert Path(url.removeprefix("unix://")).parent in map(Path, shared)
    assert f"--host={url}" in engine["args"]
    assert settings["AIRFLOW__TRIPTYCH__INCLUDE"] in mounts[1]


def test_the_query_counts_what_a_worker_would_do() -> None:
    scaled, manifests = _manifests("autoscale.yaml")["ScaledObject"]["spec"], _manifests("workers.yaml")
    [trigger] = scaled["triggers"]
    worker = manifests["StatefulSet"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert trigger["metadata"]["targetQueryValue"] == worker[worker.index("--concurrency") + 1]
    assert scaled["scaleTargetRef"]["name"] == manifests["StatefulSet"]["metadata"]["name"]
    query = trigger["metadata"]["query"]
    page = (FOLDER.parent / "autoscale.md").read_text(encoding="utf-8")
    assert query in page
    with sqlite3.connect(":memory:") as database:
        columns = ", ".join(f'"{column.name}"' for column in TaskInstance.__table__.columns)
        database.execute(f"CREATE TABLE task_instance ({columns})")
        rows = [(state.value, queue) for state in TaskInstanceState for queue in ("default", "gpu")]
        database.executemany("INSERT INTO task_instance (state, queue) VALUES (?, ?)", rows)
        assert database.execute(query).fetchall() == [(2,)]
    database.close()
