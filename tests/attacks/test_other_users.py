"""Another user of a worker's machine: what of a job's files on it they can read, or have ready for it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.errors import ConfigError
from triptych.jobs.job import new_job
from triptych.jobs.spec import build_job_spec
from triptych.running.scratch import scratch_folder
from triptych.settings import read_settings
from triptych.stages.partition import partition

NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as somebody else")


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that everybody may enter and read, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _seen_by_another_user(folder: Path) -> str:
    """All that a search from here down finds and can read, by a program that is not ours."""
    command = ["find", str(folder), "-type", "f", "-readable"]
    return subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True, text=True, check=False
    ).stdout


def _planned(home: Path) -> Path:
    """A workspace with a job's plan, code and chunk list in it."""
    (home / "words.txt").write_text("words")
    template = write_app(home / "include", "")
    workspace = home / "deep" / "workspace"
    values = {"workspace": workspace.as_uri(), "allowed_roots": str(home), "runner": "process"}
    settings = read_settings({**values, "scratch": str(home / "scratch")})
    spec = build_job_spec(template, {"dataSource": (home / "words.txt").as_uri()})
    partition(new_job(settings, template, spec, "tried", "run"))
    assert len([path for path in workspace.rglob("*") if path.is_file()]) >= 5
    return workspace


def test_a_workspace_that_we_make_is_its_owners_alone(home: Path) -> None:
    workspace = _planned(home)
    assert "words.txt" in _seen_by_another_user(home)
    assert _seen_by_another_user(workspace) == ""


def test_a_workspace_that_an_operator_made_keeps_its_mode(home: Path) -> None:
    (home / "deep" / "workspace").mkdir(parents=True)
    workspace = _planned(home)
    assert "plans/0.json" in _seen_by_another_user(workspace)


def test_an_attempts_files_are_its_workers_alone(home: Path) -> None:
    scratch = home / "scratch"
    with scratch_folder(scratch) as folder:
        (folder / "secret").write_text("x")
        assert _seen_by_another_user(scratch) == ""
        assert _seen_by_another_user(folder) == ""


@pytest.mark.parametrize("trap", ["folder", "link"])
def test_a_scratch_folder_that_another_user_made_first_is_refused(home: Path, trap: str) -> None:
    scratch = home / "scratch"
    if trap == "folder":
        scratch.mkdir(mode=0o777)
    else:
        (home / "mine").mkdir()
        scratch.symlink_to(home / "mine")
    os.chown(scratch, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(ConfigError, match=f"scratch = {scratch}: belongs to user {NOBODY}"), scratch_folder(scratch):
        pass
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(("mode", "is_right"), [(0o777, False), (0o1777, True), (0o711, True), (0o770, True)])
def test_a_scratch_folder_in_which_anybody_can_rename_is_refused(home: Path, mode: int, is_right: bool) -> None:
    scratch = home / "scratch"
    scratch.mkdir()
    scratch.chmod(mode)
    if is_right:
        with scratch_folder(scratch) as folder:
            assert folder.is_dir()
        return
    with pytest.raises(ConfigError, match="can be written to by every user"), scratch_folder(scratch):
        pass
