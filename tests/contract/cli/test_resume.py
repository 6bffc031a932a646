"""A run that goes on: with its own code or new code, what is done kept or run again, at any age."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from tests.support.workspaces import counted

if TYPE_CHECKING:
    from typer.testing import Result

EACH: dict[str, Any] = {
    "partitioner": "replicate",
    "params": {"partitioner": {"replicas": 3}},
    "config": {"chunksPerTask": 3},
}
TOLERANT: dict[str, Any] = {**EACH, "config": {"chunksPerTask": 3, "toleratedFailurePercentage": 50}}
FAILS = 'echo "{mark}" >> "{seen}"; test "$CHUNK_NUMBER" != 1 || exit 3; echo {mark} > "$TASK_RESULTS_DIR/r.txt"'
WORKS = 'echo "{mark}" >> "{seen}"; echo {mark} > "$TASK_RESULTS_DIR/r.txt"'
ONCE = {"retries": 0}
DAY_S = 86400


class App:
    """The app `tried`, whose script can be changed; it notes each chunk that it runs."""

    def __init__(self, home: Path, **template: Any) -> None:
        self.home = home
        self.seen = home / "seen"
        write_app(home / "include", self._text(FAILS, "old"), entrypoint="main.sh", manifest=ONCE, template=template)

    def _text(self, script: str, mark: str) -> str:
        return script.format(mark=mark, seen=self.seen)

    def change(self, script: str, mark: str = "new") -> None:
        """Another script from here on, and nothing noted yet."""
        (self.home / "include" / "apps" / "tried" / "app" / "main.sh").write_text(self._text(script, mark))
        self.seen.unlink(missing_ok=True)

    def run(self, *options: str) -> Result:
        return call("run", "tried", "--runner", "process", *options)

    def fail(self, *options: str) -> str:
        """A first run, whose chunk 1 fails; its id."""
        failed = self.run("-d", "out", *options)
        assert failed.exit_code == 8, failed.stderr
        return failed.stderr.partition("--resume ")[2].split()[0]

    def results(self, folder: str = "out") -> list[str]:
        return sorted(path.read_text().strip() for path in (self.home / folder).glob("*r.txt"))

    def ran(self) -> int:
        return len(self.seen.read_text().splitlines()) if self.seen.exists() else 0

    def workspace(self, run_id: str) -> Path:
        return self.home.parent / "cache" / "triptych" / "jobs" / "tried" / run_id


@pytest.fixture
def tried(home: Path) -> App:
    return App(home, **EACH)


def test_keep_runs_only_what_failed_with_the_new_code(tried: App) -> None:
    run_id = tried.fail()
    tried.change(WORKS)
    done = tried.run("--resume", run_id, "--new-code", "keep")
    assert done.exit_code == 0, done.stderr
    assert tried.results() == ["new", "old", "old"]
    assert tried.ran() == 1


def test_rerun_runs_all_with_the_new_code(tried: App) -> None:
    run_id = tried.fail()
    tried.change(WORKS)
    done = tried.run("--resume", run_id, "--new-code", "rerun")
    assert done.exit_code == 0, done.stderr
    assert tried.results() == ["new", "new", "new"]
    assert tried.ran() == 3


def test_without_new_code_the_old_goes_on_and_says_so(tried: App) -> None:
    run_id = tried.fail()
    tried.change(WORKS)
    again = tried.run("--resume", run_id)
    assert again.exit_code == 8
    assert "tried@1.0: changed since this plan was made" in again.stderr
    assert tried.seen.read_text() == "old\n"


def test_an_unchanged_app_is_not_called_changed(tried: App) -> None:
    again = tried.run("--resume", tried.fail())
    assert "changed since" not in again.stderr


def test_a_resume_needs_no_template(tried: App) -> None:
    run_id = tried.fail()
    for path in (tried.home / "include" / "apps" / "tried").glob("*.json"):
        path.unlink()
    again = tried.run("--resume", run_id)
    assert again.exit_code == 8, again.stderr
    assert "Chunk 1" in again.stderr


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--source", "a.txt"], "--source"),
        (["-p", "app.a=1"], "--param"),
        (["--params", "p.json"], "--params"),
        (["--job", "j.json"], "--job"),
        (["--connection", "c"], "--connection"),
        (["-p", "app.a=1", "-s", "a.txt"], "--source, --param"),
    ],
)
def test_what_a_resume_cannot_honour_is_refused_by_name(tried: App, options: list[str], named: str) -> None:
    run_id = tried.fail()
    ran = tried.ran()
    refused = tried.run("--resume", run_id, *options)
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"{named}: not with --resume: the job {run_id} goes on as it was launched")
    assert tried.ran() == ran


@pytest.mark.parametrize("options", [["--new-code", "keep"], ["--plan", "0" * 64]])
def test_options_of_a_resume_are_refused_at_a_launch(tried: App, options: list[str]) -> None:
    refused = tried.run(*options)
    assert refused.exit_code == 2
    assert f"{options[0]}: only with --resume" in refused.stderr


def test_the_plan_that_was_named_must_be_there(tried: App) -> None:
    run_id = tried.fail()
    other = tried.run("--resume", run_id, "--plan", "0" * 64)
    assert other.exit_code == 10
    plan = tried.workspace(run_id) / "plans" / "0.json"
    digest = other.stderr.partition("has SHA-256 ")[2].rstrip(".\n")
    same = tried.run("--resume", run_id, "--plan", digest)
    assert f"Going on with plan 0, SHA-256 {digest}." in same.stderr
    plan.write_bytes(plan.read_bytes().replace(b'"sample"', b'"sampl"') + b"\n")
    assert tried.run("--resume", run_id, "--plan", digest).exit_code == 10


def test_another_destination_is_honoured_and_stays(tried: App) -> None:
    run_id = tried.fail()
    again = tried.run("--resume", run_id, "-d", "other")
    assert again.exit_code == 8, again.stderr
    tried.change(WORKS)
    done = tried.run("--resume", run_id, "--new-code", "keep")
    assert done.exit_code == 0, done.stderr
    assert tried.results("other") == ["new", "old", "old"]
    assert not (tried.home / "out").exists()


def test_another_destination_is_refused_once_there_is_output(home: Path) -> None:
    tried = App(home, **TOLERANT)
    first = tried.run("-d", "out")
    assert first.exit_code == 0
    run_id = first.stderr.partition("--resume ")[2].split()[0]
    refused = tried.run("--resume", run_id, "-d", "other")
    assert refused.exit_code == 2
    assert "--destination: output of this job is in its destination already" in refused.stderr


def test_a_tolerated_failure_that_is_repaired_makes_the_output_again(home: Path) -> None:
    tried = App(home, **TOLERANT)
    first = tried.run("-d", "out")
    assert first.exit_code == 0
    assert tried.results() == ["old", "old"]
    run_id = first.stderr.partition("--resume ")[2].split()[0]
    tried.change(WORKS)
    done = tried.run("--resume", run_id, "--new-code", "keep", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["failed"] == []
    assert tried.results() == ["new", "old", "old"]


def test_retries_count_for_the_round(tried: App) -> None:
    run_id = tried.fail()
    tried.seen.unlink()
    assert tried.run("--resume", run_id, "--retries", "2").exit_code == 8
    assert tried.ran() == 3
    tried.seen.unlink()
    assert tried.run("--resume", run_id).exit_code == 8
    assert tried.ran() == 1


def test_retries_at_a_launch(tried: App) -> None:
    tried.fail("--retries", "1")
    assert tried.ran() == 4


def test_a_run_of_two_days_ago_goes_on(tried: App, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now() - 2 * DAY_S)
        run_id = tried.fail()
    job = json.loads(next((tried.workspace(run_id) / "job").iterdir()).read_text())
    assert now() - job["started"] > job["spec"]["config"]["jobTimeout"]
    tried.change(WORKS)
    done = tried.run("--resume", run_id, "--new-code", "keep")
    assert done.exit_code == 0, done.stderr
    assert tried.results() == ["new", "old", "old"]


def test_another_minor_version_goes_on_by_a_new_plan(tried: App, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = tried.fail()
    later = "0.99"
    for module in ("triptych.jobs.plan.PACKAGE", "triptych.stages.repair.PACKAGE"):
        monkeypatch.setattr(module, later)
    refused = tried.run("--resume", run_id)
    assert refused.exit_code == 12
    assert "--new-code keep" in refused.stderr
    tried.change(WORKS)
    assert tried.run("--resume", run_id, "-d", "other").exit_code == 12
    done = tried.run("--resume", run_id, "--new-code", "keep")
    assert done.exit_code == 0, done.stderr
    newest = max((tried.workspace(run_id) / "plans").iterdir())
    assert (newest.name, json.loads(newest.read_text())["package"]) == ("1.json", later)


def test_a_repair_that_ran_nothing_goes_on_with_its_plan(
    tried: App, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = tried.fail()
    tried.change(WORKS)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("triptych.cli.run.run_planned", interrupted)
        assert tried.run("--resume", run_id, "--new-code", "keep").exit_code == 130
    names = [path.name for path in sorted((tried.workspace(run_id) / "plans").iterdir())]
    assert names == ["0.json", "1.json"]
    assert tried.run("--resume", run_id, "--new-code", "keep", "--keep").exit_code == 0
    assert [path.name for path in sorted((tried.workspace(run_id) / "plans").iterdir())] == names
    assert {number: each["files"][0]["object"][:10] for number, each in counted(tried.workspace(run_id)).items()} == {
        0: "results/0/",
        1: "results/1/",
        2: "results/0/",
    }


def test_new_parameters_of_the_new_code_have_their_defaults(tried: App) -> None:
    run_id = tried.fail()
    schema = tried.home / "include" / "apps" / "tried" / "schema.json"
    schema.write_text(json.dumps({"properties": {"mark": {"type": "string", "default": "by default"}}}))
    tried.change('echo "$APP_PARAMS" > "$TASK_RESULTS_DIR/r.txt"')
    done = tried.run("--resume", run_id, "--new-code", "keep")
    assert done.exit_code == 0, done.stderr
    assert '{"mark": "by default"}' in tried.results()


def test_parameters_that_the_new_code_refuses_end_it_before_anything(tried: App) -> None:
    schema = tried.home / "include" / "apps" / "tried" / "schema.json"
    schema.write_text(json.dumps({"properties": {"mark": {"type": "string", "default": "x"}}}))
    run_id = tried.fail()
    schema.write_text(json.dumps({"properties": {"mark": {"type": "integer", "default": 1}}}))
    refused = tried.run("--resume", run_id, "--new-code", "keep")
    assert refused.exit_code == 4
    assert "tried@1.0, as it is now, does not take the job's parameters. params.app.mark" in refused.stderr
    assert not (tried.workspace(run_id) / "plans" / "1.json").exists()


def test_a_run_that_is_done_keeps_what_tells_of_it_and_goes_on_no_more(tried: App) -> None:
    tried.change(WORKS)
    done = tried.run("-d", "out", "--json")
    run_id = json.loads(done.stdout)["run"]
    kept = {path.name for path in tried.workspace(run_id).iterdir()}
    assert {"plans", "job", "chunks", "commits"} <= kept
    assert not {"results", "code"} & kept
    refused = tried.run("--resume", run_id, "--new-code", "rerun")
    assert refused.exit_code == 2
    assert "this job is done" in refused.stderr


def test_all_of_a_run_is_kept_when_that_is_wanted(tried: App) -> None:
    tried.change(WORKS, "old")
    run_id = json.loads(tried.run("-d", "out", "--json", "--keep").stdout)["run"]
    tried.change(WORKS)
    done = tried.run("--resume", run_id, "--new-code", "rerun")
    assert done.exit_code == 0, done.stderr
    assert tried.results() == ["new", "new", "new"]


def test_what_is_kept_of_a_run_goes_after_a_month(tried: App, monkeypatch: pytest.MonkeyPatch) -> None:
    tried.change(WORKS)
    now = time.gmtime
    with monkeypatch.context() as patch:
        patch.setattr(time, "gmtime", lambda: now(time.time() - 31 * DAY_S))
        old = json.loads(tried.run("-d", "out", "--json").stdout)["run"]
        whole = json.loads(tried.run("-d", "out2", "--json", "--keep").stdout)["run"]
    new = json.loads(tried.run("-d", "out3", "--json").stdout)["run"]
    there = {path.name for path in tried.workspace(new).parent.iterdir()}
    assert there == {whole, new}
    assert old.startswith("local-")


def test_a_resume_of_no_run_says_so(tried: App) -> None:
    refused = tried.run("--resume", "local-20200101T000000-0000")
    assert refused.exit_code == 10
    assert "holds no plan" in refused.stderr
