"""The plan that a repair makes: what of the log before counts in it, and that nothing else ever does."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests.support.include_folders import write_app
from tests.support.pack_logs import tried
from triptych.blocks import Block, Role, read_catalog
from triptych.errors import IntegrityError, ObjectConflictError
from triptych.jobs import plan
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.pack_log import Attempted, PackLog, read_states
from triptych.jobs.spec import build_job_spec
from triptych.settings import Settings
from triptych.stages.partition import partition
from triptych.stages.repair import Change, NewCode, Repaired, repair

CHUNKS, IN_PACK = 6, 3
REPLICAS: Mapping[str, Any] = {"partitioner": "replicate", "params": {"partitioner": {"replicas": CHUNKS}}}


class Run:
    """A planned run of six chunks in two packs, whose app can be changed; results are written by hand."""

    def __init__(self, settings: Settings, include: Path) -> None:
        self.settings = settings
        self._include = include
        template = write_app(include, "", template=REPLICAS)
        spec = build_job_spec(template, {"config": {"chunksPerTask": IN_PACK}})
        partition(new_job(settings, template, spec, "tried", "run"))

    def job(self) -> PlannedJob:
        """By its newest plan."""
        return load_job(self.settings, "tried", "run")

    def blocks(self, script: str) -> Mapping[Role, Block]:
        """Those of the template, once its app has this script."""
        (self._include / "apps" / "tried" / "app" / "main.py").write_text(script)
        return read_catalog([self._include]).template("tried").blocks

    def repair(self, script: str, new_code: NewCode = NewCode.KEEP) -> Repaired:
        job = self.job()
        return repair(self.settings, job.workspace, job.stores, Change(self.blocks(script), new_code))


@pytest.fixture
def run(settings: Settings, tmp_path: Path) -> Run:
    return Run(settings, tmp_path / "include")


def _append(job: PlannedJob, *tries: Attempted) -> None:
    """What an attempt at the pack of these chunks says under this job's plan."""
    pack = next(pack for pack in job.plan.packs if pack.first <= tries[0].chunk < pack.first + pack.count)
    log = PackLog(job.workspace, job.plan, pack)
    log.read()
    log.append(tries)


def _counted(job: PlannedJob) -> dict[int, str]:
    """By chunk, the attempt whose result counts under this job's plan."""
    states = read_states(job.workspace, job.plan).values()
    return {number: each.attempt for _, state in states for number, each in state.done.items()}


def test_what_a_zombie_of_the_old_plan_writes_later_never_counts(run: Run) -> None:
    old = run.job()
    _append(old, tried(0, "a"), tried(1, "a", 1, error="exit code 3"))
    assert run.repair("# new").kept == 1
    new = run.job()
    # The first entry of a pack that had none, and a further one of a pack that had some.
    _append(old, tried(1, "zombie"), tried(2, "zombie", 1))
    _append(old, tried(3, "zombie"))
    assert _counted(new) == {0: "a"}
    _append(new, tried(1, "b"), tried(3, "b", 1))
    _append(new, tried(3, "b", 1))
    _append(old, tried(4, "zombie"))
    assert _counted(new) == {0: "a", 1: "b", 3: "b"}
    assert set(_counted(old).values()) == {"a", "zombie"}


def test_results_go_from_plan_to_plan(run: Run) -> None:
    _append(run.job(), tried(0, "a"))
    run.repair("# 1")
    _append(run.job(), tried(3, "b"))
    made = run.repair("# 2")
    assert made.plan.kept == {0: {"0-3": 1}, 1: {"3-3": 1}}
    _append(run.job(), tried(1, "c"))
    assert run.repair("# 3").plan.kept == {2: {"0-3": 1}, 1: {"3-3": 1}}
    assert _counted(run.job()) == {0: "a", 1: "c", 3: "b"}


def test_what_a_pack_lacks_is_told_by_its_place(run: Run) -> None:
    assert run.repair("# 1").lacking == {0, 1}
    _append(run.job(), tried(3, "a"), tried(4, "a"), tried(5, "a"))
    assert run.repair("# 2").lacking == {0}
    _append(run.job(), tried(0, "a"), tried(1, "a"), tried(2, "a", error="exit code 3"))
    assert run.repair("# 3").lacking == {0}
    _append(run.job(), tried(2, "b"))
    assert run.repair("# 4").lacking == frozenset()


def test_rerun_keeps_nothing_and_a_later_keep_brings_nothing_back(run: Run) -> None:
    _append(run.job(), tried(0, "a"))
    assert run.repair("# 1", NewCode.RERUN).kept == 0
    assert run.repair("# 2", NewCode.KEEP).kept == 0
    assert _counted(run.job()) == {}


def test_the_chunks_and_who_cut_them_stay(run: Run) -> None:
    old = run.job().plan
    new = run.repair("# new").plan
    assert (new.packs, new.chunk_list, new.job) == (old.packs, old.chunk_list, old.job)
    assert new.blocks[Role.PARTITIONER] == old.blocks[Role.PARTITIONER]
    assert new.blocks[Role.APP].sha256 != old.blocks[Role.APP].sha256


@pytest.mark.parametrize("mode", list(NewCode))
def test_the_same_again_makes_one_plan_until_something_ran(run: Run, mode: NewCode) -> None:
    _append(run.job(), tried(0, "a"))
    first = run.repair("# new", mode)
    again = run.repair("# new", mode)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.ref == first.ref
    _append(run.job(), tried(1, "b", error="exit code 3"))
    assert run.repair("# new", mode).ref.generation == 2


def test_other_code_makes_a_plan_though_nothing_ran(run: Run) -> None:
    run.repair("# new")
    assert run.repair("# newer").ref.generation == 2


def test_a_rerun_after_a_keep_that_ran_nothing_is_a_plan_of_its_own(run: Run) -> None:
    _append(run.job(), tried(0, "a"))
    run.repair("# new")
    assert run.repair("# new", NewCode.RERUN).ref.generation == 2
    assert _counted(run.job()) == {}


def test_of_two_repairs_at_once_with_other_code_one_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    job, together, put = run.job(), Barrier(2), plan.put_plan
    monkeypatch.setattr("triptych.stages.repair.put_plan", lambda *given: (together.wait(30), put(*given))[1])
    changes = []
    for name in ("one", "two"):
        include = run.settings.scratch.parent / name
        changes.append(Change(write_app(include, f"# {name}", template=REPLICAS).blocks))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(repair, run.settings, job.workspace, job.stores, change) for change in changes]
    (refused,) = [each.exception() for each in both if each.exception()]
    assert isinstance(refused, ObjectConflictError)
    (made,) = [each.result() for each in both if not each.exception()]
    assert run.job().ref == made.ref


def test_there_is_nothing_to_repair_before_a_plan(settings: Settings, tmp_path: Path) -> None:
    template = write_app(tmp_path, "", template=REPLICAS)
    job = new_job(settings, template, build_job_spec(template, {}), "tried", "none")
    with pytest.raises(IntegrityError, match="holds no plan"):
        repair(settings, job.workspace, job.stores, Change(template.blocks))
