"""Publishing through a real Airflow: a template is pushed, its DAG appears, and jobs run what is active."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.include_folders import write_app
from triptych.airflow.rest import poll
from triptych.api.prefix import PREFIX
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
FOREIGN = """
from airflow.sdk import DAG
with DAG("foreign", schedule=None):
    pass
"""
USERS = {"op": "op", "ann": "user"}
PARTS: dict[str, Any] = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 2}}}


class Publishing:
    """An Airflow whose DAGs are those of published templates, on machines that have no include folder."""

    def __init__(self, airflow: EmbeddedAirflow) -> None:
        self.airflow = airflow
        self.client = airflow.client
        self.work = airflow.home / "author"
        self.passwords = json.loads((airflow.home / "passwords.json").read_text())

    def token(self, user: str) -> str:
        """One of Airflow's own."""
        name = {"username": user, "password": self.passwords[user]}
        return str(httpx.post(f"{self.airflow.url}/auth/token", json=name, timeout=60).json()["access_token"])

    def ask(self, user: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """One request to `/dev`."""
        url, headers = f"{self.airflow.url}{PREFIX}/dev{path}", {"Authorization": self.token(user)}
        return httpx.request(method, url, json=body, headers=headers, timeout=60)

    def command(self, *arguments: str | Path, user: str = "") -> subprocess.CompletedProcess[str]:
        """`triptych ...` as an author's machine runs it; as a user of the Airflow that machine knows no registry."""
        env = dict(self.airflow.env)
        if user:
            arguments = (*arguments, "--airflow", self.airflow.url, "--user", user)
            env |= {"AIRFLOW_PASSWORD": self.passwords[user], "AIRFLOW__TRIPTYCH__REGISTRY": ""}
        return subprocess.run(
            [sys.executable, "-m", "triptych", *map(str, arguments)],
            env=env,
            cwd=self.work,
            capture_output=True,
            text=True,
            check=False,
        )

    def do(self, *arguments: str | Path, user: str = "") -> str:
        """What it says."""
        done = self.command(*arguments, user=user)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def app(self, version: str, script: str, name: str = "line") -> Path:
        """The folder of a version of an app."""
        folder = self.work / version / "apps" / name
        write_app(self.work / version, script, name=name, entrypoint="main.sh", manifest={"version": version})
        return folder

    def engine(self, name: str) -> Path:
        """The folder of an assembler that runs in workers."""
        folder = self.work / "engines" / name
        (folder / "app").mkdir(parents=True)
        (folder / "app" / "main.py").write_text(JOINED)
        about = {"name": name, "version": "1.0", "type": "assembler", "platform": "python"}
        (folder / "manifest.json").write_text(json.dumps(about))
        return folder

    def template(self, name: str, app: str, assembler: str) -> Path:
        """The file of a template."""
        path = self.work / f"{name}.json"
        path.write_text(json.dumps({"id": name, "app": app, "assembler": assembler, **PARTS}))
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
    (home / "foreign").mkdir()
    (home / "foreign" / "dags.py").write_text(FOREIGN)
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    foreign = {"name": "foreign", "classpath": local, "kwargs": {"path": str(home / "foreign")}}
    env = {
        "AIRFLOW__TRIPTYCH__INCLUDE": str(home / "none"),
        "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
        "AIRFLOW__TRIPTYCH__REGISTRY": (home / "registry").as_uri(),
        "AIRFLOW__TRIPTYCH__PUSHED_ENGINES": "joined",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([BUNDLE, foreign]),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(
            ["admin:admin", *(f"{name}:{role}" for name, role in USERS.items())]
        ),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    }
    airflow = EmbeddedAirflow(home, PROJECT, env)
    (home / "author").mkdir()
    with airflow as running:
        made = Publishing(running)
        made.do("app", "push", made.app("1.0", QUICK, "steady"), "--activate")
        made.do("engine", "push", made.engine("joined"), "--activate")
        yield made


def test_jobs_run_what_is_active_when_they_begin(published: Publishing) -> None:
    published.do("app", "push", published.app("1.0", HELD), "--activate")
    published.do("template", "push", published.template("lines", "line", "joined"))
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
    published.do("template", "push", published.template("sneaking", "steady", "sneaky"))
    published.client.wait_for_dag("sneaking")
    assert "broken" in published.tags("sneaking")
    run = published.client.trigger("sneaking", {})
    assert published.client.wait_for_run("sneaking", run) == "failed"
    assert "needs an operator's consent" in published.client.log("sneaking", run, "partition")


def test_a_template_that_is_deactivated_says_so(published: Publishing) -> None:
    published.do("template", "push", published.template("fleeting", "steady", "joined"))
    published.client.wait_for_dag("fleeting")
    published.do("template", "deactivate", "fleeting")
    published.wait_for_tag("fleeting", "broken")
    assert "deactivated" in published.client.get("dags/fleeting")["description"]
    published.do("template", "activate", "fleeting")
    assert poll(lambda: "broken" not in published.tags("fleeting"), 120, 0.5)


def test_the_api_publishes_for_who_may_change_connections(published: Publishing) -> None:
    folder = published.app("3.0", QUICK, "remote")
    assert published.command("app", "push", folder, user="ann").returncode != 0
    for method, path, body in (
        ("POST", "/apps", {"data": ""}),
        ("POST", "/templates", {"id": "x", "app": "y"}),
        ("GET", "/published", None),
        ("GET", "/apps/remote/download", None),
        ("POST", "/apps/remote/activate", {}),
    ):
        refused = published.ask("ann", method, path, body)
        assert (refused.status_code, refused.json()["code"], refused.json()["ok"]) == (403, 7, False), path
    said = published.do("app", "push", folder, user="op")
    assert "No job runs it yet" in said
    (first,) = re.findall(r"\b[0-9a-f]{12}\b", said.splitlines()[0])
    assert published.ask("op", "GET", "/apps/remote/status").json() == {"status": "inactive"}
    assert published.ask("ann", "GET", "/apps/remote/status").status_code == 404
    (folder / "app" / "main.sh").write_text(QUICK.replace("second", "third"))
    assert "The tag has moved: until now it meant" in published.do("app", "push", folder, user="op")
    refused = published.ask("ann", "POST", "/apps/remote/activate", {"digest": first})
    assert (refused.status_code, refused.json()["code"]) == (403, 7)
    assert f"is active: {first}" in published.do("app", "activate", "remote@3.0", "--digest", first, user="op")
    assert published.ask("op", "GET", "/apps/remote/status").json() == {"status": "outdated"}
    for digest in ("0" * 12, "../tags/app/", "\0", 7):
        assert published.ask("op", "POST", "/apps/remote/activate", {"digest": digest}).status_code == 400, digest
    assert "is active" in published.do("app", "activate", "remote@3.0", user="op")
    file = published.work / "far.json"
    file.write_text(json.dumps({"id": "far", "app": "remote@3", **PARTS}))
    published.do("template", "push", file, user="op")
    published.client.wait_for_dag("far")
    assert "app:remote@3.0" in published.tags("far")
    published.do("app", "pull", "remote", "--to", "pulled", user="op")
    assert (published.work / "pulled" / "app" / "main.sh").read_text() == QUICK.replace("second", "third")
    listed = json.loads(published.command("app", "list", "--published", "--json", user="op").stdout)
    assert [(each["tag"], each["pushedBy"]) for each in listed if each["tag"] == "remote@3.0"] == [("remote@3.0", "op")]
    assert "remote@3.0" in [each["id"] for each in published.ask("op", "GET", "/apps").json()["apps"]]
    published.do("app", "deactivate", "remote", user="op")
    published.wait_for_tag("far", "broken")
    assert "No active app is 'remote@3'." in published.client.get("dags/far")["description"]


def test_what_is_sent_to_the_api_is_judged_first(published: Publishing) -> None:
    link = tarfile.TarInfo("app/away")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    manifest = {"name": "bad", "version": "1.0", "type": "splitter"}
    for body, reason in (
        ({}, "data: must be a tar"),
        ({"data": 7}, "data: must be a tar"),
        ({"data": "%%%"}, "in base64"),
        ({"data": _tar({"manifest.json": b"{"})}, "manifest.json: line 1"),
        ({"data": _tar({"manifest.json": json.dumps(manifest).encode()})}, "$.type"),
        ({"data": _tar({"manifest.json": b"{}"}, link)}, "the link 'app/away' leads to '/etc/passwd'"),
        ({"data": _tar({"../manifest.json": b"{}"})}, "The archive cannot be used"),
        ({"data": _tar({}), "more": 1}, "more: is unknown"),
    ):
        refused = published.ask("op", "POST", "/apps", body)
        assert refused.status_code == 400, refused.text
        assert reason in refused.json()["message"]
        assert "/tmp" not in refused.text
    for template, reason in (
        ({"id": "foreign", "app": "line"}, "foreign: is a DAG of this Airflow, and no template's"),
        ({"id": "../x", "app": "line"}, "The template: $.id"),
        ({"app": "line"}, "The template: $.id: is missing"),
        ({"id": "x", "app": 7}, "The template: $.app"),
    ):
        refused = published.ask("op", "POST", "/templates", template)
        assert refused.status_code == 400, refused.text
        assert reason in refused.json()["message"]
    for path in (
        "/apps/nothing/activate",
        "/things/line/activate",
        "/apps/%2e%2e/activate",
        "/templates/x%00y/activate",
    ):
        assert published.ask("op", "POST", path, {}).status_code in (400, 404), path


def _tar(files: dict[str, bytes], *more: tarfile.TarInfo) -> str:
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in more:
            tar.addfile(info)
    return base64.b64encode(packed.getvalue()).decode()


def _lines(published: Publishing, run_id: str) -> list[str]:
    outputs = published.airflow.home / "workspace" / "outputs" / "lines"
    (path,) = (path for path in outputs.glob("*/lines.txt") if path.parent.name == run_id)
    return path.read_text().splitlines()
