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
from triptych.stages.preflight import machines
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
        monkeypatch.setattr(machines, "__version__", version)
        found: dict[str, list[Finding]] = {}
        own = dataclasses.replace(settings, cache=settings.cache / name)
        for finding in looking.look_at_workspace(own):
            found.setdefault(finding.about, []).append(finding)
        return found

    return from_machine


@pytest.fixture
def roots(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """What is told of folders that are shared, by what each is."""

    def from_machine(name: str, settings: Settings = settings) -> dict[str, list[Finding]]:
        monkeypatch.setattr(platform, "node", lambda: name)
        own = dataclasses.replace(settings, cache=tmp_path / f"cache-{name}")
        found: dict[str, list[Finding]] = {}
        for finding in looking.look_at_shared(own):
            found.setdefault(finding.said.partition(": ")[0].rpartition("/")[2], []).append(finding)
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


def test_a_shared_folder_is_one_once_two_machines_have_looked(roots: Look, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "data").mkdir()
    many = dataclasses.replace(settings, allowed_roots=(tmp_path / "data", tmp_path / "gone"))
    for _ in range(2):
        first = roots("w1", many)
        assert {name: _standings(each) for name, each in first.items()} == {
            "w": [Standing.WARNING],
            "data": [Standing.WARNING],
            "gone": [Standing.SKIPPED],
        }
    assert not (tmp_path / "gone").exists()
    assert "w1 see it, too" in roots("w2", many)["data"][0].said
    assert {name: _standings(each) for name, each in roots("w1", many).items()} == {
        "w": [Standing.OK],
        "data": [Standing.OK],
        "gone": [Standing.SKIPPED],
    }
    # A job that names the root as its source does not read what lies there.
    assert [path.relative_to(tmp_path / "data").parts[0] for path in (tmp_path / "data").rglob("*.mark")] == [
        "_triptych",
        "_triptych",
    ]
    assert roots("w1", dataclasses.replace(many, one_machine=True)) == {}
    assert roots("w1", dataclasses.replace(many, shared_folders=False)) == {}


def test_a_folder_stays_shared_when_nobody_has_looked_for_long(roots: Look, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    many = dataclasses.replace(settings, allowed_roots=())
    for name in ("w1", "w2", "w3"):
        roots(name, many)
    for number, mark in enumerate((tmp_path / "w").rglob("*.mark")):
        mark.write_text(json.dumps({**json.loads(mark.read_text()), "written": 1e9 + number}))
    newest = json.loads(mark.read_text())["machine"]
    (told,) = roots("here", many)["w"]
    assert (told.standing, f"{newest} see it, too" in told.said) == (Standing.OK, True)
    kept = {json.loads(mark.read_text())["machine"] for mark in (tmp_path / "w").rglob("*.mark")}
    assert kept == {"here", newest}


def test_a_root_that_cannot_be_written_is_told(
    roots: Look, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "w").write_text("a file")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "_triptych").write_text("a file")
    (told,) = roots("w1", dataclasses.replace(settings, allowed_roots=(tmp_path / "data",)))["data"]
    assert (told.standing, "A mark for them cannot be left" in told.said) == (Standing.WARNING, True)
