"""What the cache of results must never do: lose or spoil a result, or show it to another job than it may.

Each run of a script writes a word of chance into its result, so that who made a result can be told from it. The scripts
are processes here, whose runner keeps nothing: that refusal is lifted.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import read_catalog
from triptych.errors import VerdictError
from triptych.jobs.cache_eviction import evict
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.pack_log import read_states
from triptych.jobs.spec import build_job_spec
from triptych.jobs.workspace import make_workspace
from triptych.settings import Runner, Settings
from triptych.stages import caching
from triptych.stages.assemble import assemble
from triptych.stages.partition import partition
from triptych.stages.repair import Change, NewCode, repair
from triptych.stages.run_pack import Launch, run_pack
from triptych.storage import Stores

WORD = "$(cat /proc/sys/kernel/random/uuid)"
SCRIPT = f"""
! grep -q fail "$TASK_DIR/data.bin" || exit 3
printf '%s %s\\n' "$(cat "$TASK_DIR/data.bin")" "{WORD}" > "$TASK_RESULTS_DIR/line"
: > "$TASK_RESULTS_DIR/empty"
mkdir "$TASK_RESULTS_DIR/in"
printf '%01000d {WORD}' 7 > "$TASK_RESULTS_DIR/in/large"
"""
BY_LINE: dict[str, Any] = {
    "partitioner": "rows",
    "assembler": "passthrough",
    "params": {"partitioner": {"items_per_chunk": 1}},
    "config": {"chunksPerTask": 100, "toleratedFailurePercentage": 50},
}
LINES = ("one", "two", "three")
DAY_S = 86400


class Jobs:
    """Jobs of one app over a few lines, in one workspace."""

    def __init__(self, settings: Settings, home: Path) -> None:
        self.settings = dataclasses.replace(settings, part_bytes=500)  # Of that size files are objects of their own.
        self.include = home / "include"
        self._source = home / "in.txt"
        self._number = 0
        self.workspace = home / "workspace"
        self.app = self.include / "apps" / "tried"
        write_app(
            self.include, SCRIPT, entrypoint="main.sh", manifest={"cacheable": True, "retries": 0}, template=BY_LINE
        )

    @property
    def cache(self) -> Path:
        return self.workspace / "_cache"

    def start(self, *lines: str, template: str = "tried", **conf: Any) -> PlannedJob:
        """A job that has run its pack."""
        self._number += 1
        self._source.write_text("".join(f"{line}\n" for line in lines))
        chosen = read_catalog([self.include]).template(template)
        spec = build_job_spec(chosen, {"dataSource": self._source.as_uri(), **conf})
        run_id = f"run-{self._number}"
        done = partition(new_job(self.settings, chosen, spec, template, run_id))
        job = load_job(self.settings, template, run_id, done.ref)
        try:
            run_pack(job, 0, Launch("1"))
        except VerdictError:
            assert "fail" in lines
        return job

    def made(self, job: PlannedJob) -> dict[str, bytes]:
        """The output, by file."""
        folder = Path(assemble(job).uri.removeprefix("file://"))
        files = [path for path in folder.rglob("*") if path.is_file() and "_triptych" not in path.parts]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    def words(self, job: PlannedJob) -> dict[str, str]:
        """By line, what its script wrote."""
        found = [text.decode().split() for name, text in self.made(job).items() if name.endswith("line")]
        return dict(found)

    def objects(self) -> list[Path]:
        """Those of the cache."""
        return sorted(path for path in self.cache.rglob("*") if path.is_file())


def _said(job: PlannedJob) -> dict[int, str]:
    return {
        n: each.cache for _, state in read_states(job.workspace, job.plan).values() for n, each in state.done.items()
    }


@pytest.fixture
def jobs(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    lifted = caching.refusal
    monkeypatch.setattr(caching, "refusal", lambda own: lifted(dataclasses.replace(own, runner=Runner.DOCKER)))
    return Jobs(settings, tmp_path)


def test_a_result_is_taken_whole_with_large_and_empty_files(jobs: Jobs) -> None:
    first = jobs.made(jobs.start(*LINES))
    assert len(first) == 3 * len(LINES)
    assert jobs.made(jobs.start(*LINES)) == first


def test_neither_the_older_jobs_end_nor_the_caches_loses_a_result(jobs: Jobs) -> None:
    first = jobs.start(*LINES)
    words = jobs.words(first)
    shutil.rmtree(jobs.workspace / "tried" / first.run_id)
    second = jobs.start(*LINES)
    shutil.rmtree(jobs.cache)
    assert jobs.words(second) == words


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _point_elsewhere(path: Path) -> None:
    path.write_text(path.read_text().replace('"object":"0"', '"object":"../../../../tried/run-1/plans/0.json"'))


@pytest.mark.parametrize(
    ("which", "spoil", "expected"),
    [
        # Small results lie together, one line after the other; each large one is the second chunk's alone.
        ("0", _flip, {0}),
        ("0", _cut, {1, 2}),
        ("0", Path.unlink, {0, 1, 2}),
        ("2", _flip, {1}),
        ("2", Path.unlink, {1}),
        ("*.json", _cut, {0, 1, 2}),
        ("*.json", _point_elsewhere, {0, 1, 2}),
    ],
)
def test_what_is_broken_is_run_again_and_told(
    jobs: Jobs, caplog: pytest.LogCaptureFixture, which: str, spoil: Callable[[Path], None], expected: set[int]
) -> None:
    first = jobs.words(jobs.start(*LINES))
    (path,) = (jobs.cache / "tried" / "entries").rglob(which)
    spoil(path)
    with caplog.at_level(logging.WARNING):
        second = jobs.start(*LINES)
    words = jobs.words(second)
    assert {number for number, line in enumerate(LINES) if words[line] != first[line]} == expected
    assert _said(second) == {number: "broken" if number in expected else "hit" for number in range(3)}
    assert str(path) in caplog.text
    # What was made anew is found before what is broken.
    assert jobs.words(jobs.start(*LINES)) == words


def test_a_failure_is_not_kept(jobs: Jobs) -> None:
    jobs.start("one", "fail", "three")
    assert _said(jobs.start("one", "fail", "three")) == {0: "hit", 2: "hit"}


def test_a_cache_that_cannot_be_written_costs_no_job(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    make_workspace(jobs.settings)
    jobs.cache.write_text("no folder")
    with caplog.at_level(logging.WARNING):
        assert set(jobs.words(jobs.start(*LINES))) == set(LINES)
    assert "cache of results is left alone" in caplog.text


def test_no_other_dag_takes_a_result(jobs: Jobs) -> None:
    """The same app, code, parameters and bytes: only who may trigger the one DAG is to have what it made."""
    (jobs.include / "apps" / "other").mkdir()
    (jobs.include / "apps" / "other" / "template.json").write_text(
        json.dumps({"id": "other", "app": "tried", **BY_LINE})
    )
    first = jobs.words(jobs.start(*LINES))
    second = jobs.start(*LINES, template="other")
    assert set(_said(second).values()) == {"nothing kept"}
    assert not set(jobs.words(second).values()) & set(first.values())


def test_no_other_app_finds_what_an_app_left(jobs: Jobs) -> None:
    """An app decides what lies in its results, and nothing of the key that they are kept under."""
    jobs.start(*LINES)
    (jobs.app / "app" / "main.sh").write_text(f"{SCRIPT}\n# Another one.")
    second = jobs.start(*LINES)
    assert set(_said(second).values()) == {"code"}


def test_a_script_that_changes_its_input_keeps_nothing_under_those_bytes(jobs: Jobs) -> None:
    """The bytes of one line, passed off as those of another, whose result the script would like to choose."""
    script = jobs.app / "app" / "main.sh"
    script.write_text('printf "other\\n" > "$TASK_DIR/data.bin"\n' + SCRIPT)
    jobs.start("mine")
    assert _said(jobs.start("mine", "other")) == {0: "hit", 1: "bytes"}


def test_another_content_of_a_side_input_is_another_key(jobs: Jobs, tmp_path: Path) -> None:
    table = tmp_path / "table"
    table.write_text("one")
    inputs = {"table": table.as_uri()}
    jobs.start(*LINES, inputs=inputs)
    assert set(_said(jobs.start(*LINES, inputs=inputs)).values()) == {"hit"}
    table.write_text("another")
    assert set(_said(jobs.start(*LINES, inputs=inputs)).values()) == {"inputs"}
    assert set(_said(jobs.start(*LINES)).values()) == {"inputs"}


def test_a_repair_keeps_what_is_still_valid(jobs: Jobs) -> None:
    first = jobs.start(*LINES)
    words = jobs.words(first)

    def rerun() -> PlannedJob:
        blocks = read_catalog([jobs.include]).template("tried").blocks
        repair(jobs.settings, first.workspace, first.stores, Change(blocks, NewCode.RERUN))
        job = load_job(jobs.settings, "tried", first.run_id)
        run_pack(job, 0, Launch("2"))
        return job

    assert jobs.words(rerun()) == words
    (jobs.app / "app" / "main.sh").write_text(f"{SCRIPT}\n# Mended.")
    assert not set(jobs.words(rerun()).values()) & set(words.values())


def test_zero_keeps_nothing(jobs: Jobs) -> None:
    jobs.settings = dataclasses.replace(jobs.settings, result_cache_bytes=0)
    assert set(_said(jobs.start(*LINES)).values()) == {""}
    assert not jobs.cache.exists()


def test_eviction_takes_the_old_and_then_the_oldest(jobs: Jobs) -> None:
    store = Stores(jobs.settings).workspace()
    jobs.start("one")
    (folder,) = {path.parent for path in jobs.objects() if path.parent.parent.parent.name == "entries"}
    size = sum(path.stat().st_size for path in folder.iterdir())
    jobs.start("one", "two")
    (jobs.cache / "tried" / "foreign").write_text("not ours")
    every = jobs.objects()
    assert evict(store, jobs.settings).objects == ()
    roomy = dataclasses.replace(jobs.settings, result_cache_bytes=size + 400)
    would = evict(store, roomy, dry_run=True)
    assert {Path(each.uri).name for each in would.objects} == {path.name for path in folder.iterdir()}
    assert would.bytes == size
    assert jobs.objects() == every
    evict(store, roomy)
    assert set(every) - set(jobs.objects()) == {path for path in every if path.parent == folder}
    assert _said(jobs.start("one", "two")) == {0: "bytes", 1: "hit"}
    evict(store, jobs.settings, now=time.time() + (jobs.settings.result_cache_days + 1) * DAY_S)
    assert [path.name for path in jobs.objects()] == ["foreign"]
    assert _said(jobs.start("one", "two")) == {0: "nothing kept", 1: "nothing kept"}
