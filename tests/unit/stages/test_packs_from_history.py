"""Packs follow from how long the app's chunks took in earlier jobs, and are what they are once they are planned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Template
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.spec import build_job_spec
from triptych.settings import Settings, read_settings
from triptych.stages.assemble import assemble
from triptych.stages.partition import Partitioned, partition
from triptych.stages.run_pack import Launch, run_pack

CHUNKS = 40


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    values = {"workspace": (tmp_path / "workspace").as_uri(), "allowed_roots": str(tmp_path), "runner": "process"}
    return read_settings({**values, "scratch": str(tmp_path / "scratch"), "cache": str(tmp_path / "cache")})


@pytest.fixture
def template(tmp_path: Path) -> Template:
    (tmp_path / "include").mkdir()
    return write_app(tmp_path / "include", ":", entrypoint="main.sh", template={"partitioner": "replicate"})


def _planned(
    settings: Settings, template: Template, run: str, slots: int = 1, chunks: int = CHUNKS, **config: object
) -> Partitioned:
    conf = {"params": {"partitioner": {"replicas": chunks}}, "config": config}
    job = new_job(settings, template, build_job_spec(template, conf), template.id, run)
    return partition(job, slots)


def _ended(settings: Settings, template: Template, run: str, done: Partitioned) -> PlannedJob:
    job = load_job(settings, template.id, run, done.ref)
    for pack in done.plan.packs:
        run_pack(job, pack.first, Launch("1"))
    assemble(job)
    return job


def test_a_first_job_has_many_tasks_and_the_next_as_many_as_its_seconds_are_worth(
    settings: Settings, template: Template
) -> None:
    first = _planned(settings, template, "first")
    assert len(first.plan.packs) == 16
    _ended(settings, template, "first", first)
    # Forty times nothing is far less than a minute, and one task can run at once.
    assert len(_planned(settings, template, "second").plan.packs) == 1
    # What was planned stays, whatever is known now.
    assert _planned(settings, template, "first").ref == first.ref


def test_what_the_job_says_of_its_tasks_comes_before_what_is_known(settings: Settings, template: Template) -> None:
    _ended(settings, template, "first", _planned(settings, template, "first"))
    assert len(_planned(settings, template, "by number", chunksPerTask=4).plan.packs) == 10
    assert len(_planned(settings, template, "cut", slots=40, maxConcurrency=1).plan.packs) == 1


@pytest.mark.parametrize(
    ("chunks", "slots", "packs"),
    [(5, 4, [1, 2, 2]), (2, 4, [2]), (CHUNKS, 4, [2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3])],
)
def test_there_are_no_more_tasks_than_chunks_for_all_their_containers(
    settings: Settings, tmp_path: Path, chunks: int, slots: int, packs: list[int]
) -> None:
    (tmp_path / "include").mkdir()
    own = {"partitioner": "replicate"}
    template = write_app(tmp_path / "include", ":", entrypoint="main.sh", manifest={"parallel": 2}, template=own)
    planned = _planned(settings, template, "first", slots, chunks).plan.packs
    assert sorted(each.count for each in planned) == sorted(packs)


def test_an_output_that_is_there_already_counts_once(settings: Settings, template: Template) -> None:
    job = _ended(settings, template, "first", _planned(settings, template, "first"))
    (kept,) = Path(settings.workspace.removeprefix("file://"), "_history").rglob("*.json")
    before = kept.read_text()
    assemble(job)
    assert kept.read_text() == before


def test_a_history_that_cannot_be_kept_or_read_hinders_no_job(settings: Settings, template: Template) -> None:
    folder = Path(settings.workspace.removeprefix("file://"))
    folder.mkdir()
    (folder / "_history").write_text("no folder")
    _ended(settings, template, "first", _planned(settings, template, "first"))
    assert len(_planned(settings, template, "second").plan.packs) == 16


@pytest.mark.parametrize(("each_s", "tasks"), [(0.1, 1), (0.7, 3)])
def test_few_chunks_share_tasks_where_they_are_known_to_be_worth_less_than_these_cost(
    settings: Settings, template: Template, each_s: float, tasks: int
) -> None:
    first = _planned(settings, template, "first", chunks=3)
    assert len(first.plan.packs) == 3
    job = _ended(settings, template, "first", first)
    (kept,) = Path(settings.workspace.removeprefix("file://"), "_history").rglob("*.json")
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "chunks": 3, "seconds": 3 * each_s}))
    assert len(_planned(settings, template, "second", chunks=3).plan.packs) == tasks
    assert len(_planned(settings, template, job.run_id, chunks=3).plan.packs) == 3
