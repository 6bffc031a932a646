"""One DAG per template: its three tasks, what the manifest says of them, and DAGs that stand for what is broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout
from airflow.serialization.serialized_objects import DagSerialization

from tests.support.include_folders import write_app
from triptych.airflow.factory import build_dag, build_dags, find_template
from triptych.errors import ManifestError
from triptych.settings import get_settings

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


def test_owner_tags_pool_and_limits_are_the_templates(include: Path) -> None:
    own = {"owner": "science", "tags": ["nightly"], "pool": "mine", "maxActiveRuns": 3, "max_cores": 7}
    write_app(include, "", name="own", manifest={"device_requirements": {"min_cpu": 2}}, template={**PARTS, **own})
    dag = build_dags()["own"]
    kwargs = _task(dag, "app").partial_kwargs
    assert (dag.owner, dag.max_active_runs, "nightly" in dag.tags) == ("science", 3, True)
    assert (kwargs["pool"], kwargs["max_active_tis_per_dag"]) == ("mine", 3)  # Three tasks of two cores.
    assert dag.on_failure_callback is None


def test_a_task_of_several_containers_takes_the_cores_of_all(include: Path) -> None:
    needs = {"device_requirements": {"min_cpu": 2}, "parallel": 3}
    write_app(include, "", name="own", manifest=needs, template={**PARTS, "max_cores": 13})
    kwargs = _task(build_dags()["own"], "app").partial_kwargs
    assert (kwargs["pool_slots"], kwargs["max_active_tis_per_dag"], kwargs["cpus"]) == (6, 2, 2.0)


@pytest.mark.parametrize("needs", [{"device_requirements": {"min_cpu": 2}}, {"parallel": 2}])
def test_fewer_cores_than_one_task_takes_break_the_dag(include: Path, needs: Mapping[str, Any]) -> None:
    with suppress(ManifestError):
        write_app(include, "", name="own", manifest=needs, template={**PARTS, "max_cores": 1.5})
    assert "max_cores is 1.5, and one task of own@1.0 takes 2" in str(build_dags()["own"].doc_md)


def test_who_is_told_stands_in_the_stored_dag(include: Path) -> None:
    told = [{"notifier": "webhook", "connection": "hook"}]
    write_app(include, "", name="told", template={**PARTS, "on_failure": told})
    data = DagSerialization.to_dict(build_dags()["told"])["dag"]
    assert (data.get("has_on_failure_callback"), data.get("has_on_success_callback")) == (True, None)


def _spoil(include: Path, name: str, file: str, text: str) -> None:
    write_app(include, "", name=name, template=PARTS)
    (include / "apps" / name / file).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "text", "dag_id", "reason"),
    [
        ("manifest.json", '{"name": "worn"}', "worn", "$.version"),
        ("manifest.json", '{"Name": "other", "version": 1}', "other", "$.version"),
        ("manifest.json", '{"name": "no id", "version": "1.0"}', "worn", "$.name"),
        ("manifest.json", "{", "worn", "line 1, column 2"),
        ("schema.json", '{"type": "array"}', "worn", "must be 'object'"),
        ("template.json", '{"id": "mine", "app": "nobody"}', "mine", "'nobody' is no app here"),
        ("template.json", '{"params": []}', "worn", "$.params"),
        ("template.json", "[]", "worn", "must be a JSON object"),
        ("template.json", '{"id": "sound"}', "broken.worn", "is the id of"),
        ("template.json", '{"id": "w\u00f6rn"}', "worn", "$.id"),
    ],
)
def test_what_cannot_be_used_keeps_its_id_and_its_tasks(
    include: Path, file: str, text: str, dag_id: str, reason: str
) -> None:
    write_app(include, "", name="sound", template=PARTS)
    _spoil(include, "worn", file, text)
    dags = build_dags()
    assert sorted(dags) == sorted([dag_id, "sound"])
    broken, sound = dags[dag_id], dags["sound"]
    assert reason in str(broken.doc_md)
    assert "broken" in broken.tags
    assert {task.task_id: task.downstream_task_ids for task in broken.tasks} == {
        task.task_id: task.downstream_task_ids for task in sound.tasks
    }
    with pytest.raises(AirflowFailException) as said:
        _task(broken, "partition").execute({})
    assert reason in str(said.value)
    with pytest.raises(ManifestError) as found:
        find_template(dag_id)
    assert reason in str(found.value)


def test_two_folders_of_one_name_are_two_broken_dags(include: Path) -> None:
    for parent in ("one", "two"):
        folder = include / "engines" / parent / "worn"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text('{"name": "worn", "type": "assembler"}')
    assert sorted(build_dags()) == ["broken.worn", "broken.worn.2"]


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [("@daily", "breaks its own rule"), ("61 * * * *", "Airflow says"), ("every day", "Airflow says")],
)
def test_what_airflow_refuses_is_a_broken_dag_too(include: Path, schedule: str, reason: str) -> None:
    """A default that breaks its rule where nobody gives a value, and what is no cron."""
    write_app(include, "", name="sound", template=PARTS)
    schema = (
        {"properties": {"level": {"type": "integer", "minimum": 1, "default": 0}}} if schedule == "@daily" else None
    )
    write_app(include, "", name="low", schema=schema, template={**PARTS, "schedule": schedule})
    for _ in range(2):
        dags = build_dags()
        assert sorted(dags) == ["low", "sound"]
        assert reason in str(dags["low"].description)
        assert str(dags["low"].dag_display_name).startswith("low: ")
        for dag in dags.values():
            DagSerialization.to_dict(dag)
    with pytest.raises(ManifestError, match=reason):
        find_template("low")


@pytest.mark.parametrize(("schedule", "says"), [("@daily", "0 0 * * *"), (None, None)])
def test_a_schedule_is_airflows(include: Path, schedule: str | None, says: str | None) -> None:
    dag = build_dag(write_app(include, "", template={**PARTS, "schedule": schedule}))
    data = DagSerialization.to_dict(dag)["dag"]["timetable"]
    assert data["__var"].get("expression") == says


def test_a_list_of_uris_is_a_schedule_of_assets(include: Path) -> None:
    dag = build_dag(write_app(include, "", template={**PARTS, "schedule": ["s3://bucket/new"]}))
    assert dag.schedule == [Asset("s3://bucket/new")]


def test_a_dag_that_is_asked_for_is_whole(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `airflow dags test` asks, which stores what it gets."""
    for name in ("one", "two"):
        write_app(include, "", name=name, template=PARTS)
    _spoil(include, "worn", "manifest.json", "{}")
    whole = DagSerialization.to_dict(build_dags()["two"])
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "two")
    dags = build_dags()
    assert list(dags) == ["two"]
    assert DagSerialization.to_dict(dags["two"]) == whole
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "worn")
    assert list(build_dags()) == ["worn"]


@pytest.fixture
def task_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], DAG]:
    """The DAG as the task runner's parse finds it: it alone names both, the DAG and the task."""

    def parse(dag_id: str, task_id: str) -> DAG:
        with monkeypatch.context() as patch:
            patch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
            patch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", task_id)
            dags = build_dags()
        assert list(dags) == [dag_id]
        return dags[dag_id]

    return parse


@pytest.mark.parametrize("task_id", ["partition", "app", "assemble"])
def test_a_task_process_has_its_dag_without_any_include_folder(
    include: Path, task_process: Callable[[str, str], DAG], task_id: str
) -> None:
    shutil.rmtree(include)
    dag = task_process("anything.at-all", task_id)
    assert [task.task_id for task in dag.tasks] == ["partition", "app", "assemble"]


TAKEN = (
    *("task_id", "upstream_task_ids", "downstream_task_ids", "template_fields", "do_xcom_push", "multiple_outputs"),
    *("outlets", "inlets", "execution_timeout", "params", "email", "email_on_failure", "email_on_retry"),
    *("run_as_user", "operator_extra_links", "on_execute_callback", "on_success_callback", "on_failure_callback"),
    *("on_retry_callback", "on_skipped_callback", "pre_execute", "post_execute", "returns_dag_result", "start_date"),
    *("map_index_template", "overwrite_rtif_after_execution", "retry_policy", "executor_config"),
)
"""What airflow.sdk.execution_time.task_runner reads of a parsed task."""


def _taken(task: Any) -> dict[str, Any]:
    operator = getattr(task, "operator_class", type(task))
    found = {name: getattr(task, name, getattr(operator, name, None)) for name in TAKEN}
    for name in ("pre_execute", "post_execute"):
        found[name] = getattr(found[name], "__func__", found[name])
    found["expanded"] = task.is_mapped and sorted(task.expand_input.value)
    found["mapped dependants"] = [each.task_id for each in task.iter_mapped_dependants()]
    return {"class": operator, **found}


def test_a_task_process_takes_the_same_from_its_dag_as_from_the_whole(
    include: Path, task_process: Callable[[str, str], DAG]
) -> None:
    schema = {"required": ["level"], "properties": {"level": {"type": "integer"}}}
    about = {"retries": 7, "device_requirements": {"min_cpu": 3, "min_memory": 2}}
    write_app(include, "", schema=schema, manifest=about, template={**PARTS, "params": {"app": {"level": 3}}})
    whole, bare = build_dags()["tried"], task_process("tried", "app")
    for task_id in whole.task_ids:
        assert _taken(whole.task_dict[task_id]) == _taken(bare.task_dict[task_id])
    assert _task(bare, "assemble").outlets == [Asset("tried.output")]
    assert type(whole.get_template_env()) is type(bare.get_template_env())
    names = ("render_template_as_native_obj", "user_defined_macros", "user_defined_filters", "template_searchpath")
    assert [getattr(whole, name) for name in names] == [getattr(bare, name) for name in names]


def test_tasks_hold_no_copies_of_the_form(include: Path) -> None:
    """Four times the form in each stored DAG made Airflow's own storing of 100 apps forty times as slow."""
    schema = {"properties": {"level": {"type": "integer", "default": 3}}}
    dag = build_dag(write_app(include, "", schema=schema, template=PARTS))
    assert dag.params["app.level"] == 3
    assert [dict(task.params) for task in dag.tasks if not task.is_mapped] == [{}, {}]
    stored = json.dumps(DagSerialization.to_dict(dag))
    assert stored.count('"app.level"') == 1


def _count_storing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the DAGs that are serialised from here on."""
    stored: list[str] = []
    to_dict = DagSerialization.to_dict

    def counted(dag: DAG) -> Any:
        stored.append(dag.dag_id)
        return to_dict(dag)

    monkeypatch.setattr(DagSerialization, "to_dict", counted)
    return stored


def test_a_dag_is_judged_once_and_again_when_it_changed(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        write_app(include, "", name=name, schema={}, template=PARTS)
    stored = _count_storing(monkeypatch)
    build_dags()
    build_dags()
    assert stored == ["one", "two"]
    (include / "apps" / "two" / "schema.json").write_text('{"properties": {"level": {"default": 1}}}')
    build_dags()
    assert stored == ["one", "two", "two"]
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__POOL", "others")
    get_settings.cache_clear()
    build_dags()
    assert stored[3:] == ["one", "two"]


@pytest.mark.parametrize("content", [b"", b"[1, {}]", b'{"a": 1}', b'{"a": [[1]]}', b"[" * 100_000, b"\xff", None])
def test_a_cache_that_cannot_be_used_costs_time_only(
    include: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    write_app(include, "", template=PARTS)
    stored = _count_storing(monkeypatch)
    kept = get_settings().cache / "storable.json"
    if content is None:
        kept.parent.write_text("in the folder's place")
    else:
        kept.parent.mkdir()
        kept.write_bytes(content)
    for _ in range(2):
        assert list(build_dags()) == ["tried"]
    assert stored == ["tried"] * (2 if content is None else 1)


def test_what_only_airflow_refuses_is_told_as_such(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later Airflow may refuse what no rule of ours knows: that DAG alone is broken."""
    for name in ("one", "two"):
        write_app(include, "", name=name, template=PARTS)
    to_dict = DagSerialization.to_dict

    def refusing(dag: DAG) -> Any:
        if dag.dag_id == "two" and "broken" not in dag.tags:
            raise LookupError("no such thing")
        return to_dict(dag)

    monkeypatch.setattr(DagSerialization, "to_dict", refusing)
    dags = build_dags()
    assert "broken" not in dags["one"].tags
    assert "Airflow cannot make a DAG of it: no such thing" in str(dags["two"].description)


def test_verdicts_are_kept_when_airflows_time_is_over(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time-out is no Exception: what was judged by then is not judged again, and the next parse comes further."""
    for name in ("one", "two"):
        write_app(include, "", name=name, template=PARTS)
    to_dict = DagSerialization.to_dict

    def late(dag: DAG) -> Any:
        if dag.dag_id == "two":
            raise AirflowTaskTimeout("the time is over")
        return to_dict(dag)

    with monkeypatch.context() as patch:
        patch.setattr(DagSerialization, "to_dict", late)
        with pytest.raises(AirflowTaskTimeout):
            build_dags()
    stored = _count_storing(monkeypatch)
    build_dags()
    assert stored == ["two"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A DAG file with blocks of its own beside it, as a Git bundle brings them."""
    folder = tmp_path / "bundle"
    write_app(folder / "include", "", name="brought", template=PARTS)
    return folder / "jobs.py"


def test_blocks_beside_the_dag_file_are_taken_too(include: Path, bundle: Path) -> None:
    write_app(include, "", name="here", template=PARTS)
    assert sorted(build_dags(str(bundle))) == ["brought", "here"]
    assert sorted(build_dags()) == ["here"]
    assert sorted(build_dags(str(include.parent / "jobs.py"))) == ["here"]  # Configured, and beside: once.


def test_a_task_finds_the_blocks_beside_its_dag_file(
    include: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "brought")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "partition")
    task = _task(build_dags(str(bundle))["brought"], "partition")
    assert task.find("brought").path == bundle.parent / "include" / "apps" / "brought" / "template.json"
    with pytest.raises(ManifestError, match="no template or app 'brought'"):
        find_template("brought")


def test_every_dag_of_ours_can_be_stored(include: Path) -> None:
    """Airflow serialises each; one that it cannot would be an import error of the whole file."""
    schema = {"properties": {"level": {"type": "integer", "default": 3, "description": "A pipe | in a table."}}}
    dag = build_dag(write_app(include, "", schema=schema, template={**PARTS, "params": {"app": {"level": 4}}}))
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))["dag"]
    assert stored["dag_id"] == "tried"
    assert "A pipe \\| in a table." in str(dag.doc_md)
    assert "| `app.level` | integer | `4` |" in str(dag.doc_md)
