"""What one look at a workspace tells of the next."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from triptych.checkup import Finding, Standing
from triptych.checkup import workspace as looking
from triptych.settings import Settings, read_settings
from triptych.storage import ObjectInfo
from triptych.storage.files import FileStore

Look = Callable[..., dict[str, list[Finding]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    read = read_settings({"workspace": (tmp_path / "w").as_uri(), "allowed_roots": str(tmp_path)})
    return dataclasses.replace(read, one_machine=False, cache=tmp_path / "cache")


@pytest.fixture
def look(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Look:
    def from_machine(name: str, version: str = "1.4.2", settings: Settings = settings) -> dict[str, list[Finding]]:
        monkeypatch.setattr(platform, "node", lambda: name)
        monkeypatch.setattr(looking, "__version__", version)
        found: dict[str, list[Finding]] = {}
        for finding in looking.look_at_workspace(settings):
            found.setdefault(finding.about, []).append(finding)
        return found

    return from_machine


def _standings(findings: Sequence[Finding]) -> list[Standing]:
    return [finding.standing for finding in findings]


def test_the_first_look_sees_nobody_and_the_second_the_first(look: Look) -> None:
    assert _standings(look("scheduler")["machines"]) == [Standing.SKIPPED]
    (seen,) = look("worker-1")["machines"]
    assert seen.standing is Standing.OK
    assert "scheduler (0 min ago)" in seen.said
    assert "worker-1" in look("scheduler")["machines"][0].said


def test_where_all_runs_on_one_machine_nobody_is_missed(look: Look, settings: Settings) -> None:
    assert "machines" not in look("laptop", settings=dataclasses.replace(settings, one_machine=True))


def test_two_minor_versions_are_wrong_and_two_patches_are_not(look: Look) -> None:
    look("old", "1.3.9")
    look("new", "1.4.9")
    seen, wrong = look("here")["machines"]
    assert _standings([seen, wrong]) == [Standing.OK, Standing.WRONG]
    assert "old has Triptych 1.3.9, this machine 1.4.2" in wrong.said


def test_the_newest_look_of_a_machine_counts(look: Look) -> None:
    look("worker", "1.3.9")
    look("worker", "1.4.2")
    assert _standings(look("here")["machines"]) == [Standing.OK]


def test_two_machines_of_one_name_are_two(look: Look, settings: Settings, tmp_path: Path) -> None:
    clone = dataclasses.replace(settings, cache=tmp_path / "cache-of-the-clone")
    look("worker")
    (seen,) = look("worker", settings=clone)["machines"]
    assert (seen.standing, "another worker (0 min ago)" in seen.said) == (Standing.OK, True)
    look("worker", "1.3.9", settings=clone)
    _, wrong = look("worker")["machines"]
    assert "another worker has Triptych 1.3.9, this machine 1.4.2" in wrong.said
    assert look("here")["machines"][0].said.count("worker (0 min ago)") == 2


def test_a_machine_that_cannot_keep_a_name_is_known_by_its_hosts(
    look: Look, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    nowhere = dataclasses.replace(settings, cache=tmp_path / "file" / "cache")
    look("worker")
    assert _standings(look("worker", settings=nowhere)["machines"]) == [Standing.SKIPPED]
    (seen,) = look("here", settings=nowhere)["machines"]
    assert "worker (0 min ago)" in seen.said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"machine": "a", "version": "1.4.0", "written": "x"}',
        b'{"machine": [], "version": "1.4.0", "written": 9e9}',
        b'{"machine": "a", "version": "1", "written": 9e9, "identity": {}}',
    ],
)
def test_what_is_no_mark_is_removed_and_old_ones_are(look: Look, tmp_path: Path, content: bytes) -> None:
    marks = tmp_path / "w" / "_doctor"
    look("scheduler")
    (marks / "broken.json").write_bytes(content)
    (marks / "old.json").write_text(json.dumps({"machine": "gone", "version": "1.4.2", "written": 1e9}))
    (seen,) = look("worker")["machines"]
    assert "scheduler" in seen.said
    assert "gone" not in seen.said
    assert {"broken.json", "old.json"} & {path.name for path in marks.iterdir()} == set()


@pytest.mark.parametrize(("ahead_s", "told"), [(120, "120 s behind"), (-61, "61 s ahead of")])
def test_a_store_whose_clock_is_another_is_told(
    look: Look, monkeypatch: pytest.MonkeyPatch, ahead_s: int, told: str
) -> None:
    assert _standings(look("here")["clock"]) == [Standing.OK]
    listed = FileStore.list

    def by_another_clock(store: FileStore, prefix: str) -> Iterator[ObjectInfo]:
        for info in listed(store, prefix):
            yield dataclasses.replace(info, modified=(info.modified or 0) + ahead_s)

    monkeypatch.setattr(FileStore, "list", by_another_clock)
    (clock,) = look("here")["clock"]
    assert (clock.standing, told in clock.said) == (Standing.WARNING, True)
