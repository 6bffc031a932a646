"""The figures of a few tries whose answer can be had by hand, through the real records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.pack_logs import tried
from tests.support.recorded_jobs import LAUNCHED, MIB, plan_of, run_all, tell, workspace_at
from triptych.jobs.pack_log import Attempted, LogPart
from triptych.jobs.plan import Plan
from triptych.jobs.workspace import Workspace
from triptych.reports import Prices, Report, measure
from triptych.reports.ended import put_ended, read_ended
from triptych.reports.model import JobState
from triptych.reports.timeline import MOST_BARS
from triptych.settings import PROJECT

HOUR = 3600.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_at(tmp_path)


def _ran(chunk: int, begin: float, seconds: float, worker: str, error: str | None = None) -> Attempted:
    ran = tried(chunk, f"{worker}-{chunk}-{begin}", error=error)
    return replace(ran, started=LAUNCHED + begin, seconds=seconds, worker=worker, bytes_in=10_000)


def _told(workspace: Workspace, chunks: int, tries: list[Attempted], prices: Prices | None = None) -> Report:
    plan = plan_of(workspace, chunks, per_task=chunks)
    tell(workspace, plan, plan.packs[0], tries)
    return _measured(workspace, prices)


def _measured(workspace: Workspace, prices: Prices | None = None) -> Report:
    report = measure(workspace, prices or Prices())
    assert report is not None
    return report


def test_core_hours_and_their_price_are_seconds_by_the_apps_limits(workspace: Workspace) -> None:
    half = [replace(_ran(n, 0.0, HOUR, "w"), cpu_seconds=HOUR / 2, peak_memory_bytes=128 * MIB) for n in range(4)]
    use = _told(workspace, 4, half, Prices(0.5, 0.25)).use
    # One core and 0.5 GiB for four hours.
    assert (use.core_hours, use.gib_hours, use.cpu_core_hours, use.cpu_share) == (4.0, 2.0, 2.0, 0.5)
    assert use.price == 4 * 0.5 + 2 * 0.25
    assert use.peak_memory_bytes == 128 * MIB


def test_what_no_try_tells_is_none_and_has_no_price(workspace: Workspace) -> None:
    use = _told(workspace, 1, [_ran(0, 0.0, 1.0, "w")]).use
    assert (use.cpu_core_hours, use.cpu_share, use.peak_memory_bytes, use.price) == (None, None, None, None)


def test_failures_count_chunks_by_the_message_of_their_last_try(workspace: Workspace) -> None:
    tries = [
        _ran(0, 0.0, 1.0, "w", "Chunk 0 (in.csv:0): exit code 3.\nLast lines of its log:\n  | row 5 is bad"),
        _ran(0, 1.0, 1.0, "w", "Chunk 0 (in.csv:0): exit code 3.\nLast lines of its log:\n  | row 77 is bad"),
        _ran(1, 2.0, 1.0, "w", "Chunk 1 (in.csv:1): exit code 3.\nLast lines of its log:\n  | row 6 is bad"),
        _ran(2, 3.0, 1.0, "w", "Chunk 2 (in.csv:2): ran longer than its timeout of 3 s."),
        _ran(2, 4.0, 1.0, "w"),
    ]
    report = _told(workspace, 4, tries)
    told = [(each.message, each.tries, each.chunks_failed, each.chunks_mended) for each in report.failures]
    assert told == [
        ("exit code 3. row {n} is bad", 3, 2, 0),
        ("ran longer than its timeout of {n} s.", 1, 0, 1),
    ]
    counts = report.counts
    assert (counts.done, counts.failed, counts.waiting) == (1, 2, 1)
    assert (counts.tries, counts.tries_failed, counts.tries_retried) == (5, 4, 1)
    assert report.use.failed_seconds == 4.0


def test_an_example_has_the_end_of_its_log_and_of_nobody_elses(workspace: Workspace) -> None:
    printed = "".join(f"line {n}\n" for n in range(200)) + "x" * 1_000_000 + "\n" + "\x1b[2Jlast\U0001f600\n"
    workspace.store.put(workspace.uri("logs/l"), b"before\n" + printed.encode() + b"after\n")
    failed = replace(_ran(0, 0.0, 1.0, "w", "x"), log=LogPart("logs/l", 7, len(printed.encode())))
    (group,) = _told(workspace, 1, [failed]).failures
    tail = group.examples[0].log_tail
    assert tail.endswith("\\x1b[2Jlast\U0001f600")
    assert "before" not in tail
    assert "after" not in tail
    assert len(tail) < 20_000


def test_a_log_that_is_gone_is_no_failure_of_the_report(workspace: Workspace) -> None:
    (group,) = _told(workspace, 1, [_ran(0, 0.0, 1.0, "w", "why\nLast lines of its log:\n  | this")]).failures
    assert group.examples[0].log_tail == ""
    assert group.examples[0].reason.endswith("  | this")


def test_a_straggler_is_three_times_the_median_and_a_second_longer(workspace: Workspace) -> None:
    seconds = [1.0, 1.0, 1.0, 2.9, 3.1]
    slow = _told(workspace, 5, [_ran(n, n * 10.0, s, "w") for n, s in enumerate(seconds)]).stragglers
    assert (slow.threshold_seconds, slow.count) == (3.0, 1)
    assert slow.excess_seconds == pytest.approx(2.1)
    assert [each.chunk for each in slow.slowest[:2]] == [4, 3]


def test_milliseconds_make_no_straggler(tmp_path: Path) -> None:
    quick = _told(workspace_at(tmp_path), 4, [_ran(n, n, 0.001 * 10**n, "w") for n in range(4)])
    assert quick.stragglers.count == 0


def test_the_timeline_has_each_try_on_the_slot_of_its_worker(workspace: Workspace) -> None:
    tries = [_ran(0, 10.0, 4.0, "w10"), _ran(1, 11.0, 1.0, "w9"), _ran(2, 12.0, 1.0, "w10")]
    told = _told(workspace, 3, tries).timeline
    assert [(slot.worker, slot.number) for slot in told.slots] == [("w9", 0), ("w10", 0), ("w10", 1)]
    bars = told.bars
    assert list(zip(bars.slot, bars.chunk, bars.begin_ms, bars.length_ms, strict=True)) == [
        (0, 1, 1000, 1000),
        (1, 0, 0, 4000),
        (2, 2, 2000, 1000),
    ]
    assert told.origin == LAUNCHED + 10.0
    assert sum(told.running) * told.bucket_seconds == pytest.approx(6.0)
    assert sum(told.done) == 3


def test_workers_are_told_with_their_slots_and_how_busy_they_were(workspace: Workspace) -> None:
    tries = [_ran(0, 0.0, 4.0, "a"), _ran(1, 0.0, 2.0, "a"), _ran(2, 0.0, 1.0, "b", "x")]
    first, second = _told(workspace, 3, tries).workers
    assert (first.worker, first.slots, first.busy_seconds, first.present_seconds) == ("a", 2, 6.0, 4.0)
    assert (second.worker, second.slots, second.failed) == ("b", 1, 1)


def _states(workspace: Workspace, plan: Plan) -> Iterator[JobState]:
    yield _measured(workspace).job.state
    for error in ("it failed", None):
        put_ended(workspace, 0, error)
        yield _measured(workspace).job.state
    ended = read_ended(workspace)
    assert ended is not None
    tell(workspace, plan, plan.packs[0], [_ran(1, ended.at - LAUNCHED + 400, 1.0, "w")])
    yield _measured(workspace).job.state


def test_the_state_is_what_was_said_at_the_end_until_more_runs(workspace: Workspace) -> None:
    plan = plan_of(workspace, 2, per_task=2)
    tell(workspace, plan, plan.packs[0], [_ran(0, 0.0, 1.0, "w")])
    states = list(_states(workspace, plan))
    assert states == [JobState.UNFINISHED, JobState.FAILED, JobState.SUCCEEDED, JobState.UNFINISHED]


def test_a_job_without_a_plan_has_no_report(workspace: Workspace) -> None:
    assert measure(workspace, Prices()) is None


def test_a_job_of_which_nothing_has_run_has_one(workspace: Workspace) -> None:
    plan_of(workspace, 3)
    report = _measured(workspace)
    assert (report.counts.waiting, report.counts.tries, report.durations_seconds) == (3, 0, None)
    assert json.loads(report.to_json())["timeline"]["slots"] == []


def test_more_tries_than_a_page_holds_are_told_as_fewer_bars(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(workspace, 600)
    run_all(workspace, plan, failed=0.05)
    whole = _measured(workspace).timeline
    monkeypatch.setattr("triptych.reports.timeline.MOST_BARS", 100)
    few = _measured(workspace).timeline
    assert MOST_BARS > 600
    assert len(whole.bars.slot) == sum(whole.bars.tries)
    assert sum(few.bars.tries) == sum(whole.bars.tries)
    assert len(few.bars.slot) < 150
    assert 3 in set(few.bars.ending)


def test_records_of_one_job_give_one_report(workspace: Workspace) -> None:
    plan = plan_of(workspace, 300)
    run_all(workspace, plan)
    once, again = (replace(_measured(workspace), made=0.0).to_json() for _ in range(2))
    assert once == again
    counts = json.loads(once)["counts"]
    assert counts["done"] + counts["failed"] == 300


def _whole(schema: Any) -> Any:
    """The same schema, which takes no key that it does not name."""
    if isinstance(schema, list):
        return [_whole(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema and "type" in schema else {}
    return {**closed, **{key: _whole(value) for key, value in schema.items()}}


@pytest.mark.parametrize("chunks", [0, 1, 200])
def test_the_file_is_what_its_schema_says_and_no_more(workspace: Workspace, chunks: int) -> None:
    schema = json.loads((PROJECT / "plugins/triptych/reports/report.schema.json").read_text())
    plan = plan_of(workspace, max(1, chunks), per_task=20)
    if chunks:
        run_all(workspace, plan, failed=0.2)
    put_ended(workspace, 0, None)
    Draft202012Validator(_whole(schema)).validate(json.loads(_measured(workspace, Prices(1.0, 1.0)).to_json()))
