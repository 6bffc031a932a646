"""`triptych job report`, and the report that each job leaves."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from tests.support.recorded_jobs import plan_of, run_all
from triptych.errors import StorageError
from triptych.jobs.workspace import Workspace
from triptych.reports import leaving
from triptych.settings import get_settings
from triptych.storage.files import FileStore


def _jobs(home: Path) -> Path:
    return home.parent / "cache" / "triptych" / "jobs"


def _left(home: Path, run: str) -> dict[str, object]:
    told: dict[str, object] = json.loads((_jobs(home) / "tried" / run / "report.json").read_text())
    return told


def test_a_failed_job_leaves_its_report_and_names_it(app: Path, home: Path) -> None:
    shown = call("run", "tried", "--runner", "process", "-d", "out")
    assert shown.exit_code == 8
    page = Path(re.findall(r"Report: (.*)", shown.stderr)[0])
    told = json.loads(page.with_name("report.json").read_text())
    assert page.name == "report.html"
    assert told["job"]["state"] == "failed"
    assert "1 of 3 chunks have no result" in told["job"]["error"]
    (group,) = told["failures"]
    assert (group["exit_code"], group["tries"], group["chunks_failed"]) == (3, 2, 1)
    assert group["examples"][0]["log_tail"] == "this is chunk 1\nno good"
    assert "no good" in page.read_text()


def test_a_repair_leaves_it_anew(failed: str, app: Path, home: Path) -> None:
    (app / "app" / "main.sh").write_text('printf 1 > "$TASK_RESULTS_DIR/r.txt"\n')
    done = call("run", "tried", "--runner", "process", "--resume", failed, "--new-code", "keep", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(Path(json.loads(done.stdout)["report"]).with_name("report.json").read_text())
    assert (told["job"]["state"], told["counts"]["done"], told["counts"]["tries_retried"]) == ("succeeded", 3, 2)
    assert told["job"]["output"]["files"] == 3


def test_it_is_made_again_from_the_records_alone(failed: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    left = _left(home, failed)
    (_jobs(home) / "tried" / failed / "report.json").unlink()
    shown = call("job", "report", failed)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.strip() == f"triptych-report/{failed}/report.html"
    again = json.loads(Path("triptych-report", failed, "report.json").read_text())
    assert {**again, "made": 0} == {**left, "made": 0}
    assert not (_jobs(home) / "tried" / failed / "report.json").exists()


def test_prices_are_those_of_the_options_or_the_settings(
    failed: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__PRICE_CORE_HOUR", "2")
    get_settings.cache_clear()
    by_settings = json.loads(call("job", "report", failed, "--json").stdout)["use"]
    by_options = json.loads(call("job", "report", failed, "--json", "--price-core-hour", "4").stdout)["use"]
    assert by_settings["price"] == pytest.approx(2 * by_settings["core_hours"])
    assert by_options["price"] == pytest.approx(4 * by_settings["core_hours"])
    assert not (home / "triptych-report").exists()


def test_a_folder_of_ones_own(failed: str, home: Path) -> None:
    shown = call("job", "report", failed, "--to", home / "a" / "b")
    assert shown.stdout.strip() == str(home / "a" / "b" / "report.html")
    (home / "file").write_text("")
    refused = call("job", "report", failed, "--to", home / "file")
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"--to {home / 'file'}: ")


def test_a_run_without_a_plan_is_one_sentence(app: Path, home: Path) -> None:
    refused = call("job", "report", "local-20260101T000000-0000", "-t", "tried")
    assert refused.exit_code == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "`partition` did not come to its end" in refused.stderr


def test_a_running_jobs_report_says_that_it_has_not_finished(home: Path, app: Path) -> None:
    workspace = Workspace(FileStore((home.parent,)), (_jobs(home) / "tried" / "now").as_uri())
    plan = plan_of(workspace, 40)
    run_all(workspace, plan)
    shown = call("job", "report", "now", "--json")
    assert shown.exit_code == 0, shown.stderr
    assert json.loads(shown.stdout)["job"]["state"] == "not finished"


def test_a_report_that_cannot_be_left_changes_no_outcome(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_app(home / "include", "", entrypoint="main.sh", template={"partitioner": "replicate"})

    def measure(*_: object) -> None:
        raise RuntimeError("no report today")

    monkeypatch.setattr(leaving, "measure_planned", measure)
    done = call("run", "tried", "--runner", "process", "-d", "out")
    assert done.exit_code == 0, done.stderr
    assert "no report today" in done.stderr
    assert "Report: " not in done.stderr


def test_a_job_that_ended_before_it_was_assembled_leaves_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_app(home / "include", "", entrypoint="main.sh", template={"partitioner": "replicate"})

    def broken(*_: object) -> None:
        raise StorageError("the store went away")

    monkeypatch.setattr("triptych.local.runner.run_pack", broken)
    shown = call("run", "tried", "--runner", "process", "-d", "out")
    assert shown.exit_code != 0
    page = Path(re.findall(r"Report: (.*)", shown.stderr)[0])
    told = json.loads(page.with_name("report.json").read_text())
    assert (told["job"]["state"], told["job"]["error"]) == ("failed", "the store went away")


def test_retention_knows_what_a_report_leaves(failed: str, home: Path) -> None:
    folder = _jobs(home) / "tried" / failed
    old = time.time() - 400 * 86400
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (old, old))
    assert {"ended.json", "report.html", "report.json"} <= {path.name for path in folder.iterdir()}
    done = call("clean", "--yes")
    assert done.exit_code == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["removed.json"]
