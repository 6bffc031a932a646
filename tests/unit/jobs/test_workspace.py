"""Where a run's objects lie: callers choose its id, and no id reaches another run's folder."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.include_folders import write_app
from triptych.blocks import Template
from triptych.errors import ConfigError, IntegrityError
from triptych.jobs.job import load_job, new_job
from triptych.jobs.spec import build_job_spec
from triptych.jobs.workspace import folder_name, open_workspace, output_root, workspace_root
from triptych.settings import Settings, read_settings
from triptych.stages.partition import partition
from triptych.storage import Stores

AIRFLOWS_OWN = [
    "manual__2026-11-24T09:30:00+00:00",
    "manual__2026-11-24T09:30:00.123456+00:00_aB3xYz12",
    "scheduled__2026-11-24T00:00:00+00:00",
    "asset_triggered__2026-11-24T09:30:00+00:00_1a2b",
    "backfill__2026-11-24T00:00:00+00:00",
    "local-20261124T093000-1f9a",
    "v1.2~rc",
]
HOSTILE = [
    ".",
    "..",
    "...",
    ".hidden",
    "victim.",
    "../victim",
    "../../victims/victim",
    "..%2Fvictim",
    "%2e%2e%2fvictim",
    "victim/plans",
    "victim%2Fplans",
    "/etc",
    "victim\n",
    "victim\x00",
    "victim ",
    "victim\\..\\x",
    "x" * 250,
    "é" * 250,
    "\ud800",
    "s3://elsewhere/x",
    "?x#y",
    "victim=",
]
"""`.`, `.hidden`, `victim.` and `victim\\n` pass Airflow 3.3's own pattern; the others where an operator widens it."""


def _settings(folder: Path) -> Settings:
    values = {"workspace": (folder / "workspace").as_uri(), "allowed_roots": str(folder), "runner": "process"}
    return read_settings({**values, "scratch": str(folder / "scratch")})


@pytest.mark.parametrize("run_id", AIRFLOWS_OWN)
def test_ids_that_airflow_makes_are_folders_as_they_are(run_id: str) -> None:
    assert folder_name(run_id) == run_id


@pytest.mark.parametrize("run_id", HOSTILE)
def test_a_run_lies_in_a_folder_of_its_own_whatever_its_id(run_id: str, tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    stores = Stores(settings)
    for each in ("victim", run_id):
        open_workspace(settings, stores, "dag", each).put_json("plans/0.json", {"run": ascii(each)})
        stores.workspace().put(f"{output_root(settings, 'dag', each)}out", b"")
    plans = [Path(folder, "0.json") for folder, _, names in os.walk(tmp_path) if "0.json" in names]
    assert sorted(json.loads(path.read_text())["run"] for path in plans) == sorted(map(ascii, ("victim", run_id)))
    # <workspace>/dag/<run>/plans/0.json, and <workspace>/outputs/dag/<run>/out: nothing higher, nothing deeper.
    assert {path.parents[2] for path in plans} == {tmp_path / "workspace" / "dag"}
    outputs = tmp_path / "workspace" / "outputs" / "dag"
    assert sorted(path.name for path in outputs.iterdir()) == sorted(path.parents[1].name for path in plans)
    assert all([found.name for found in path.iterdir()] == ["out"] for path in outputs.iterdir())


@given(st.sets(st.text(max_size=300), max_size=8))
def test_no_two_ids_have_one_folder(ids: set[str]) -> None:
    names = {folder_name(each) for each in ids}
    assert len(names) == len(ids)
    assert all(re.fullmatch(r"[!-~]{1,249}", name) and "/" not in name and name.strip(".") == name for name in names)


@pytest.fixture
def template(tmp_path: Path) -> Template:
    (tmp_path / "words.txt").write_text("a\nb\n")
    return write_app(tmp_path / "include", "", template={"dataSource": (tmp_path / "words.txt").as_uri()})


def test_a_plan_of_another_run_is_refused(tmp_path: Path, template: Template) -> None:
    settings = _settings(tmp_path)
    spec = build_job_spec(template, {})
    ref = partition(new_job(settings, template, spec, "tried", "Night")).ref
    assert load_job(settings, "tried", "Night", ref).plan.run == "tried/Night"
    # What a file system shows that does not tell upper from lower case.
    jobs = tmp_path / "workspace" / "tried"
    (jobs / "Night").rename(jobs / "night")
    with pytest.raises(IntegrityError, match=r"is the plan of tried/Night, not of tried/night\. .* upper from lower"):
        partition(new_job(settings, template, spec, "tried", "night"))
    with pytest.raises(IntegrityError, match="tried/Night"):
        load_job(settings, "tried", "night")


@pytest.mark.parametrize("dag_id", ["outputs", "_cache"])
def test_a_template_has_no_folder_of_the_workspaces_own(dag_id: str, settings: Settings) -> None:
    with pytest.raises(ConfigError, match=f"'{dag_id}'"):
        workspace_root(settings, dag_id, "run")
