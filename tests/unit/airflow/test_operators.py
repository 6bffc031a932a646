"""The three tasks without Airflow around them: what each hands on, and which errors end a task for good."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRescheduleException
from airflow.sdk.execution_time.context import OutletEventAccessors, TriggeringAssetEventsAccessor

from tests.support.include_folders import write_app
from triptych.airflow.factory import find_template
from triptych.airflow.operators import AppOperator, AssembleOperator, BrokenOperator, PartitionOperator, guarded
from triptych.errors import CapacityError, MissingImageError, StorageError, VersionError
from triptych.jobs.packs import Pack
from triptych.settings import Settings

TURNED = """
import json, os
from pathlib import Path
text = Path(os.environ["TASK_DIR"], "data.bin").read_text()
assert "?" not in text, "no questions"
level = json.loads(os.environ["APP_PARAMS"])["level"]
Path(os.environ["TASK_RESULTS_DIR"], "turned.txt").write_text(text[::-1] * level)
"""
SCHEMA = {"properties": {"level": {"type": "integer", "default": 1}}}
PARTS: dict[str, Any] = {"partitioner": "passthrough", "assembler": "passthrough", "params": {"app": {"level": 2}}}


@pytest.fixture
def source(include: Path, tmp_path: Path) -> Path:
    """Of an app that turns it around."""
    write_app(include, TURNED, schema=SCHEMA, template=PARTS)
    path = tmp_path / "word.txt"
    path.write_text("pots", encoding="utf-8")
    return path


class Instance:
    """A task instance, as far as ours use it; all share the XComs of the run."""

    try_number = 1
    max_tries = 2
    hostname = "w1.example.org"
    said: ClassVar[dict[str, str]] = {}

    def xcom_push(self, key: str, value: str) -> None:
        self.said[key] = value

    def xcom_pull(self, task_ids: str, key: str) -> str | None:
        assert task_ids == "partition"
        return self.said.get(key)


@pytest.fixture(autouse=True)
def _no_xcoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "said", {})


def _context(conf: dict[str, Any], **params: Any) -> Any:
    """What Airflow gives to a task, as far as ours read it; `params` are the form's fields."""
    run = SimpleNamespace(dag_id="tried", run_id="run", conf=conf, start_date=datetime.now(tz=UTC))
    told = {"dag_run": run, "params": {**conf, **params}, "ts": "2026-01-02T00:00:00", "ti": Instance()}
    none = TriggeringAssetEventsAccessor.build([])
    return {**told, "triggering_asset_events": none, "outlet_events": OutletEventAccessors()}


def _partition(conf: dict[str, Any], **params: Any) -> Any:
    return PartitionOperator(task_id="partition", template_id="tried", find=find_template).execute(
        _context(conf, **params)
    )


def _run(pack: Pack) -> None:
    AppOperator(task_id="app", pack=pack, image="x").execute(_context({}))


def _assemble() -> dict[str, Any]:
    return AssembleOperator(task_id="assemble").execute(_context({}))


def test_the_three_tasks_make_the_output(source: Path) -> None:
    packs = _partition({"dataSource": source.as_uri()})
    assert packs == [{"first": 0, "count": 1, "chunks": 1}]
    _run(packs[0])
    outcome = _assemble()
    folder = Path(outcome["uri"].removeprefix("file://"))
    (turned,) = [path for path in folder.iterdir() if path.name != "_triptych"]
    assert turned.read_text(encoding="utf-8") == "stopstop"
    assert (outcome["chunks"], outcome["files"], outcome["bytes"]) == (1, 1, 8)
    json.dumps([packs, outcome])  # What a task returns goes through XCom.


def test_a_default_of_the_form_does_not_override_the_template(source: Path) -> None:
    """Airflow's `params` hold the form's defaults too; only what the caller gave counts."""
    (pack,) = _partition({"dataSource": source.as_uri()}, **{"app.level": 7})
    _run(pack)
    assert _assemble()["bytes"] == 8
    (pack,) = _partition({"dataSource": source.as_uri(), "app.level": 7})


def test_a_mistake_of_the_callers_ends_the_task_for_good(source: Path) -> None:
    with pytest.raises(AirflowFailException, match=r"app\.levl.*Did you mean 'app\.level'"):
        _partition({"dataSource": source.as_uri(), "app.levl": 1})
    with pytest.raises(AirflowFailException, match=r"nowhere\.txt"):
        _partition({"dataSource": source.with_name("nowhere.txt").as_uri()})


@pytest.mark.parametrize(("one_machine", "told"), [(False, "too small\nWorker: w1.example.org"), (True, "too small")])
def test_where_there_are_many_machines_an_error_names_its_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, one_machine: bool, told: str
) -> None:
    where = dataclasses.replace(settings, one_machine=one_machine)
    monkeypatch.setattr("triptych.airflow.operators.get_settings", lambda: where)

    def fails() -> None:
        raise CapacityError("too small")

    with pytest.raises(AirflowFailException) as failed:
        guarded(fails, _context({}))
    assert str(failed.value) == told


@pytest.mark.parametrize(("one_machine", "ends"), [(False, AirflowException), (True, AirflowFailException)])
def test_an_image_that_is_missing_here_may_be_on_another_machine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, one_machine: bool, ends: type[AirflowException]
) -> None:
    where = dataclasses.replace(settings, one_machine=one_machine)
    monkeypatch.setattr("triptych.airflow.operators.get_settings", lambda: where)

    def lacks() -> None:
        raise MissingImageError("no such image")

    with pytest.raises(AirflowException, match="no such image") as failed:
        guarded(lacks, _context({}))
    assert type(failed.value) is ends


def _of_another_version(settings: Settings, monkeypatch: pytest.MonkeyPatch, times: int, **own: Any) -> timedelta:
    """For how long the task is left to others that was so often before; raises what ends it."""
    where = dataclasses.replace(settings, **own)
    monkeypatch.setattr("triptych.airflow.operators.get_settings", lambda: where)

    def refuses() -> None:
        raise VersionError("of another version")

    began = datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as left:
        guarded(refuses, {**_context({}), "task_reschedule_count": times})
    queued: datetime = left.value.reschedule_date
    return queued - began


@pytest.mark.parametrize(("delay_s", "most"), [(30, 120), (1, 3600), (0, 3600)])
def test_a_job_of_another_version_is_left_to_other_machines_for_an_hour(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, delay_s: int, most: int
) -> None:
    for times in (0, most - 1):
        queued = _of_another_version(settings, monkeypatch, times, one_machine=False, retry_delay_s=delay_s)
        assert timedelta(seconds=max(1, delay_s)) <= queued < timedelta(seconds=delay_s + 60)
    with pytest.raises(VersionError):
        _of_another_version(settings, monkeypatch, most, one_machine=False, retry_delay_s=delay_s)


def test_on_one_machine_there_are_no_others(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(VersionError):
        _of_another_version(settings, monkeypatch, 0, one_machine=True)


def test_a_chunk_without_a_try_left_ends_the_task_for_good(source: Path) -> None:
    source.write_text("pots?", encoding="utf-8")
    (pack,) = _partition({"dataSource": source.as_uri()})
    with pytest.raises(AirflowFailException, match="no questions"):
        _run(pack)
    with pytest.raises(AirflowFailException, match="1 of 1 chunks have no result"):
        _assemble()


def test_a_failure_that_a_retry_can_help_is_airflows_to_try_again(source: Path, tmp_path: Path) -> None:
    (pack,) = _partition({"dataSource": source.as_uri()})
    (plan,) = tmp_path.rglob("plans/0.json")
    plan.unlink()
    plan.mkdir()  # What no store answers well to.
    with pytest.raises(StorageError, match="Is a directory"):
        _run(pack)


@pytest.mark.usefixtures("include")
def test_without_a_plan_the_later_tasks_name_partition() -> None:
    for task in (lambda: _run(Pack(first=0, count=1, chunks=1)), _assemble):
        with pytest.raises(AirflowFailException, match=r"^The task `partition` of this run made no plan: [^\n]*$"):
            task()


def test_a_plan_that_somebody_changed_is_refused(source: Path, tmp_path: Path) -> None:
    (pack,) = _partition({"dataSource": source.as_uri()})
    (plan,) = tmp_path.rglob("plans/0.json")
    plan.write_bytes(plan.read_bytes() + b" ")
    with pytest.raises(AirflowFailException, match="it was changed after it was written"):
        _run(pack)


def test_a_template_that_is_gone_is_named(source: Path) -> None:
    operator = PartitionOperator(task_id="partition", template_id="tired", find=find_template)
    with pytest.raises(AirflowFailException, match="no template or app 'tired'"):
        operator.execute(_context({}))


def test_a_broken_block_says_what_is_wrong_with_it() -> None:
    operator = BrokenOperator(task_id="broken", reasons=["manifest.json: $.name: is missing"])
    with pytest.raises(AirflowFailException, match=r"\$\.name: is missing"):
        operator.execute(cast("Any", {}))


@pytest.mark.parametrize("kind", [PartitionOperator, AppOperator, AssembleOperator])
def test_a_task_that_is_killed_cleans_up_as_after_ctrl_c(kind: Any) -> None:
    more: dict[Any, dict[str, Any]] = {
        PartitionOperator: {"template_id": "y", "find": find_template},
        AppOperator: {"pack": {}, "image": "x"},
        AssembleOperator: {},
    }
    with pytest.raises(KeyboardInterrupt):
        kind(task_id="x", **more[kind]).on_kill()
