"""`triptych clean`: what it shows, what it removes, and what a repair says afterwards."""

from __future__ import annotations

import fcntl
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.support.command import call
from tests.support.hostile_server import Reply, hostile_server
from tests.support.include_folders import write_app
from tests.support.old_runs import set_back
from triptych.cli import app

FAILS = 'test "$CHUNK_NUMBER" != 1 || exit 3; echo done > "$TASK_RESULTS_DIR/r.txt"'
EACH: dict[str, Any] = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 2}}}


@pytest.fixture
def jobs(home: Path) -> Path:
    """The folder of local jobs, with the app `tried`, whose chunk 1 fails."""
    write_app(home / "include", FAILS, entrypoint="main.sh", manifest={"retries": 0}, template=EACH)
    return home.parent / "cache" / "triptych" / "jobs"


def _fail(jobs: Path, days: float) -> Path:
    """A failed run that is so many days old: its folder."""
    failed = call("run", "tried", "--runner", "process", "-d", "out")
    assert failed.exit_code == 8, failed.stderr
    run = jobs / "tried" / failed.stderr.partition("--resume ")[2].split()[0]
    set_back(run, days)
    return run


def _clean(*options: str) -> Any:
    cleaned = call("clean", "--json", *options)
    assert cleaned.exit_code == 0, cleaned.stderr
    return json.loads(cleaned.stdout)


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_dry_run_comes_first_and_a_repair_afterwards_says_what_became_of_the_run(jobs: Path) -> None:
    old, young = _fail(jobs, 31), _fail(jobs, 29)
    before = _names(jobs)
    size = sum(path.stat().st_size for path in old.rglob("*") if path.is_file())

    told = _clean()
    [found] = told["removes"]
    assert (found["what"], found["where"], found["bytes"]) == ("run", f"{old.as_uri()}/", size)
    assert found["why"] == "it ended without an output more than 30 days ago"
    assert found["age_s"] == pytest.approx(31 * 86400, abs=600)
    assert (told["dry_run"], told["removed"], told["bytes"]) == (True, [], size)
    assert _names(jobs) == before

    assert _clean("--yes")["removed"] == [f"{old.as_uri()}/"]
    assert _names(old) == ["removed.json"]
    assert [path.name for path in old.iterdir()] == ["removed.json"]
    assert len(_names(young)) > 5
    assert _clean("--yes")["removes"] == []

    today = time.strftime("%Y-%m-%d", time.gmtime(json.loads((old / "removed.json").read_text())["at"]))
    said = (
        f"{old.as_uri()}: retention removed this run's data on {today} (it ended without an output more than 30 days "
        "ago): launch the job anew; its output is where it was put.\n"
    )
    again = call("run", "tried", "--runner", "process", "--resume", old.name)
    assert (again.exit_code, again.stderr) == (10, said)
    shown = call("job", "show", old.name, "--template", "tried")
    assert (shown.exit_code, shown.stderr) == (10, said)
    assert call("run", "tried", "--runner", "process", "--resume", young.name).exit_code == 8

    set_back(old, 366)
    assert _clean("--yes")["removed"] == [f"{old.as_uri()}/"]
    assert not old.exists()
    assert not (jobs / "_runs" / "tried" / f"{old.name}.lock").exists()


def test_people_are_shown_a_table_and_told_what_to_type(jobs: Path) -> None:
    _fail(jobs, 31)
    shown = call("clean", "--template", "tried")
    assert shown.exit_code == 0
    assert "Nothing was removed: --yes does that." in shown.stderr
    assert " 31.0 " in shown.stdout
    assert call("clean", "--template", "other").stderr == "0 beyond their age, 0 bytes.\n"
    done = call("clean", "--yes")
    assert "Removed 1, " in done.stderr


def test_a_templates_own_ages_come_before_the_settings(jobs: Path, home: Path) -> None:
    template = home / "include" / "apps" / "tried" / "template.json"
    template.write_text(json.dumps({**EACH, "keepFailureDays": 2}))
    run = _fail(jobs, 3)
    assert [each["where"] for each in _clean()["removes"]] == [f"{run.as_uri()}/"]
    template.write_text(json.dumps({**EACH, "keepFailureDays": 0}))
    assert "keepFailureDays: must be at least 1, and is 0" in call("validate").stderr


def test_a_run_stays_while_somebody_has_its_lock(jobs: Path) -> None:
    run = _fail(jobs, 31)
    with (jobs / "_runs" / "tried" / f"{run.name}.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = _clean("--yes")
        assert told["removed"] == []
        assert [each["why"] for each in told["stays"]] == [
            "it ended without an output more than 30 days ago, but it runs"
        ]
        busy = call("run", "tried", "--runner", "process", "--resume", run.name)
        assert busy.exit_code == 14
        assert f"The run {run.name} is in use" in busy.stderr
    assert _clean("--yes")["removed"] == [f"{run.as_uri()}/"]


def test_a_run_of_airflows_stays_where_no_airflow_is_asked(jobs: Path) -> None:
    run = _fail(jobs, 31)
    theirs = run.with_name("manual__2026-10-01T09:00:00+00:00")
    run.rename(theirs)
    told = _clean("--yes")
    assert (told["removed"], told["removes"]) == ([], [])
    assert "only Airflow knows whether it runs" in told["stays"][0]["why"]
    assert len(_names(theirs)) > 5


def test_what_others_put_there_stays(jobs: Path) -> None:
    """A folder two levels deep need not be a run; and in a run's there may lie somebody's file."""
    run = _fail(jobs, 31)
    (run / "notes.txt").write_text("mine")
    report = jobs / "reports" / "2025" / "results" / "table.csv"
    report.parent.mkdir(parents=True)
    report.write_text("1")
    set_back(jobs, 400)
    told = _clean("--yes")
    assert told["removed"] == []
    assert [each["why"] for each in told["stays"]] == [
        "it ended without an output more than 30 days ago, but it holds notes.txt, none of Triptych's"
    ]
    assert report.read_text() == "1"
    assert len(_names(run)) > 5


def test_an_output_in_the_workspace_is_never_removed_unless_it_has_an_age(
    jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.settings import get_settings

    output = jobs / "outputs" / "tried" / "local-20250101T000000-0000" / "r.txt"
    output.parent.mkdir(parents=True)
    output.write_text("result")
    set_back(jobs, 1000)
    assert _clean("--yes")["removes"] == []
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__KEEP_OUTPUTS_DAYS", "1000")
    get_settings.cache_clear()
    set_back(jobs, 999)
    assert _clean("--yes")["removes"] == []
    set_back(jobs, 1001)
    assert _clean("--yes")["removed"] == [f"{output.parent.as_uri()}/"]
    assert not output.parent.exists()


def test_an_airflow_is_asked_by_the_name_of_its_profile(
    jobs: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    run = _fail(jobs, 31)
    theirs = run.with_name("manual__2026-10-01T09:00:00+00:00")
    run.rename(theirs)
    with hostile_server() as server:
        server.answer = lambda _: Reply(json.dumps({"dag_runs": [], "total_entries": 0}).encode())
        place = ["--airflow", server.url, "--workspace", jobs.as_uri(), "--token-stdin"]
        assert CliRunner().invoke(app, ["profile", "add", "mine", *place], input="token\n").exit_code == 0
        assert _clean("--yes")["removed"] == []
        assert _clean("--yes", "--profile", "mine")["removed"] == [f"{theirs.as_uri()}/"]
        assert [request for request in server.requests if "tried" in request.target]


def test_an_airflow_whose_workspace_nobody_named_is_not_cleaned(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_TOKEN", "token")
    refused = call("clean", "--yes", "--airflow", "http://127.0.0.1:1")
    assert refused.exit_code == 2
    assert "AIRFLOW__TRIPTYCH__WORKSPACE" in refused.stderr
