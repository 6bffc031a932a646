"""Jobs with `bypass` and `bucket`: one empty file in; an output that goes after a while, with links to its files."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.errors import EngineError
from triptych.jobs.job import PlannedJob, load_job, new_job
from triptych.jobs.spec import build_job_spec
from triptych.jobs.temporary import expiry_of
from triptych.settings import Settings
from triptych.stages.assemble import Outcome, assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import Launch, run_pack
from triptych.storage.files import FileStore
from triptych.storage.paths import file_path

SCRIPT = """
import os
from pathlib import Path
size = Path(os.environ["TASK_DIR"], "data.bin").stat().st_size
Path(os.environ["TASK_RESULTS_DIR"], "a b.txt").write_text(f"{size} bytes")
"""
BYPASS, BUCKET = {"dataSourceDescriptor": "bypass", "params": {}}, {"dataSourceDescriptor": "bucket"}


def _ran(settings: Settings, folder: Path, destination: dict[str, Any], partitioner: str = "passthrough") -> PlannedJob:
    """A job of which `assemble` is still to come."""
    own = {"partitioner": partitioner, "dataSource": BYPASS, "dataDestination": destination}
    template = write_app(folder / "include", SCRIPT, template=own)
    spec = build_job_spec(template, {})
    done = partition(new_job(settings, template, spec, "tried", "run"))
    job = load_job(settings, "tried", "run", done.ref)
    for pack in done.plan.packs:
        run_pack(job, pack.first, Launch("1"))
    return job


def _texts(outcome: Outcome) -> dict[str, str]:
    folder = file_path(outcome.uri)
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("partitioner", ["passthrough", "replicate"])
def test_bypass_is_one_empty_file_and_the_output_stays(settings: Settings, tmp_path: Path, partitioner: str) -> None:
    outcome = assemble(_ran(settings, tmp_path, BYPASS, partitioner))
    assert set(_texts(outcome).values()) == {"0 bytes"}
    assert outcome.uri == f"{settings.workspace}/outputs/tried/run/"
    assert (outcome.links, outcome.links_expire) == ({}, None)


def test_a_partitioner_that_finds_nothing_in_it_says_so(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="made no chunk of no source, so that nothing would run"):
        _ran(settings, tmp_path, BYPASS, "rows")


def test_a_bucket_lasts_as_long_as_its_links(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []

    def sign(store: FileStore, uri: str, method: str, expires_s: int) -> str:
        asked.append(expires_s)
        return f"https://signed.example.com/{method}/{uri}"

    monkeypatch.setattr(FileStore, "signed_url", sign)
    job = _ran(settings, tmp_path, BUCKET)
    before = datetime.now(UTC)
    outcome = assemble(job)
    assert outcome.uri.startswith(f"{settings.workspace}/_temporary/")
    expires = expiry_of(outcome.uri.rstrip("/").rpartition("/")[2])
    assert expires is not None
    assert _texts(outcome) == {"a b.txt": "0 bytes"}
    assert outcome.links == {"a b.txt": f"https://signed.example.com/GET/{outcome.uri}a%20b.txt"}
    assert outcome.links_expire is not None
    hours = timedelta(hours=48)
    assert before + hours - timedelta(seconds=1) <= datetime.fromisoformat(outcome.links_expire) <= expires
    assert asked == [48 * 3600]
    listing = json.loads((file_path(job.workspace.root) / "output" / "0.json").read_text())
    assert {file["name"]: file["link"] for file in listing["files"]} == outcome.links
    assert assemble(job) == outcome
    assert "signed.example.com" not in caplog.text


def test_an_output_whose_time_is_over_is_made_again_elsewhere(settings: Settings, tmp_path: Path) -> None:
    """As of a repair that comes late: retention may have removed what was there."""
    job = _ran(settings, tmp_path, BUCKET)
    short = replace(job, settings=replace(job.settings, temporary_s=1), began=time.time() - 86400 + 60)
    first = assemble(short)
    late = replace(job, began=time.time())
    second = assemble(late)
    assert second.uri != first.uri
    assert _texts(second) == {"a b.txt": "0 bytes"}
    assert assemble(late) == second


def test_of_two_attempts_at_once_one_names_the_area(settings: Settings, tmp_path: Path) -> None:
    job = _ran(settings, tmp_path, BUCKET)
    assert assemble(job).uri == assemble(load_job(settings, "tried", "run", job.ref)).uri
    assert [path.name for path in (file_path(settings.workspace) / "_temporary").iterdir()] == [
        assemble(job).uri.rstrip("/").rpartition("/")[2]
    ]


def test_without_a_signature_the_output_is_there_and_the_log_says_why(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = assemble(_ran(settings, tmp_path, BUCKET))
    assert _texts(outcome) == {"a b.txt": "0 bytes"}
    assert outcome.links == {}
    assert "The output has no links: " in caplog.text
