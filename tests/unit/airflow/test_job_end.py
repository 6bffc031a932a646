"""What a notice tells of a job, from records that no job left by itself; the numbers are had by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.pack_logs import tried
from tests.support.recorded_jobs import plan_of, tell, workspace_at
from triptych.airflow.job_end import JobEnd, read_job_end
from triptych.reports.ended import put_ended
from triptych.settings import Settings
from triptych.storage.paths import file_path

RUN = "run-1"


def _told(settings: Settings, errors: dict[int, str | None], ended: str | None = None) -> JobEnd:
    """Of a job of six chunks that failed, these of which were tried; `ended` is what its last stage said."""
    workspace = workspace_at(file_path(settings.workspace), RUN)
    plan = plan_of(workspace, 6, per_task=6)
    tries = [replace(tried(number, f"t{number}", error=error), seconds=1.0) for number, error in errors.items()]
    tell(workspace, plan, plan.packs[0], tries)
    if ended:
        put_ended(workspace, 0, ended)
    return read_job_end(settings, "enhance", RUN, "https://airflow.example/", has_succeeded=False)


def test_failures_that_differ_in_numbers_alone_are_told_once_the_most_frequent_first(settings: Settings) -> None:
    bad = {n: f"Chunk {n} (in.csv:{n}): exit code 3.\nLast lines of its log:\n  | row {n}7 is bad" for n in (1, 2, 5)}
    end = _told(settings, {0: None, 3: "Chunk 3 (in.csv:3): ran out of memory", **bad})
    assert (end.state, end.chunks, end.done, end.failed, end.waiting) == ("failed", 6, 1, 4, 1)
    lines = end.reason.splitlines()
    assert lines[0] == "4 of 6 chunk(s) failed, 1 were not run."
    assert lines[1] == "3 as chunk 1: exit code 3."
    assert "1 as chunk 3: ran out of memory" in lines
    assert end.url == f"https://airflow.example/dags/enhance/runs/{RUN}"
    assert end.text.startswith("Job enhance photos (enhance) failed: run run-1.\n4 of 6")


def test_without_a_failed_chunk_the_last_stage_has_the_word(settings: Settings) -> None:
    end = _told(settings, dict.fromkeys(range(6)), "The destination holds files\x1b[31m that the job may not replace.")
    assert end.reason.startswith("The destination holds files")
    assert "\x1b" not in end.reason + end.text


def test_a_job_that_was_not_planned_points_to_partition(settings: Settings) -> None:
    end = read_job_end(settings, "enhance", "none", "https://airflow.example", has_succeeded=False)
    assert "the log of the task `partition` says why" in end.reason
    assert (end.chunks, end.output) == (None, None)


@pytest.mark.parametrize("waiting", [0, 2])
def test_without_any_word_it_points_to_a_log(settings: Settings, waiting: int) -> None:
    end = _told(settings, dict.fromkeys(range(6 - waiting)))
    assert f"`{'app' if waiting else 'assemble'}`" in end.reason
