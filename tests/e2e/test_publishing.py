"""Publishing through a real Airflow: a template is pushed, its DAG appears, and jobs run what is active."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.airflow.rest import poll
from triptych.demo.embedded import EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = pytest.mark.airflow
BUNDLE = {
    "name": "published",
    "classpath": "triptych.airflow.published.bundle.PublishedTemplates",
    "kwargs": {"refresh_interval": 2},
}
HELD = """
touch "$USER_CACHE_DIR/begun"
until test -e "$USER_CACHE_DIR/open"; do sleep 0.2; done
echo first > "$TASK_RESULTS_DIR/line"
"""
QUICK = 'echo second > "$TASK_RESULTS_DIR/line"'
JOINED = """
def assemble(results, output, params):
    with output.open("lines.txt") as out:
        for result in results:
            out.write(b"joined " + result.open().read())
"""
PARTS: dict[str, Any] = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 2}}}


class Publishing:
    """An Airflow whose DAGs are those of published templates, on machines that have no include folder."""

    def __init__(self, airflow: EmbeddedAirflow) -> None:
        self.airflow = airflow
        self.client = airflow.client
        self.work = airflow.home / "author"

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """`triptych ...` as an author's machine runs it."""
        return subprocess.run(
            [sys.executable, "-m", "triptych", *map(str, arguments)],
            env=self.airflow.env,
            cwd=self.work,
            capture_output=True,
            text=True,
            check=False,
        )

    def do(self, *arguments: str | Path) -> str:
        """What it says."""
        done = self.command(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def app(self, version: str, script: str) -> Path:
        """The folder of a version of the app `line`."""
        folder = self.work / version / "apps" / "line"
        write_app(self.work / version, script, name="line", entrypoint="main.sh", manifest={"version": version})
        return folder

    def engine(self, name: str) -> Path:
        """The folder of an assembler that runs in workers."""
        folder = self.work / "engines" / name
        (folder / "app").mkdir(parents=True)
        (folder / "app" / "main.py").write_text(JOINED)
        about = {"name": name, "version": "1.0", "type": "assembler", "platform": "python"}
        (folder / "manifest.json").write_text(json.dumps(about))
        return folder

    def template(self, name: str, assembler: str) -> Path:
        """The file of a template of `line`."""
        path = self.work / f"{name}.json"
        path.write_text(json.dumps({"id": name, "app": "line", "assembler": assembler, **PARTS}))
        return path

    def tags(self, dag_id: str) -> Sequence[str]:
        """Of the DAG, as Airflow has it."""
        return [tag["name"] for tag in self.client.get(f"dags/{dag_id}")["tags"]]

    def wait_for_tag(self, dag_id: str, tag: str) -> None:
        """Until the DAG has it."""
        assert poll(lambda: tag in self.tags(dag_id), 120, 0.5), self.tags(dag_id)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    home = tmp_path_factory.mktemp("published")
    env = {
        "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "none"),
        "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
        "AIRFLOW__TRIPTYCH__REGISTRY": (home / "registry").as_uri(),
        "AIRFLOW__TRIPTYCH__PUSHED_ENGINES": "joined",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE]),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    }
    airflow = EmbeddedAirflow(home, PROJECT, env)
    (home / "author").mkdir()
    with airflow as running:
        yield Publishing(running)


def test_jobs_run_what_is_active_when_they_begin(published: Publishing) -> None:
    published.do("app", "push", published.app("1.0", HELD), "--activate")
    published.do("engine", "push", published.engine("joined"), "--activate")
    published.do("template", "push", published.template("lines", "joined"))
    published.client.wait_for_dag("lines")
    first = published.client.trigger("lines", {})
    caches = published.airflow.home
    assert poll(lambda: any(caches.rglob("begun")), 240, 0.5), published.client.log("lines", first, "partition")
    said = published.do("app", "push", published.app("1.1", QUICK))
    assert "No job runs it yet" in said
    assert "app:line@1.0" in published.tags("lines")
    published.do("app", "activate", "line@1.1")
    published.wait_for_tag("lines", "app:line@1.1")
    # From here on there is nothing but the workspace.
    os.kill(published.airflow.pid("dag-processor"), signal.SIGSTOP)
    try:
        (caches / "registry").rename(caches / "away")
        shutil.rmtree(caches / "bundles" / "published" / "units")
        second = published.client.trigger("lines", {})
        assert published.client.wait_for_run("lines", second) == "success", published.client.log(
            "lines", second, "partition"
        )
        assert _lines(published, second) == ["joined second", "joined second"]
        for begun in caches.rglob("begun"):
            (begun.parent / "open").touch()
        assert published.client.wait_for_run("lines", first) == "success"
        assert _lines(published, first) == ["joined first", "joined first"]
    finally:
        (caches / "away").rename(caches / "registry")
        os.kill(published.airflow.pid("dag-processor"), signal.SIGCONT)


def test_an_engine_that_no_operator_named_runs_in_no_worker(published: Publishing) -> None:
    said = published.do("engine", "push", published.engine("sneaky"), "--activate")
    assert "no job uses it before an operator has named it in [triptych] pushed_engines" in said
    published.do("template", "push", published.template("sneaking", "sneaky"))
    published.client.wait_for_dag("sneaking")
    assert "broken" in published.tags("sneaking")
    run = published.client.trigger("sneaking", {})
    assert published.client.wait_for_run("sneaking", run) == "failed"
    assert "needs an operator's consent" in published.client.log("sneaking", run, "partition")


def test_a_template_that_is_deactivated_says_so(published: Publishing) -> None:
    published.do("template", "push", published.template("fleeting", "joined"))
    published.client.wait_for_dag("fleeting")
    published.do("template", "deactivate", "fleeting")
    published.wait_for_tag("fleeting", "broken")
    assert "deactivated" in published.client.get("dags/fleeting")["description"]
    published.do("template", "activate", "fleeting")
    assert poll(lambda: "broken" not in published.tags("fleeting"), 120, 0.5)


def _lines(published: Publishing, run_id: str) -> list[str]:
    outputs = published.airflow.home / "workspace" / "outputs" / "lines"
    (path,) = (path for path in outputs.glob("*/lines.txt") if path.parent.name == run_id)
    return path.read_text().splitlines()
