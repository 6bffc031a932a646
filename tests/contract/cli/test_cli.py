"""The command as a user types it: output, exit codes, files left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from triptych import settings
from triptych.blocks import Platform, Role
from triptych.scaffold import scaffold
from triptych.schemas.files import FOLDER
from triptych.settings import PROJECT

WORDS = PROJECT / "include" / "apps" / "wordcount"
FAILS_ONCE = """
if [ "$CHUNK_NUMBER" = 1 ] && mkdir "{flag}"; then echo "not yet"; exit 3; fi
echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/r.txt"
"""
WAITS = 'echo begun; if [ "$CHUNK_NUMBER" = 1 ]; then exec tail -f /dev/null; fi; echo x > "$TASK_RESULTS_DIR/r.txt"'
REPLICAS = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 3}}}


def test_an_installed_package_works_in_the_folder_where_it_is_called(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PROJECT", tmp_path / "lib")
    assert call("app", "new", "mine").exit_code == 0
    assert (home / "include" / "apps" / "mine" / "manifest.json").exists()


def test_it_starts_without_airflow() -> None:
    code = "import sys, triptych.cli; print([m for m in ('airflow', 'docker', 'boto3', 'numpy') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("language", list(scaffold.Language))
def test_a_new_app_is_valid_and_runs_at_once(home: Path, language: scaffold.Language) -> None:
    (home / "include").mkdir()
    assert call("app", "new", "mine", "--language", language.value).exit_code == 0
    assert call("validate").exit_code == 0
    sample = home / "include" / "apps" / "mine" / "test" / "sample.txt"
    done = call("run", "mine", "--source", sample, "--destination", "out", "--runner", "process", "--json")
    assert done.exit_code == 0, done.stderr
    lines = sample.read_text().splitlines()
    expected = [f"> {line}" if language is scaffold.Language.PYTHON else line.upper() for line in lines]
    assert (home / "out" / "output.txt").read_text().splitlines() == expected
    assert json.loads(done.stdout)["chunks"] == 3
    kept = [path.read_text() for path in (home.parent / "cache").rglob("*") if path.is_file()]
    assert not any(lines[0] in text for text in kept)


@pytest.mark.docker
@pytest.mark.parametrize("platform", list(Platform))
def test_new_engines_put_a_source_back_together(home: Path, platform: Platform) -> None:
    (home / "include").mkdir()
    for role in (Role.PARTITIONER, Role.ASSEMBLER):
        assert call("engine", "new", f"my-{role}", "--type", role.value, "--platform", platform.value).exit_code == 0
    call("app", "new", "copy", "--language", "shell")
    (home / "include" / "apps" / "copy" / "app" / "main.sh").write_text('cp "$TASK_DIR/data.bin" "$TASK_RESULTS_DIR/x"')
    engines = ("--partitioner", "my-partitioner", "--assembler", "my-assembler")
    assert call("template", "new", "both", "--app", "copy", *engines).exit_code == 0
    text = WORDS / "test" / "declaration.txt"
    done = call("run", "both", "--source", text, "-d", "out", "-p", "partitioner.bytes=400", "-p", "assembler.name=all")
    assert done.exit_code == 0, done.stderr
    assert (home / "out" / "all").read_bytes() == text.read_bytes()


def test_a_failed_job_can_be_resumed(home: Path) -> None:
    script = FAILS_ONCE.format(flag=home / "flag")
    write_app(home / "include", script, entrypoint="main.sh", manifest={"retries": 0}, template=REPLICAS)
    failed = call("run", "tried", "--runner", "process")
    assert failed.exit_code == 8
    assert "Chunk 1" in failed.stderr
    assert "exit code 3" in failed.stderr
    run_id = failed.stderr.partition("--resume ")[2].split()[0]
    done = call("run", "tried", "--runner", "process", "--resume", run_id, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["files"] == 3


def _hear_interrupts() -> None:
    """A shell that starts the tests in the background makes them, and their children, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("runner", ["process", pytest.param("docker", marks=pytest.mark.docker)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(home: Path, runner: str, number: signal.Signals) -> None:
    write_app(home / "include", WAITS, entrypoint="main.sh", template={**REPLICAS, "config": {"chunksPerTask": 3}})
    command = [sys.executable, "-m", "triptych", "run", "tried", "--runner", runner, "-v"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=_environment(), preexec_fn=_hear_interrupts
    ) as process:
        assert process.stderr is not None
        begun = 0
        for line in process.stderr:
            begun += line.strip() == "begun"
            if begun == 2:
                break
        process.send_signal(number)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "--resume" in rest
    assert list((home.parent / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "wordcont"], 3, "Did you mean 'wordcount'"),
        (["run", "wordcount@7"], 3, "wordcount@7"),
        (["run", "wordcount", "--source", "missing.txt"], 5, "missing.txt"),
        (["run", "wordcount", "-p", "app.case=upper"], 4, "params.app.case"),
        (["run", "wordcount", "-p", "case=upper"], 4, "app.NAME=VALUE"),
        (["run", "wordcount", "--input", "stopwords"], 4, "--input stopwords: write it as NAME=URI"),
        (["run", "wordcount", "--input", "a b=words.txt"], 4, "inputs: a name must be 1 to 64 letters"),
        (["run", "wordcount", "--params", "missing.json"], 4, "missing.json"),
        (["run", "wordcount", "--source", "ftp://host/a"], 6, "ftp"),
        (["run", "wordcount", "--include", "missing"], 2, "no such folder"),
        (["run", "wordcount", "--include", "x" * 5000], 2, "File name too long"),
        (["run", "wordcount", "--source", "x" * 5000], 4, "File name too long"),
        (["run", "wordcount", "-d", "x" * 5000], 4, "File name too long"),
        (["app", "show", "wordcont"], 3, "Did you mean"),
        (["engine", "show", "row"], 3, "rows"),
        (["app", "new", "no name"], 3, "64 letters"),
        (["template", "new", "t", "--app", "nix"], 3, "nix"),
    ],
)
def test_a_mistake_is_one_message_and_its_code(arguments: list[str], code: int, words: str) -> None:
    shown = call(*arguments)
    assert shown.exit_code == code
    assert words in shown.stderr
    assert "Traceback" not in shown.stderr


def test_options_override_files(home: Path) -> None:
    (home / "job.json").write_text(json.dumps({"params": {"app": {"case": "keep", "min_length": 30}}}))
    (home / "params.json").write_text(json.dumps({"app": {"min_length": 1}}))
    source = ["--source", str(WORDS / "test" / "declaration.txt"), "--runner", "process", "-d", "out"]
    done = call("run", "wordcount", "--job", "job.json", "--params", "params.json", "-p", "app.min_length=8", *source)
    assert done.exit_code == 0, done.stderr
    words = [line.split(",")[0] for line in (home / "out" / "words.csv").read_text().splitlines()[1:]]
    assert min(map(len, words)) == 8


def test_faults_are_all_told_with_their_places(home: Path) -> None:
    write_app(home / "include", "", entrypoint="main.sh")
    folder = home / "include" / "apps" / "tried"
    schema = {"properties": {"a": {"type": "integer", "default": "x"}, "b": {"type": "nonsense"}}}
    (folder / "schema.json").write_text(json.dumps(schema))
    assert "$.properties.b.type" in call("app", "validate", "tried").stderr
    schema["properties"]["b"]["type"] = "string"
    (folder / "schema.json").write_text(json.dumps(schema))
    (folder / "template.json").write_text(json.dumps({"params": {"app": {"b": 5}}}))
    shown = call("validate", "--json")
    assert shown.exit_code == 3
    places = {error["location"] for error in json.loads(shown.stdout)["errors"]}
    assert places == {"$.properties.a.default", "$.params.app.b"}


def test_a_pair_that_does_not_fit_is_warned_of(home: Path) -> None:
    (home / "include").mkdir()
    call("app", "new", "mine")
    engines = ("--partitioner", "rows", "--assembler", "mosaic")
    made = call("template", "new", "odd", "--app", "mine", *engines)
    assert made.exit_code == 0
    assert "warning: mosaic@1.0 joins what these partitioners cut: image_tiles, image_canvas" in made.stderr
    shown = call("validate", "--json")
    assert shown.exit_code == 0
    (warning,) = json.loads(shown.stdout)["warnings"]
    assert (Path(warning["file"]).parent.name, warning["location"]) == ("odd", "$.assembler")


def test_what_is_new_names_schemas_that_lie_beside_it(home: Path) -> None:
    (home / "include").mkdir()
    call("app", "new", "mine")
    call("engine", "new", "cut")
    call("template", "new", "both", "--app", "mine", "--partitioner", "cut")
    files = [path for name in ("manifest.json", "template.json") for path in (home / "include").rglob(name)]
    assert len(files) == 4
    for path in files:
        linked = path.parent / json.loads(path.read_text())["$schema"]
        assert linked.resolve().parent == home / "include" / "schemas"
        assert linked.read_bytes() == (FOLDER / linked.name).read_bytes()
    stale = home / "include" / "schemas" / "job.schema.json"
    stale.write_text("{}")
    call("app", "new", "other")
    assert stale.read_bytes() == (FOLDER / stale.name).read_bytes()


@pytest.mark.parametrize("text", ['{"params": 5}', '{"config": []}', '{"params": {"app": 5}}', '{"dataSource": 5}'])
def test_a_job_file_of_another_shape_is_refused(home: Path, text: str) -> None:
    (home / "job.json").write_text(text)
    shown = call("run", "wordcount", "--job", "job.json")
    assert shown.exit_code == 4
    assert "must be" in shown.stderr


@pytest.mark.parametrize("command", [["app", "list"], ["engine", "list"], ["template", "list"], ["version"]])
def test_lists_can_be_read_by_programs(command: list[str]) -> None:
    assert json.loads(call(*command, "--json").stdout)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT / "plugins")}
