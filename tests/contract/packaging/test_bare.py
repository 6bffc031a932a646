"""`pip install triptych` and nothing more: what works without Airflow and the engines' libraries, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.packaging.conftest import Installed
from triptych import __version__
from triptych.engines.runtime.loading import EXTRAS
from triptych.settings import PROJECT

SAMPLES = PROJECT / "include" / "engines" / "samples"
LIGHT = {"bytes", "files", "passthrough", "replicate", "rows", "sweep", "concat", "indexed", "zip"}
"""Engines that need nothing beyond the core, among others."""
HEAVY = {"audio_time", "dates", "image_tiles", "mosaic", "parquet", "sorted_concat", "video_concat", "video_scenes"}
"""Engines that need an extra, among others."""
EVERY_ENGINE = """
import json
from pathlib import Path
from typer.testing import CliRunner
from triptych.blocks import BUILT_IN, read_catalog
from triptych.cli import app
from triptych.engines.runtime.loading import loaded_engine
from triptych.errors import TriptychError

told = {}
for block in read_catalog([BUILT_IN]).blocks:
    entry = f"{block.folder.parent.name}/{block.name}"
    if "partitioners" in block.folder.parts:
        example = json.loads((block.folder / "example.json").read_text())
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in example["params"].items()}
        given = [f"-p{key}={text}" for key, text in texts.items()]
        sources = [f"-s{BUILT_IN}/engines/samples/{name}" for name in example["sources"]]
        done = CliRunner().invoke(app, ["engine", "preview", block.name, *sources, *given])
        told[entry] = [done.exit_code, done.stderr if done.exit_code else ""]
        assert done.exception is None or isinstance(done.exception, SystemExit), (entry, done.exception)
    else:
        try:
            with loaded_engine(block, "assemble"):
                told[entry] = [0, ""]
        except TriptychError as error:
            told[entry] = [error.exit_code, str(error)]
print(json.dumps(told))
"""


def test_it_has_what_it_declares_and_no_more(bare: Installed) -> None:
    core = "import docker, jinja2, jsonschema, jsonschema_rs, numpy, requests, rich, typer, triptych.client"
    shown = bare.run("python", "-c", core)
    assert shown.returncode == 0, shown.stderr
    others = ["airflow", "httpx", "boto3", *(EXTRAS.keys() - {"markdown_it"})]  # rich itself needs markdown-it.
    find = f"from importlib.util import find_spec; print([name for name in {others} if find_spec(name)])"
    assert bare.run("python", "-c", find).stdout == "[]\n"


def test_version_and_completion(bare: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    # Else typer looks for a shell among the processes above, where a runner need not have one.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert bare.triptych("--version").stdout == f"triptych {__version__}\n"
    assert "triptych" in bare.triptych("--show-completion", "bash").stdout


def test_from_a_new_app_to_a_finished_job(bare: Installed) -> None:
    made = bare.triptych("app", "new", "shout")
    assert made.returncode == 0, made.stderr
    folder = bare.home / "include" / "apps" / "shout"
    checked = bare.triptych("validate")
    assert (checked.returncode, "0 warning(s)" in checked.stderr) == (0, True), checked.stderr
    assert "Airflow is not installed here. Not checked: whether a schedule is one" in checked.stderr
    sample = folder / "test" / "sample.txt"
    done = bare.triptych("run", "shout", "--runner", "process", "--source", sample, "-d", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["chunks"] == 3
    expected = [f"> {line}" for line in sample.read_text().splitlines()]
    assert (bare.home / "out" / "output.txt").read_text().splitlines() == expected


def test_new_engines_work_at_once(bare: Installed) -> None:
    for role in ("partitioner", "assembler"):
        made = bare.triptych("engine", "new", f"my-{role}", "--type", role)
        assert made.returncode == 0, made.stderr
    shown = bare.triptych("engine", "preview", "my-partitioner", "-s", SAMPLES / "orders.csv", "--json")
    assert sum(cut["size"] for cut in json.loads(shown.stdout)) == (SAMPLES / "orders.csv").stat().st_size


def test_the_built_in_engines_come_along(bare: Installed) -> None:
    shown = bare.triptych(
        "engine", "preview", "rows", "-s", SAMPLES / "orders.csv", "-p", "items_per_chunk=3", "--json"
    )
    assert shown.returncode == 0, shown.stderr
    assert [cut["items"] for cut in json.loads(shown.stdout)] == [3, 3, 3, 1]


@pytest.mark.parametrize(
    ("arguments", "code", "extra"),
    [
        (["engine", "preview", "rows", "-s", "s3://bucket/a"], 6, "s3"),
        (["engine", "preview", "rows", "-s", "s3://bucket/a", "--connection", "mine"], 6, "s3"),
        (["engine", "preview", "image_tiles", "-s", str(SAMPLES / "picture.png")], 7, "images"),
    ],
)
def test_what_is_missing_is_one_sentence(bare: Installed, arguments: list[str], code: int, extra: str) -> None:
    shown = bare.triptych(*arguments)
    assert shown.returncode == code, shown.stderr
    assert f"pip install 'triptych[{extra}]'" in shown.stderr
    assert len(shown.stderr.splitlines()) == 1


def test_a_secret_without_airflow_is_one_sentence(bare: Installed) -> None:
    folder = bare.home / "secretive" / "apps" / "secretive"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.sh").write_text("")
    config = {"container": "python:3.11-slim", "secrets": ["openai"]}
    about = {"name": "secretive", "version": "1.0", "entrypoint": "main.sh", "platform_config": config}
    (folder / "manifest.json").write_text(json.dumps(about))
    source = SAMPLES / "orders.csv"
    include = ("--include", bare.home / "secretive")
    shown = bare.triptych("run", "secretive", "--runner", "process", *include, "-s", source, "-d", "out-secretive")
    assert shown.returncode == 3, shown.stderr
    assert "'openai'" in shown.stderr
    assert "pip install 'triptych[airflow]'" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_every_engine_works_or_names_its_extra(bare: Installed, tmp_path: Path) -> None:
    script = tmp_path / "every_engine.py"
    script.write_text(EVERY_ENGINE)
    shown = bare.run("python", script)
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert len(told) > 40
    refused = {entry: (code, text) for entry, (code, text) in told.items() if code}
    for entry, (code, text) in refused.items():
        assert code == 7, f"{entry}: {text}"
        assert "pip install 'triptych[" in text, f"{entry}: {text}"
        assert len(text.splitlines()) == 1, f"{entry}: {text}"
    names = {entry.partition("/")[2] for entry in refused}
    assert names >= HEAVY
    assert not names & LIGHT
