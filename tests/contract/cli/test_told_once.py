"""What goes wrong is told once, with advice for who types commands; a job's time limit stops what runs."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app, write_engine
from triptych.errors import TimeLimitError

REPLICAS = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}}
FAILS_AT_1 = (
    'if [ "$CHUNK_NUMBER" = 1 ] && ! [ -e "{flag}" ]; then echo "so it is"; exit 3; fi; echo x > "$TASK_RESULTS_DIR/r"'
)
RUN = ("run", "tried", "-d", "out", "--runner", "process")
HANGS = 'echo $$ > "{pid}"; exec tail -f /dev/null'
PYTHON_HANGS = """
import threading

def {name}(*_):
    threading.Event().wait()
"""


@pytest.mark.parametrize("options", [[], ["--quiet"], ["-p", "config.maxTaskRetries=0"]])
def test_a_failed_chunk_is_told_once_and_the_advice_works(home: Path, options: list[str]) -> None:
    flag = home / "mended"
    write_app(home / "include", FAILS_AT_1.format(flag=flag), entrypoint="main.sh", template=REPLICAS)
    shown = call(*RUN, *options)
    assert shown.exit_code == 8
    assert shown.stderr.count("exit code 3") == shown.stderr.count("so it is") == 1
    assert shown.stderr.count("1 of 3 chunks have no result") == 1
    assert "Clear" not in shown.stderr
    _, advice, *_ = shown.stderr.partition("Go on with:")[2].splitlines()
    flag.touch()
    done = call(*shlex.split(advice)[1:], "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["files"] == 3


@pytest.mark.parametrize("stage", ["partitioner", "app", "assembler"])
def test_the_time_limit_stops_a_script_that_runs(home: Path, stage: str) -> None:
    pid = home / "pid"
    hangs = HANGS.format(pid=pid)
    app = hangs if stage == "app" else 'echo x > "$TASK_RESULTS_DIR/r"'
    engine = {} if stage == "app" else {stage: "mine"}
    if engine:
        write_engine(home / "include", stage, hangs)
    write_app(home / "include", app, entrypoint="main.sh", template={**REPLICAS, **engine, "params": {}})
    shown = call(*RUN, "-p", "config.jobTimeout=3")
    assert shown.exit_code == TimeLimitError.exit_code, shown.stderr
    assert shown.stderr.count("The job ran longer than its jobTimeout of 3 s") == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert list((home.parent / "scratch").iterdir()) == []
    assert not (home / "out").exists()


@pytest.mark.parametrize(("role", "function"), [("partitioner", "partition"), ("assembler", "assemble")])
def test_it_stops_an_engine_in_our_own_process(home: Path, role: str, function: str) -> None:
    (home / "include").mkdir()
    assert call("engine", "new", "mine", "--type", role).exit_code == 0
    main = home / "include" / "engines" / f"{role}s" / "mine" / "app" / "main.py"
    main.write_text(PYTHON_HANGS.format(name=function))
    manifest = main.parents[1] / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "needs_source": False}))
    (main.parents[1] / "schema.json").unlink()
    write_app(
        home / "include",
        'echo x > "$TASK_RESULTS_DIR/r"',
        entrypoint="main.sh",
        template={"partitioner": "replicate", role: "mine"},
    )
    shown = call(*RUN, "-p", "config.jobTimeout=2")
    assert shown.exit_code == TimeLimitError.exit_code, shown.stderr
    assert "The job ran longer than its jobTimeout of 2 s" in shown.stderr
    assert not (home / "out").exists()
