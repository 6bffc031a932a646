"""`triptych job ...` over jobs of this machine: found, followed, read, ended, and launched once more."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import call
from tests.support.hostile_server import Reply, hostile_server
from tests.support.include_folders import write_app
from triptych.settings import PROJECT

HOLDS = """
test "$CHUNK_NUMBER" != 1 || cat "$GATE" > /dev/null
echo "chunk $CHUNK_NUMBER says hello"
printf 12345 > "$TASK_RESULTS_DIR/r.txt"
"""
THREE = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}, "config": {"chunksPerTask": 1}}
GREETS = 'echo "$APP_PARAMS" > "$TASK_RESULTS_DIR/said"'
GREETING = {"type": "object", "properties": {"greeting": {"type": "string", "default": "hello"}}}


def _start(*arguments: str) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
    command = [sys.executable, "-m", "triptych", *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _listed(*options: str) -> list[dict[str, Any]]:
    shown = call("job", "list", "--json", *options)
    assert shown.exit_code == 0, shown.stderr
    jobs: list[dict[str, Any]] = json.loads(shown.stdout)
    return jobs


@pytest.fixture
def gate(home: Path) -> Path:
    """A pipe: chunk 1 waits until somebody opens it to write."""
    write_app(home / "include", HOLDS.replace("$GATE", str(home / "gate")), entrypoint="main.sh", template=THREE)
    os.mkfifo(home / "gate")
    return home / "gate"


@pytest.fixture
def held(gate: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A job whose chunks 0 and 2 are done and whose chunk 1 waits: its id, and the process that runs it."""
    process = _start("run", "tried", "--runner", "process", "--workers", "3", "-d", "out", "-q")
    try:
        run = ""
        while process.poll() is None and not run:
            run = next((job["run"] for job in _listed() if job["sums"] and job["sums"]["done"] == 2), "")
        assert run, process.communicate()
        yield run, process
    finally:
        process.send_signal(signal.SIGINT)  # It takes its script along, which would wait for ever.
        process.communicate()


def test_a_job_that_runs_is_followed_to_its_end(held: tuple[str, subprocess.Popen[str]], gate: Path) -> None:
    run, process = held
    assert [job["state"] for job in _listed("--state", "running")] == ["running"]
    watch = _start("job", "watch", run, "--json", "--interval", "0.1")
    assert watch.stdout
    first = json.loads(watch.stdout.readline())
    assert (first["run"], first["template"], first["state"]) == (run, "tried", "running")
    assert (first["chunks"], first["done"], first["failed"], first["left"]) == (3, 2, 0, 1)
    gate.write_text("")
    last = [json.loads(line) for line in watch.communicate()[0].splitlines()][-1]
    assert (last["state"], last["done"], last["left"], watch.returncode) == ("done", 3, 0, 0)
    assert process.wait() == 0
    shown = call("job", "watch", run)
    assert (shown.exit_code, shown.stdout.strip()) == (0, str(Path("out").absolute()))
    assert "Done: 3 of 3 chunk(s) done, 0 failed, 0 left." in shown.stderr


def test_who_stops_watching_stops_no_job(held: tuple[str, subprocess.Popen[str]]) -> None:
    run, process = held
    watch = _start("job", "watch", run, "--interval", "0.1")
    assert watch.stderr
    assert "2 of 3 chunk(s) done, 0 failed, 1 left" in watch.stderr.readline()
    watch.send_signal(signal.SIGINT)
    said = watch.communicate()[1]
    assert watch.returncode == 130
    assert f"triptych job cancel {run} --template tried" in said
    assert process.poll() is None


@pytest.mark.parametrize("runner", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_a_job_that_is_cancelled_ends_and_can_go_on(gate: Path, home: Path, runner: str) -> None:
    if runner == "docker":
        main = home / "include" / "apps" / "tried" / "app" / "main.sh"
        main.write_text('test "$CHUNK_NUMBER" != 1 || tail -f /dev/null\necho x > "$TASK_RESULTS_DIR/r.txt"\n')
    process = _start("run", "tried", "--runner", runner, "--workers", "3", "-d", "out", "-q")
    run = ""
    while process.poll() is None and not run:
        run = next((job["run"] for job in _listed() if job["sums"] and job["sums"]["done"] == 2), "")
    assert run, process.communicate()
    told = call("job", "cancel", run, "--json")
    assert (told.exit_code, json.loads(told.stdout)) == (0, {"run": run, "template": "tried", "was_running": True})
    assert process.wait() == 130
    process.communicate()
    again = call("job", "cancel", run)
    assert (again.exit_code, f"{run} of tried does not run" in again.stderr) == (0, True)
    assert [(job["state"], job["sums"]["done"]) for job in _listed()] == [("unfinished", 2)]
    assert call("job", "watch", run).exit_code == 15
    if runner == "docker":
        mine = ["docker", "ps", "-aq", "--filter", f"label=triptych.run={run}"]
        assert subprocess.run(mine, capture_output=True, check=True).stdout == b""
    mended = home / "include" / "apps" / "tried" / "app" / "main.sh"
    mended.write_text('printf 12345 > "$TASK_RESULTS_DIR/r.txt"\n')
    done = call("job", "retry", run, "--new-code", "keep", "--runner", runner, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["files"] == 3


@pytest.mark.parametrize("answer", ["n\n", "\x04"], ids=["no", "nothing"])
def test_on_a_terminal_it_is_asked_first(held: tuple[str, subprocess.Popen[str]], answer: str) -> None:
    run, process = held
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
    command = [sys.executable, "-m", "triptych", "job", "cancel", run]
    asked = subprocess.Popen(command, env=env, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    os.write(ours, answer.encode())
    said = asked.communicate()[1]
    os.close(ours)
    assert (asked.returncode, f"End {run} of tried?" in said, "goes on" in said) == (2, True, True), said
    assert "Traceback" not in said
    assert process.poll() is None


def test_one_that_was_launched_elsewhere_is_not_ended_from_here(home: Path) -> None:
    (home / "include").mkdir()
    shown = call("job", "cancel", "local-20261124T093000-1f9a", "--template", "tried")
    assert shown.exit_code == 2
    assert "was not launched by `triptych run` on this machine" in " ".join(shown.stderr.split())


def test_logs_are_told_by_chunk_and_by_outcome(failed: str) -> None:
    every = call("job", "logs", failed)
    assert every.exit_code == 0, every.stderr
    assert every.stdout == "this is chunk 0\n" + "this is chunk 1\nno good\n" * 2 + "this is chunk 2\n"
    assert call("job", "logs", failed, "--failed").stdout == "this is chunk 1\nno good\n" * 2
    assert call("job", "logs", failed, "--chunk", "2").stdout == "this is chunk 2\n"
    lines = [json.loads(line) for line in call("job", "logs", failed, "--chunk", "1", "--json").stdout.splitlines()]
    assert [(line["chunk"], line["try"], line["state"], line["exit_code"]) for line in lines] == [
        (1, 1, "failed", 3),
        (1, 2, "failed", 3),
    ]
    assert lines[1]["text"] == "this is chunk 1\nno good\n"
    assert call("job", "logs", failed, "--follow", "--failed").stdout == "this is chunk 1\nno good\n" * 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--chunk", "3"), "--chunk 3: the job has chunks 0 to 2."),
        (("--task", "partition"), "--task: is a task of an Airflow's"),
    ],
)
def test_logs_that_are_not_there(failed: str, options: tuple[str, ...], words: str) -> None:
    shown = call("job", "logs", failed, *options)
    assert (shown.exit_code, words in shown.stderr) == (2, True)


def test_of_a_failed_job_the_outcome_is_the_exit_code(failed: str) -> None:
    shown = call("job", "watch", failed)
    assert shown.exit_code == 8
    assert f"{failed} of tried is failed: 2 of 3 chunk(s) done, 1 failed, 0 left." in shown.stderr
    assert call("job", "open", failed).exit_code == 2
    told = json.loads(call("job", "show", failed, "--failed", "--json").stdout)
    assert (told["state"], [chunk["chunk"] for chunk in told["chunks"]], told["airflow"]) == ("failed", [1], None)


def test_a_job_is_launched_once_more_with_changes(home: Path) -> None:
    write_app(home / "include", GREETS, entrypoint="main.sh", schema=GREETING, template=THREE)
    first = json.loads(call("run", "tried", "--runner", "process", "-p", "app.greeting=salve", "--json").stdout)
    for changes, said in (([], "salve"), (["-p", "app.greeting=ave"], "ave")):
        shown = call("job", "rerun", first["run"], "--runner", "process", "--json", *changes)
        assert shown.exit_code == 0, shown.stderr
        again = json.loads(shown.stdout)
        assert again["run"] != first["run"]
        assert again["uri"].rstrip("/").endswith(again["run"])
        folder = Path(call("job", "open", again["run"]).stdout.strip())
        assert {json.loads(path.read_text())["greeting"] for path in folder.glob("*said")} == {said}
    wrong = call("job", "rerun", first["run"], "--runner", "process", "-p", "app.greeting=7", "-p", "config.nothing=1")
    assert (wrong.exit_code, "nothing" in wrong.stderr) == (4, True)


def test_where_an_output_goes_stays_and_another_may_be_named(home: Path) -> None:
    write_app(home / "include", GREETS, entrypoint="main.sh", template=THREE)
    first = json.loads(call("run", "tried", "--runner", "process", "-d", "out", "--json").stdout)
    taken = call("job", "rerun", first["run"], "--runner", "process")
    assert taken.exit_code == 11
    other = json.loads(call("job", "rerun", first["run"], "--runner", "process", "-d", "next", "--json").stdout)
    assert other["uri"] == Path("next").absolute().as_uri() + "/"


def test_lists_are_cut_by_state_and_age_and_sorted(failed: str, app: Path, home: Path) -> None:
    main = app / "app" / "main.sh"
    main.write_text(main.read_text().replace("exit 3", "true"))
    done = json.loads(call("run", "tried", "--runner", "process", "-d", "out", "--json").stdout)["run"]
    assert [job["run"] for job in _listed("--state", "failed")] == [failed]
    assert [job["run"] for job in _listed("--state", "failed", "--state", "done")] == [done, failed]
    assert [job["run"] for job in _listed("--sort", "failed", "--limit", "1")] == [failed]
    assert [job["run"] for job in _listed("--sort", "launched")] == [done, failed]
    assert _listed("--since", "2999-01-01") == []
    assert len(_listed("--since", "1d")) == 2
    wrong = call("job", "list", "--since", "yesterday")
    assert (wrong.exit_code, "2026-11-24" in wrong.stderr) == (2, True)
    shown = call("job", "list", "--state", "running")
    assert "No job in file://" in shown.stderr


def test_a_watched_run_tells_of_its_tasks(home: Path) -> None:
    write_app(home / "include", GREETS, entrypoint="main.sh", template=THREE)
    shown = call("run", "tried", "--runner", "process", "--watch", "--workers", "1")
    assert shown.exit_code == 0, shown.stderr
    for number in range(3):
        assert f"chunk {number}: 1 chunk(s) run. {number + 1} of 3 in all; " in shown.stderr
    assert "chunks/" in shown.stderr


SECRET = "eyJ0b2tlbiI6.c2VjcmV0.7731"
AT_AN_AIRFLOW = [
    ("list",),
    *(("show", "r"), ("watch", "r"), ("logs", "r"), ("open", "r", "--output"), ("cancel", "r", "--yes")),
    *(("retry", "r"), ("rerun", "r")),
]


@pytest.mark.parametrize("command", AT_AN_AIRFLOW, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, f"Bearer {SECRET} is \x1b[2J\x07 no good"),
        (200, "<html>\x1b]0;owned\x07 Sign in"),
        (200, json.dumps({"dag_runs": [{"dag_id": 3}], "dags": [{"dag_id": 3}], "state": 3, "total_entries": 1})),
        (200, json.dumps({"dag_runs": [], "dags": [], "task_instances": {}, "state": "\x1b[2J", "total_entries": 1})),
    ],
    ids=["refuses", "is a page", "has other types", "lacks fields"],
)
def test_an_airflow_that_means_harm_is_one_message(
    command: tuple[str, ...], status: int, body: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_TOKEN", SECRET)
    (home / "include").mkdir()
    with hostile_server(lambda _: Reply(body.encode(), status)) as server:
        dag = [] if command[0] == "list" else ["--dag", "d"]
        shown = call("job", *command, "--airflow", server.url, *dag)
    assert isinstance(shown.exception, SystemExit) or shown.exit_code == 0
    assert shown.exit_code in (0, 1, 2, 15), shown.output  # 15: it ended, as far as that Airflow tells.
    assert SECRET not in shown.output
    assert not {"\x1b", "\x07"} & set(shown.output)
