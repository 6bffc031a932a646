"""`triptych job show`: what it tells of jobs that failed, are done, have not begun, or are large."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.command import call
from tests.support.pack_logs import tried
from tests.support.servers import Server, s3_client
from triptych.jobs.pack_log import PackLog
from triptych.jobs.plan import PACKAGE, FrozenJob, Plan, PlannedPack, put_plan, save_job
from triptych.jobs.spec import JobSpec
from triptych.jobs.workspace import ChunkEntry, Workspace
from triptych.settings import get_settings
from triptych.storage import FileEntry
from triptych.storage.files import FileStore

LARGE = 3_000


def test_a_failed_run_with_the_failure_first(failed: str) -> None:
    shown = call("job", "show", failed, "--json")
    assert shown.exit_code == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert (told["run"], told["template"]) == (failed, "tried")
    first = told["chunks"][0]
    assert (first["chunk"], first["state"], len(first["tries"])) == (1, "failed", 2)
    assert sorted(chunk["bytes_out"] for chunk in told["chunks"][1:]) == [5, 5]
    assert told["chunks"][0]["reason"].startswith("exit code 3")
    assert {key: told["sums"][key] for key in ("done", "failed", "waiting", "tries", "bytes_out")} == {
        "done": 2,
        "failed": 1,
        "waiting": 0,
        "tries": 4,
        "bytes_out": 10,
    }
    assert all(each["cpu_seconds"] is not None for chunk in told["chunks"] for each in chunk["tries"])


def test_the_table_and_where_it_lies(failed: str, home: Path) -> None:
    shown = call("job", "show", failed)
    assert "3 chunk(s): 2 done, 1 failed, 0 not yet." in shown.stdout
    root = home.parent / "cache" / "triptych" / "jobs" / "tried" / failed
    assert str(root) in shown.stdout
    # CliRunner's terminal is narrow: cells are folded.
    assert "failed" in shown.stdout


def test_the_log_of_each_try(failed: str) -> None:
    shown = call("job", "show", failed, "--log", "1")
    assert shown.stdout == "this is chunk 1\nno good\n" * 2
    assert f"Try 2 of 2 at chunk 1 (replica_1): failed, exit code 3, {time.strftime('%Y-')}" in shown.stderr
    assert call("job", "show", failed, "--log", "2").stdout == "this is chunk 2\n"
    assert call("job", "show", failed, "--log", "3").exit_code == 2


def test_what_others_wrote_does_not_steer_the_terminal(app: Path, home: Path) -> None:
    (app / "template.json").write_text(
        json.dumps({"partitioner": "rows", "params": {"partitioner": {"format": "lines"}}})
    )
    (home / "in").mkdir()
    (home / "in" / "\x1b[2Jb.txt").write_text("x")
    done = call("run", "tried", "--runner", "process", "-s", "in/", "-d", "out", "--json")
    shown = call("job", "show", json.loads(done.stdout)["run"]).stdout
    assert "\x1b" not in shown
    assert "\\x1b" in shown


def test_a_run_that_is_done_can_still_be_seen(app: Path) -> None:
    main = app / "app" / "main.sh"
    main.write_text(main.read_text().replace("exit 3", "true"))
    run_id = json.loads(call("run", "tried", "--runner", "process", "-d", "out", "--json").stdout)["run"]
    told = json.loads(call("job", "show", run_id, "--json").stdout)
    assert told["sums"]["done"] == 3
    assert call("job", "show", run_id, "--log", "1").stdout == "this is chunk 1\nno good\n"


def test_links_of_a_temporary_output_are_shown_while_they_work(
    app: Path, home: Path, monkeypatch: pytest.MonkeyPatch, store: Server
) -> None:
    """By the workspace alone, as for a job of Airflow's; each is fetched by a client that knows nothing else."""
    main = app / "app" / "main.sh"
    main.write_text(main.read_text().replace("exit 3", "true"))
    monkeypatch.setenv("AIRFLOW_CONN_SHOWN", store.connection)
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__WORKSPACE", "s3://shown/jobs")
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__WORKSPACE_CONN_ID", "shown")
    (home / "job.json").write_text(json.dumps({"dataDestination": {"dataSourceDescriptor": "bucket"}}))
    with s3_client(store, "shown"):
        for lifetime_s in (3600, 1):
            monkeypatch.setenv("AIRFLOW__TRIPTYCH__TEMPORARY_SECONDS", str(lifetime_s))
            get_settings.cache_clear()
            done = call("run", "tried", "--runner", "process", "--job", "job.json", "--json")
            assert done.exit_code == 0, done.stderr
            made = json.loads(done.stdout)
            ends = datetime.fromisoformat(made["links_expire"])
            while lifetime_s == 1 and datetime.now(UTC) <= ends:
                pass
            shown = call("job", "show", made["run"], "--template", "tried")
            assert shown.exit_code == 0, shown.stderr
            kept = re.search(r"It is temporary: kept until (\S+)\.\n", shown.stdout)
            assert kept
            assert datetime.fromisoformat(kept[1]) >= ends
            links = re.findall(r"^  (http\S+)$", shown.stdout, re.MULTILINE)
            if lifetime_s > 1:
                assert links == list(made["links"].values())
                assert [urlopen(link).read() for link in links] == [b"12345"] * 3
            else:
                assert links == []
                assert f"Its links ended {made['links_expire']}." in shown.stdout


def test_neither_blocks_nor_data_are_needed(failed: str, app: Path, home: Path) -> None:
    shutil.rmtree(app)
    root = home.parent / "cache" / "triptych" / "jobs" / "tried" / failed
    for name in ("code", "results"):
        shutil.rmtree(root / name)
    assert json.loads(call("job", "show", failed, "--json").stdout)["sums"]["done"] == 2


def test_one_name_of_two_templates_wants_to_be_told_apart(failed: str, home: Path) -> None:
    jobs = home.parent / "cache" / "triptych" / "jobs"
    shutil.copytree(jobs / "tried", jobs / "other")
    shown = call("job", "show", failed)
    assert shown.exit_code == 2
    assert "Name one by --template: other, tried" in shown.stderr
    assert call("job", "show", failed, "--template", "tried").exit_code == 0


@pytest.mark.parametrize("options", [[], ["--template", "tried"]])
def test_no_such_run(app: Path, options: list[str]) -> None:
    shown = call("job", "show", "none", *options)
    assert shown.exit_code == 2
    assert "Traceback" not in shown.stderr


def test_a_workspace_that_is_no_folder_wants_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TRIPTYCH__WORKSPACE", "s3://bucket/jobs")
    shown = call("job", "show", "run")
    assert shown.exit_code == 2
    assert "--template: name the template, or DAG, of the run run" in shown.stderr


def test_a_large_job_is_shown_by_what_matters(home: Path) -> None:
    root = home.parent / "cache" / "triptych" / "jobs" / "large" / "r"
    workspace = Workspace(FileStore([home.parent]), root.as_uri())
    _plan_large(workspace)
    shown = call("job", "show", "r", "--json")
    numbers = [chunk["chunk"] for chunk in json.loads(shown.stdout)["chunks"]]
    assert numbers[:2] == [7, 2_999]
    assert len(numbers) == 40
    table = call("job", "show", "r")
    assert "40 of 3000 chunks; --all shows every one." in table.stderr
    assert "3000 chunk(s): 2 done, 2 failed, 2996 not yet." in table.stdout
    assert len(table.stdout.splitlines()) < 1000
    whole = json.loads(call("job", "show", "r", "--json", "--all").stdout)["chunks"]
    assert [chunk["chunk"] for chunk in whole] == list(range(LARGE))


def _plan_large(workspace: Workspace) -> None:
    """A plan of many chunks, of which two are done and two failed."""
    lines = b"".join(ChunkEntry(number, f"c{number}", 1).to_line() for number in range(LARGE))
    listed = FileEntry("chunks/t.jsonl", len(lines), hashlib.sha256(lines).hexdigest())
    workspace.store.put(workspace.uri(listed.name), lines)
    job = save_job(workspace, "t", FrozenJob(JobSpec("large", "large", (), None, {}, {}), 0.0, ()))
    packs = (PlannedPack(0, LARGE, 0, listed.size, listed.sha256),)
    plan = Plan(0, PACKAGE, "t", job, listed, LARGE, LARGE, {}, packs)
    put_plan(workspace, plan)
    failures = [tried(number, "a", number, error="exit code 3") for number in (7, 2_999)]
    PackLog(workspace, plan, packs[0]).append([tried(0, "a"), tried(1, "a", 1), *failures])
