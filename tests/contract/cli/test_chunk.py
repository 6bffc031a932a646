"""`triptych chunk`: what it fetches of a chunk, and that it runs there as in the job, which stays as it is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from triptych.settings import PROJECT

ROWS = {"partitioner": "rows", "params": {"partitioner": {"format": "lines", "items_per_chunk": 2}}}
COPIES = """
cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/copy.txt"
mkdir "$TASK_RESULTS_DIR/more" && printf '%s' "$CHUNK_NAME" > "$TASK_RESULTS_DIR/more/name"
grep -q bad "$TASK_DIR/data.bin" && exit 5 || true
"""
TOLD = """printf '%s,' "$CHUNK_NUMBER" "$(cat data.bin)" "$tried" "$PWD"; printf 5 > "$TRIPTYCH_OUTPUT/five"; exit 7"""


def _piped(text: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, whose standard input is `text`."""
    whole = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), **env}
    command = [sys.executable, "-m", "triptych", *arguments]
    return subprocess.run(command, input=text, env=whole, capture_output=True, text=True, check=False)


def _held(home: Path) -> dict[str, bytes]:
    """All that the jobs' folder holds."""
    jobs = home.parent / "cache" / "triptych" / "jobs"
    return {str(path.relative_to(jobs)): path.read_bytes() for path in jobs.rglob("*") if path.is_file()}


@pytest.fixture
def cut(home: Path) -> str:
    """The id of a run over five lines in chunks of two, the second of which failed."""
    write_app(home / "include", COPIES, entrypoint="main.sh", manifest={"retries": 0}, template=ROWS)
    (home / "lines.txt").write_text("a\nb\nbad\nd\ne")
    shown = call("run", "tried", "--runner", "process", "-s", "lines.txt", "-d", "out")
    assert shown.exit_code == 8, shown.stderr
    return shown.stderr.partition("--resume ")[2].split()[0]


def test_input_parameters_and_logs_are_fetched(failed: str) -> None:
    shown = call("chunk", "get", failed, "1", "--json")
    assert shown.exit_code == 0, shown.stderr
    told = json.loads(shown.stdout)
    folder = Path("chunk-1")
    assert told["folder"] == str(folder.absolute())
    assert sorted(path.name for path in folder.iterdir()) == [
        *("chunk.json", "data.bin", "params.json", "try-1.log", "try-2.log")
    ]
    assert (folder / "try-2.log").read_text() == "this is chunk 1\nno good\n"
    assert json.loads((folder / "params.json").read_text()) == {}
    about = json.loads((folder / "chunk.json").read_text())
    assert (about["run"], about["chunk"], about["chunks"], about["state"]) == (failed, 1, 3, "failed")
    assert about["reason"].startswith("exit code 3")
    assert about["ranges"] == []


def test_the_bytes_are_those_of_the_source(cut: str) -> None:
    """Also where the chunk is nothing but a range of it."""
    shown = call("chunk", "get", cut, "1", "--to", "deep/broken")
    assert (shown.exit_code, shown.stdout) == (0, "deep/broken\n"), shown.stderr
    assert Path("deep/broken/data.bin").read_bytes() == b"bad\nd\n"
    about = json.loads(Path("deep/broken/chunk.json").read_text())
    assert about["input"]["sha256"] == hashlib.sha256(b"bad\nd\n").hexdigest()
    assert about["ranges"] == [{"uri": Path("lines.txt").absolute().as_uri(), "offset": 4, "length": 6}]


def test_nothing_is_overwritten_or_left_half_done(cut: str, home: Path) -> None:
    (home / "mine").mkdir()
    (home / "mine" / "data.bin").write_text("mine")
    for command in (("get", cut, "1"), ("run", cut, "0", "--runner", "process")):
        shown = call("chunk", *command, "--to", "mine")
        assert (shown.exit_code, shown.stderr.splitlines()[-1]) == (
            2,
            "--to mine: is not empty, and nothing is overwritten. Name a new folder, or empty this one.",
        )
    assert (home / "mine" / "data.bin").read_text() == "mine"
    (home / "lines.txt").write_text("another file by now")
    before = sorted(home.iterdir())
    shown = call("chunk", "get", cut, "1")
    assert shown.exit_code == 5
    assert "lines.txt" in shown.stderr
    assert sorted(home.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("RUN", "3"), "Chunk 3: the job RUN has 3 chunk(s), counted from 0."),
        (("local-no", "0"), "0 templates have a run local-no with a plan in"),
    ],
)
@pytest.mark.parametrize("command", ["get", "run"])
def test_what_is_not_there(failed: str, command: str, arguments: tuple[str, ...], words: str) -> None:
    shown = call("chunk", command, *(part.replace("RUN", failed) for part in arguments))
    assert shown.exit_code == 2
    assert words.replace("RUN", failed) in " ".join(shown.stderr.split())


def test_a_failed_chunk_fails_again_until_its_script_is_mended(failed: str, app: Path, home: Path) -> None:
    before = _held(home)
    again = call("chunk", "run", failed, "1", "--runner", "process")
    assert (again.exit_code, again.stdout) == (8, "this is chunk 1\nno good\n")
    assert again.stderr == "Chunk 1 (replica_1): exit code 3.\n"
    main = app / "app" / "main.sh"
    main.write_text(main.read_text().replace("exit 3", "true"))
    assert call("chunk", "run", failed, "1", "--runner", "process").exit_code == 8
    mended = call("chunk", "run", failed, "1", "--runner", "process", "--new-code", "--json")
    assert mended.exit_code == 0, mended.stderr
    assert json.loads(mended.stdout)["files"] == [{"name": "r.txt", "size": 5}]
    assert "no good\n" in mended.stderr
    assert _held(home) == before


def test_what_it_leaves_is_kept_where_that_is_asked_for(cut: str) -> None:
    shown = call("chunk", "run", cut, "2", "--runner", "process", "--to", "kept")
    assert shown.exit_code == 0, shown.stderr
    found = {str(path.relative_to("kept")): path.read_text() for path in Path("kept").rglob("*") if path.is_file()}
    assert found == {"copy.txt": "e", "more/name": "lines.txt:4"}
    assert "2 file(s) of 12 bytes, in kept." in shown.stderr
    shown = call("chunk", "run", cut, "1", "--runner", "process", "--to", "none")
    assert shown.exit_code == 8
    assert not Path("none").exists()


def test_of_a_job_that_is_done_only_the_plan_is_there(app: Path) -> None:
    main = app / "app" / "main.sh"
    main.write_text(main.read_text().replace("exit 3", "true"))
    run_id = json.loads(call("run", "tried", "--runner", "process", "-d", "out", "--json").stdout)["run"]
    shown = call("chunk", "run", run_id, "1", "--runner", "process")
    assert shown.exit_code == 2
    assert "only its plan, measures and logs were kept" in shown.stderr
    assert "`triptych run --keep` keeps all of a job." in shown.stderr


@pytest.mark.parametrize("runner", ["process", pytest.param("docker", marks=pytest.mark.docker)])
def test_a_shell_is_where_the_script_would_run(cut: str, home: Path, runner: str) -> None:
    """With its input, variables and secrets; what is left there is kept."""
    manifest = home / "include" / "apps" / "tried" / "manifest.json"
    about: dict[str, Any] = json.loads(manifest.read_text())
    about["platform_config"]["secrets"] = ["tried"]
    manifest.write_text(json.dumps(about))
    shown = _piped(
        *(TOLD, "chunk", "run", cut, "1", "--shell", "--new-code", "--runner", runner, "--to", "kept"),
        AIRFLOW_CONN_TRIED=json.dumps({"conn_type": "generic", "password": "s3cret"}),
    )
    assert shown.returncode == 0, shown.stderr
    number, data, token, place = shown.stdout.rstrip(",").split(",")
    assert (number, data, token) == ("1", "bad\nd", "s3cret")
    assert place.endswith("/units/1-0/in" if runner == "process" else "/triptych/work/1-0/in")
    assert "The shell ended with exit code 7, that of its last command." in shown.stderr
    assert "main.sh" in shown.stderr.partition("It is started by:\n")[2].splitlines()[0]
    assert Path("kept/five").read_text() == "5"


@pytest.mark.docker
def test_a_shell_needs_the_command_of_docker(cut: str, tmp_path: Path) -> None:
    shown = _piped("", "chunk", "run", cut, "1", "--shell", "--runner", "docker", PATH=str(tmp_path))
    assert shown.returncode == 2
    assert "a shell in a container needs the command `docker`" in shown.stderr


@pytest.mark.docker
def test_a_chunk_runs_in_its_container(failed: str) -> None:
    again = call("chunk", "run", failed, "1")
    assert (again.exit_code, sorted(again.stdout.splitlines())) == (8, ["no good", "this is chunk 1"])
    assert call("chunk", "run", failed, "2").exit_code == 0
