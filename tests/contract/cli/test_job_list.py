"""`triptych job list`: which jobs a workspace has, and how far each is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.command import call
from tests.support.old_runs import set_back
from triptych.retention.run_lock import held_run
from triptych.settings import get_settings


def _listed(*options: str) -> list[dict[str, Any]]:
    shown = call("job", "list", "--json", *options)
    assert shown.exit_code == 0, shown.stderr
    jobs: list[dict[str, Any]] = json.loads(shown.stdout)
    return jobs


def _done(app: Path) -> str:
    main = app / "app" / "main.sh"
    main.write_text(main.read_text().replace("exit 3", "true"))
    run: str = json.loads(call("run", "tried", "--runner", "process", "-d", "out", "--json").stdout)["run"]
    return run


def test_each_job_has_its_state_and_the_last_changed_is_first(app: Path, failed: str, home: Path) -> None:
    set_back(home.parent / "cache" / "triptych" / "jobs" / "tried" / failed, 1)
    done = _done(app)
    jobs = _listed()
    assert [(job["run"], job["template"], job["state"]) for job in jobs] == [
        (done, "tried", "done"),
        (failed, "tried", "failed"),
    ]
    assert [(job["sums"]["done"], job["sums"]["failed"]) for job in jobs] == [(3, 0), (2, 1)]
    assert all(job["launched"] <= job["changed"] + 86400 for job in jobs)
    assert [job["run"] for job in _listed("--limit", "1")] == [done]
    assert _listed("--template", "another") == []
    shown = call("job", "list", "--limit", "1")
    assert "1 of 2 jobs; --limit 2 shows every one." in shown.stderr
    assert "done" in shown.stdout


def test_one_that_a_process_holds_runs(failed: str, monkeypatch: Any, home: Path) -> None:
    jobs = home.parent / "cache" / "triptych" / "jobs"
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__WORKSPACE", jobs.as_uri())
    get_settings.cache_clear()
    with held_run(get_settings(), "tried", failed):
        assert [job["state"] for job in _listed()] == ["running"]
    assert [job["state"] for job in _listed()] == ["failed"]


def test_what_cannot_be_read_hides_no_other(app: Path, failed: str, home: Path) -> None:
    done = _done(app)
    jobs = home.parent / "cache" / "triptych" / "jobs" / "tried"
    (jobs / failed / "plans" / "0.json").write_text('{"format": 99}')
    (jobs / "mine" / "deep").mkdir(parents=True)
    (jobs / "mine" / "deep" / "letter.txt").write_text("no job")
    by_run = {job["run"]: job for job in _listed()}
    assert sorted(by_run) == sorted([done, failed])
    assert by_run[failed]["state"] == "unfinished"
    assert "workspace format 99" in by_run[failed]["error"]
    assert "workspace format 99" in call("job", "list").stderr


def test_one_that_retention_took_is_told_so(failed: str, home: Path) -> None:
    set_back(home.parent / "cache" / "triptych" / "jobs" / "tried" / failed, 40)
    assert call("clean", "--yes").exit_code == 0
    assert [(job["run"], job["state"], job["sums"]) for job in _listed()] == [(failed, "removed", None)]


def test_an_empty_workspace_says_so(home: Path) -> None:
    (home / "include").mkdir()
    shown = call("job", "list")
    assert shown.exit_code == 0
    assert "No job in file://" in shown.stderr
