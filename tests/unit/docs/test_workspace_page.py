"""The page on the workspace: each example has the keys that the real object has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.jobs.job import load_job, new_job
from triptych.jobs.locations import Location
from triptych.jobs.removed import Removed, put_removed
from triptych.jobs.spec import build_job_spec
from triptych.reports import leaving_report
from triptych.settings import PROJECT, Settings, read_settings
from triptych.stages.assemble import assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import Launch, run_pack

PAGE = PROJECT / "docs" / "explanation" / "workspace.md"
EXAMPLE = re.compile(r"^```json (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FREE = {"params", "config", "metadata", "kept", "positions", "provenance"}
"""What has a user's keys, or numbers, in it."""
SCRIPT = """
import os
from pathlib import Path
seen = Path(os.environ["USER_CACHE_DIR"], "seen")
print("hello")
if os.environ["CHUNK_NUMBER"] == "1" and not seen.exists():
    seen.touch()
    raise SystemExit(3)
Path(os.environ["TASK_RESULTS_DIR"], "output.txt").write_text("x")
"""
LINES = {"partitioner": "rows", "params": {"partitioner": {"items_per_chunk": 2, "format": "lines"}}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that failed once at chunk 1 and was finished."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "words.txt").write_text("".join(f"line {n}\n" for n in range(6)))
    (folder / "apps").mkdir()
    template = write_app(folder, SCRIPT, name="shout", template={**LINES, "assembler": "concat"})
    settings = _settings(folder)
    conf = {"dataSource": (folder / "words.txt").as_uri(), "config": {"chunksPerTask": 2}}
    done = partition(new_job(settings, template, build_job_spec(template, conf), "shout", "run"))
    job = load_job(settings, "shout", "run", done.ref)
    for pack in done.plan.packs:
        run_pack(job, pack.first, Launch("1"))
    with leaving_report(job):
        assemble(job)
    put_removed(job.workspace, Removed(1.0, "as retention would", Location("s3://out/")))
    return Path(job.workspace.root.removeprefix("file://"))


def _settings(folder: Path) -> Settings:
    values = {"workspace": (folder / "workspace").as_uri(), "allowed_roots": str(folder), "runner": "process"}
    return read_settings({**values, "scratch": str(folder / "scratch")})


def _examples() -> dict[str, Any]:
    return {name: json.loads(text) for name, text in EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))}


def _shape(value: Any) -> Any:
    """Keys at any depth; of a list its first item's; of what a user fills nothing."""
    if isinstance(value, dict):
        return {key: None if key in FREE else _shape(inner) for key, inner in value.items()}
    return [_shape(value[0])] if isinstance(value, list) and value and isinstance(value[0], dict) else None


def _real(root: Path, name: str) -> Iterator[Any]:
    for path in root.glob(name.replace("<token>", "*")):
        yield json.loads(path.read_text().splitlines()[0] if name.endswith(".jsonl") else path.read_text())


@pytest.mark.parametrize("name", sorted(_examples()))
def test_an_example_has_the_keys_of_the_real_object(root: Path, name: str) -> None:
    found = list(_real(root, name))
    assert found, f"The job has no {name}."
    assert [_shape(each) for each in found] == [_shape(_examples()[name])]
