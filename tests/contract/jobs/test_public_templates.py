"""Templates in the shapes that public ones of another service have: each is sound, and runs on what a client sends.

The shapes are those of 14 public files of 2025; ids, tags and texts are ours. Their own blocks are containers' scripts,
which find folders and parameters in the environment.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import call
from tests.support.include_folders import write_app
from tests.support.web_pages import Page, web_pages
from triptych.blocks import read_catalog
from triptych.jobs.spec import build_job_spec
from triptych.settings import get_settings

FANOUT = """
import json, os
from pathlib import Path

count = json.loads(os.environ["PARTITIONER_PARAMS"]).get("num_replicas", 1)
(source,) = Path(os.environ["SOURCE_DIR"]).iterdir()
for number in range(count):
    Path(os.environ["CHUNKS_DIR"], f"data_{number}.bin").write_bytes(source.read_bytes())
"""
DRAW = """
import json, os
from pathlib import Path

prompt = json.loads(os.environ["APP_PARAMS"]).get("prompt", "nothing")
data = Path(os.environ["TASK_DIR"], "data.bin").read_text()
Path(os.environ["TASK_RESULTS_DIR"], "image.txt").write_text(f"{prompt}: {data or 'empty'}")
"""
ZIPPER = """
import os, zipfile
from pathlib import Path

with zipfile.ZipFile(Path(os.environ["OUTPUT_DIR"], "all.zip"), "w") as archive:
    for path in sorted(Path(os.environ["TASK_RESULTS_DIR"]).iterdir()):
        archive.write(path, path.name)
"""
X = "type.googleapis.com/bytenite.data_source."
BYPASS, BUCKET = {"dataSourceDescriptor": "bypass"}, {"dataSourceDescriptor": "bucket"}
TAGS = {"app": "draw", "partitioner": "fanout", "assembler": "zipper"}
PLAIN = {"app": "draw@1", "partitioner": "passthrough", "assembler": "passthrough"}
PROMPT = {"partitioner": {}, "app": {"prompt": "A hill"}, "assembler": {}}
TEMPLATES: Mapping[str, Mapping[str, Any]] = {
    "tags-only": {"description": "Pictures from a prompt", **TAGS},
    "plain-tags": {"description": "One text", **PLAIN},
    "drawn-in-copies": {
        **TAGS,
        "dataSource": BYPASS,
        "dataDestination": BUCKET,
        "params": {"partitioner": {"num_replicas": 3}, "assembler": {}, "app": {"prompt": "A hill"}},
    },
    "with-limits": {
        **TAGS,
        "dataSource": BYPASS,
        "dataDestination": BUCKET,
        "params": PROMPT,
        "config": {"jobTimeout": 7200, "maxTaskRetries": 3, "taskTimeout": 7200},
    },
    "answered-once": {
        **PLAIN,
        "params": PROMPT,
        "dataSource": BYPASS,
        "dataDestination": BUCKET,
        "config": {"isTestJob": True, "jobTimeout": 3600, "taskTimeout": 3600},
    },
    "older-params": {
        **TAGS,
        "default_params": {"app": {"app_id": "draw", "version": "0.1", "parameters": {"prompt": "A hill"}}},
    },
    "as-it-is-answered": {
        **PLAIN,
        "params": PROMPT,
        "dataSource": {"dataSourceDescriptor": "bypass", "params": None},
        "dataDestination": {"dataSourceDescriptor": "bucket", "params": {}},
        "isPublic": False,
        "userName": "somebody",
        "owner": "0b6c",
        "createdAt": "2025-10-01T09:00:00.123Z",
        "updatedAt": "2025-10-01T09:00:00.123Z",
    },
}
BY_REGION = {"name": "/vids/a.mp4", "bucketName": "media", "cloudRegion": "us-east-2", "secret_id": "my_secret"}
SNAKE = {"name": "/vids/a.mp4", "bucket_name": "media", "cloud_region": "us-east-2", "secretId": "my_secret"}
BUCKETS: Mapping[str, Mapping[str, Any]] = {
    "of-s3": {"dataSourceDescriptor": "s3", "params": {"@type": f"{X}S3DataSource", **BY_REGION}},
    "of-aws": {"dataSourceDescriptor": "aws", "params": {"@type": f"{X}S3DataSource", **BY_REGION}},
    "of-gcp": {"dataSourceDescriptor": "gcp", "params": {"@type": f"{X}S3DataSource", **BY_REGION}},
    "of-storj": {"dataSourceDescriptor": "storj", "params": {"@type": f"{X}S3DataSource", **BY_REGION}},
    "of-storj-then": {"dataSourceDescriptor": "storj", "params": {"@type": f"{X}StorjDataSource", **BY_REGION}},
    "in-snake-case": {"dataSourceDescriptor": "aws", "params": SNAKE},
}
SENT: Mapping[str, Mapping[str, Any]] = {
    "plain-tags": {"data_source": BYPASS, "data_destination": BUCKET},
    "drawn-in-copies": {"dataSource": {}, "dataDestination": {}, "params": {"app": {}}},
    "answered-once": {"dataSource": {}, "dataDestination": {}},
}
"""By template what its clients send beside its id; nothing of those that are not here."""
EMPTY, HILL = "nothing: empty", "A hill: empty"
MADE: Mapping[str, list[str]] = {
    "tags-only": [EMPTY],
    "plain-tags": [EMPTY],
    "drawn-in-copies": [HILL] * 3,
    "with-limits": [HILL],
    "answered-once": [HILL],
    "older-params": [EMPTY],
    "as-it-is-answered": [HILL],
}


def _write_block(include: Path, role: str, name: str, script: str) -> None:
    folder = include / "engines" / name
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.py").write_text(script)
    about = {"name": name, "version": "0.1", "type": role, "platform": "docker", "platformConfig": {"container": "x:1"}}
    (folder / "manifest.json").write_text(json.dumps(about))


@pytest.fixture
def include(home: Path) -> Path:
    """The three blocks, and each template in a folder of its own."""
    include = home / "include"
    _write_block(include, "partitioner", "fanout", FANOUT)
    _write_block(include, "assembler", "zipper", ZIPPER)
    write_app(include, DRAW, name="draw")
    for name, template in TEMPLATES.items():
        _write_template(include, name, template)
    for name, place in BUCKETS.items():
        _write_template(include, name, {**TAGS, "dataSource": place, "dataDestination": place})
    return include


def _write_template(include: Path, name: str, template: Mapping[str, Any]) -> None:
    (include / "apps" / name).mkdir()
    (include / "apps" / name / "template.json").write_text(json.dumps({"id": name, **template}))


def _made(folder: Path) -> list[str]:
    """The texts of an output, out of its archive where it is one."""
    (path,) = [path for path in folder.iterdir() if path.is_file()]
    if not zipfile.is_zipfile(path):
        return [path.read_text()]
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name).decode() for name in archive.namelist()]


def test_all_are_sound_and_a_key_that_nobody_reads_is_told(include: Path) -> None:
    """`default_params` is older than `params`: what it holds does not reach the scripts."""
    sound = json.loads(call("validate", "--include", str(include), "--json").stdout)
    assert sound["errors"] == []
    told = [each for each in sound["warnings"] if each["location"] == "$.default_params"]
    assert [each["message"] for each in told] == ["unknown key, ignored. Did you mean 'params'?"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_each_runs_on_what_a_client_sends(include: Path, home: Path, name: str) -> None:
    (home / "job.json").write_text(json.dumps(SENT.get(name, {})))
    done = call("run", name, "--job", "job.json", "--runner", "process", "--json")
    assert done.exit_code == 0, done.stderr
    assert _made(Path(json.loads(done.stdout)["uri"].removeprefix("file://"))) == MADE[name]


def test_one_from_the_web_reads_it(include: Path, home: Path) -> None:
    with web_pages() as server:
        server.pages["/hello.txt"] = Page(b"hello")
        about = {"@type": f"{X}HttpDataSource", "name": "", "url": f"{server.url}/hello.txt", "username": ""}
        source = {"dataSourceDescriptor": "url", "params": {**about, "password": ""}}
        _write_template(include, "from-the-web", {**PLAIN, "dataSource": source, "dataDestination": BUCKET})
        done = call("run", "from-the-web", "--runner", "process", "--json")
    assert done.exit_code == 0, done.stderr
    assert _made(Path(json.loads(done.stdout)["uri"].removeprefix("file://"))) == ["nothing: hello"]


@pytest.mark.parametrize("name", BUCKETS)
def test_buckets_are_read_as_source_and_as_destination(include: Path, name: str) -> None:
    spec = build_job_spec(read_catalog([include, *get_settings().include]).template(name), {})
    (source,) = spec.sources
    assert source == spec.destination
    service = BUCKETS[name]["dataSourceDescriptor"].replace("aws", "s3")
    assert (source.uri, source.conn_id) == ("s3://media/vids/a.mp4", "my_secret")
    assert source.service
    assert source.service.name.replace("aws", "s3") == service
