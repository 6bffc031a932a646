"""One caller's job against another's, by the stages that Airflow runs: the workspace is nobody's to name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Template
from triptych.errors import StorageAccessError
from triptych.jobs.job import load_job, new_job
from triptych.jobs.spec import build_job_spec
from triptych.settings import PROJECT, Settings
from triptych.stages.assemble import assemble
from triptych.stages.partition import partition
from triptych.stages.run_pack import Launch, run_pack

COPY = 'cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/copy"'


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return write_app(tmp_path / "include", COPY, entrypoint="main.sh")


def _run(settings: Settings, template: Template, run_id: str, conf: Mapping[str, object]) -> str:
    done = partition(new_job(settings, template, build_job_spec(template, conf), template.id, run_id))
    job = load_job(settings, template.id, run_id, done.ref)
    for pack in job.plan.packs:
        run_pack(job, pack.first, Launch("1"))
    return assemble(job).uri


@pytest.fixture
def victim(settings: Settings, template: Template, tmp_path: Path) -> dict[Path, bytes]:
    """The files of a job that ran to its end without a destination, with what is in them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.txt").write_bytes(b"the victim's")
    uri = _run(settings, template, "victim", {"dataSource": (tmp_path / "data" / "secret.txt").as_uri()})
    assert uri == f"{settings.workspace}/outputs/tried/victim/"
    return {path: path.read_bytes() for path in (tmp_path / "workspace").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "theirs",
    [
        "workspace/outputs/tried/victim/copy",
        "workspace/outputs/tried/victim/",
        "workspace/tried/victim/results/",
        "workspace/tried/victim/job/*.json",
        "workspac?/*/tried/*/copy",
        "data/../workspace/outputs/",
        "%77orkspace/outputs/tried/victim/copy",
        "",
    ],
)
def test_an_attacker_reads_no_job_of_anothers(
    settings: Settings, template: Template, tmp_path: Path, victim: dict[Path, bytes], theirs: str
) -> None:
    conf = {"dataSource": f"file://{tmp_path}/{theirs}", "dataDestination": (tmp_path / "loot").as_uri()}
    with pytest.raises(StorageAccessError, match=r"dataSource .*of Triptych's own") as caught:
        _run(settings, template, "attacker", conf)
    assert not caught.value.retryable
    assert not (tmp_path / "loot").exists()


@pytest.mark.parametrize(
    "theirs", ["workspace/outputs/tried/victim/", "workspace/tried/victim/results", "workspace/../workspace", ""]
)
def test_an_attacker_writes_into_no_job_of_anothers(
    settings: Settings, template: Template, tmp_path: Path, victim: dict[Path, bytes], theirs: str
) -> None:
    conf = {
        "dataSource": (PROJECT / "include" / "apps" / "linecount" / "test" / "lines.txt").as_uri(),
        "dataDestination": f"file://{tmp_path}/{theirs}",
        "config": {"existing": "replace"},
    }
    with pytest.raises(StorageAccessError, match=r"dataDestination .*of Triptych's own"):
        _run(settings, template, "attacker", conf)
    assert {path: path.read_bytes() for path in victim} == victim


def test_a_job_may_still_follow_another_by_its_destination(
    settings: Settings, template: Template, tmp_path: Path, victim: dict[Path, bytes]
) -> None:
    first = {"dataSource": (tmp_path / "data" / "secret.txt").as_uri(), "dataDestination": (tmp_path / "a").as_uri()}
    uri = _run(settings, template, "first", first)
    assert (
        _run(settings, template, "second", {"dataSource": uri, "dataDestination": (tmp_path / "b").as_uri()})
        == f"{(tmp_path / 'b').as_uri()}/"
    )
    assert (tmp_path / "b" / "copy").read_bytes() == b"the victim's"
