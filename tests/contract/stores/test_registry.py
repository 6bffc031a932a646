"""Publishing, on each store: what a tag means, what is active, and what of it workers find in the workspace."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.include_folders import write_app
from tests.support.places import STRICT, Place
from triptych.blocks import Role, read_catalog
from triptych.blocks.manifest import read_block
from triptych.errors import IntegrityError, ManifestError, ObjectNotFoundError
from triptych.registry import Key, Registry
from triptych.registry.mirror import Mirror
from triptych.registry.pushing import checked_template, push_template
from triptych.registry.resolving import read_index
from triptych.registry.syncing import sync
from triptych.registry.units import make_unit, read_unit
from triptych.settings import read_settings
from triptych.storage import Store, Stores

COUNT = Key(Role.APP, "count", "1.0")


class Interrupted(Exception):
    pass


class DyingStore:
    """A store whose user is gone after so many writes."""

    def __init__(self, store: Store, writes: int) -> None:
        self._store, self._left = store, writes

    def __getattr__(self, name: str) -> object:
        if name in ("writer", "put_replacing", "put"):
            if self._left == 0:
                raise Interrupted
            self._left -= 1
        return getattr(self._store, name)


class WritesOf:
    """A store that remembers where it wrote."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.uris: list[str] = []

    def __getattr__(self, name: str) -> object:
        found = getattr(self._store, name)
        if name not in ("writer", "put_replacing", "put"):
            return found

        def noted(uri: str, *rest: object) -> object:
            self.uris.append(uri)
            return found(uri, *rest)

        return noted


@pytest.fixture
def registry(place: Place) -> Registry:
    return Registry(place.store, f"{place.root}registry")


@pytest.fixture
def mirror(place: Place) -> Mirror:
    settings = read_settings({"workspace": f"{place.root}workspace"})
    return Mirror(settings, cast("Stores", SimpleNamespace(workspace=lambda: place.store)))


def push(registry: Registry, folder: Path, text: str = "pass", *, activates: bool = False, version: str = "1.0") -> str:
    """The SHA-256 of the app `count` with this script, pushed by ann."""
    about = {"name": "count", "version": version, "platform_config": {"container": "python:3.11-slim"}}
    (folder / "app").mkdir(parents=True, exist_ok=True)
    (folder / "app" / "main.py").write_text(text)
    (folder / "manifest.json").write_text(json.dumps(about))
    block, errors, _ = read_block(folder / "manifest.json")
    assert block, errors
    return registry.push_block(block, "ann", activates=activates).publication.content.sha256


def push_daily(registry: Registry, work: Path, app: str = "count") -> None:
    work.mkdir(exist_ok=True)
    (work / "daily.json").write_text(json.dumps({"id": "daily", "partitioner": "rows@1", "app": app}))
    made = work / "made"
    made.mkdir(exist_ok=True)
    push_template(registry, checked_template(work / "daily.json", made), "ann")


def test_a_pushed_app_comes_back_byte_for_byte(registry: Registry, place: Place, tmp_path: Path) -> None:
    sha256 = push(registry, tmp_path / "count", "print(1)")
    found = registry.find(Role.APP, "count")
    assert (found.key, found.status, found.content.pushed_by) == (COUNT, "inactive", "ann")
    registry.fetch(found.content, tmp_path / "code.tar")
    assert hashlib.sha256((tmp_path / "code.tar").read_bytes()).hexdigest() == sha256
    with tarfile.open(tmp_path / "code.tar") as tar:
        script = tar.extractfile("app/main.py")
        assert script is not None
        assert script.read() == b"print(1)"
    names = {f"registry/contents/{sha256}", "registry/tags/app/count/1.0.json"}
    assert {name for name in place.names() if not name.endswith(".lock")} == names


def test_a_tag_that_is_pushed_again_moves_and_what_is_active_stays(registry: Registry, tmp_path: Path) -> None:
    first = push(registry, tmp_path / "count", "print(1)", activates=True)
    second = push(registry, tmp_path / "count", "print(2)")
    found = registry.find(Role.APP, "count@1")
    assert found.active is not None
    assert (found.content.sha256, found.active.sha256, found.status) == (second, first, "outdated")
    assert registry.activate(COUNT).status == "active"
    assert registry.deactivate(COUNT).status == "inactive"
    assert [each.status for each in registry.publications()] == ["inactive"]
    registry.fetch(found.active, tmp_path / "still there")


def test_what_a_tag_meant_before_can_be_active_again(registry: Registry, place: Place, tmp_path: Path) -> None:
    first = push(registry, tmp_path / "count", "first", activates=True)
    second = push(registry, tmp_path / "count", "second", activates=True)
    other = push(registry, tmp_path / "count", "other", version="1.1")
    push_daily(registry, tmp_path / "work")
    rolled = registry.activate(COUNT, first[:12])
    assert rolled.active is not None
    assert (rolled.active.sha256, rolled.content.sha256, rolled.status) == (first, second, "outdated")
    assert rolled.active.size == sum(map(len, registry.blocks_of(first)))
    assert registry.activate(COUNT, f"sha256:{second}").status == "active"
    for digest, told in (
        (other[:12], "is app count@1.1"),
        ("0" * 64, "is no content here"),
        (first[:7], "is no content"),
    ):
        with pytest.raises(ManifestError, match=f"app count@1.0: {digest[:12]}.*{told}"):
            registry.activate(COUNT, digest)
    daily = registry.find(None, "daily")
    assert registry.activate(Key(None, "daily"), daily.content.sha256[:8]).status == "active"
    with pytest.raises(ManifestError, match="it is no template of this id"):
        registry.activate(Key(None, "daily"), first)


def test_what_is_named_no_more_is_new_at_that_time(registry: Registry, place: Place, tmp_path: Path) -> None:
    """It may have been pushed long ago, and there must be time to go back to it."""
    first = push(registry, tmp_path / "count", "print(1)", activates=True)
    writes = WritesOf(place.store)
    watched = Registry(cast("Store", writes), f"{place.root}registry")
    push(watched, tmp_path / "count", "print(2)")
    content, record = f"{place.root}registry/contents/{first}", f"{place.root}registry/tags/{COUNT.path}"
    assert content not in writes.uris, "it is active"
    watched.activate(COUNT)
    assert writes.uris[-2:] == [content, record]


def test_contents_that_nothing_names_are_known_and_go(registry: Registry, place: Place, tmp_path: Path) -> None:
    first = push(registry, tmp_path / "count", "first", activates=True)
    push(registry, tmp_path / "count", "second")
    assert list(registry.unnamed()) == []  # One is active, the tag means the other.
    registry.activate(COUNT)
    push_daily(registry, tmp_path / "work")
    place.store.put(f"{place.root}registry/contents/notes.txt", b"of somebody's own")
    (old,) = registry.unnamed()
    assert old.uri.endswith(first)
    assert old.modified is not None
    registry.activate(COUNT, first)
    assert list(registry.unnamed()) == []
    registry.activate(COUNT)
    (old,) = registry.unnamed()
    # It was written again since it was looked at.
    assert not registry.drop(replace(old, modified=(old.modified or 0.0) - 5))
    assert registry.drop(old)
    assert not registry.drop(old)
    assert list(registry.unnamed()) == []
    with pytest.raises(ObjectNotFoundError):
        list(registry.blocks_of(first))
    place.store.put(f"{place.root}registry/tags/app/count/1.0.json", b"no record")
    with pytest.raises(IntegrityError, match=r"record of app count@1\.0"):
        list(registry.unnamed())


def test_a_tag_means_the_highest_version(registry: Registry, tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "2.0"):
        push(registry, tmp_path / "count", version=version)
    assert registry.find(Role.APP, "count@1").key.version == "1.10"
    assert registry.find(Role.APP, "count").key.version == "2.0"
    with pytest.raises(ManifestError, match=r"No app 'count@3' is published. .*: 1\.10, 1\.9, 2\.0"):
        registry.find(Role.APP, "count@3")
    with pytest.raises(ObjectNotFoundError, match=r"app count@3\.0 is not published"):
        registry.activate(Key(Role.APP, "count", "3.0"))


@STRICT
def test_of_pushes_at_once_each_knows_what_it_replaced(registry: Registry, place: Place, tmp_path: Path) -> None:
    """The pushes make one chain, from nothing to what the tag means in the end: none is lost, none told twice."""
    count = 6
    gate = Barrier(count)
    blocks = []
    for number in range(count):
        app = write_app(tmp_path / str(number), f"print({number})", name="count").app
        blocks.append(app)

    def pushed(number: int) -> tuple[str | None, str]:
        own = Registry(place.store, f"{place.root}registry")
        gate.wait()
        done = own.push_block(blocks[number], f"user {number}", activates=number % 2 == 0)
        return done.before.sha256 if done.before else None, done.publication.content.sha256

    with ThreadPoolExecutor(count) as pool:
        moves = dict(pool.map(pushed, range(count)))
    assert len(moves) == count
    at: str | None = None
    for _ in range(count):
        at = moves[at]
    assert at == registry.find(Role.APP, "count").content.sha256


@pytest.mark.parametrize("writes", [0, 1])
def test_an_interrupted_push_changes_nothing_that_a_reader_sees(
    registry: Registry, place: Place, tmp_path: Path, writes: int
) -> None:
    before = push(registry, tmp_path / "count", "print(1)", activates=True)
    dying = Registry(cast("Store", DyingStore(place.store, writes)), f"{place.root}registry")
    with pytest.raises(Interrupted):
        push(dying, tmp_path / "count", "print(2)")
    with pytest.raises(Interrupted):
        push(dying, tmp_path / "count", "print(3)", version="1.1")
    assert [each.content.sha256 for each in registry.publications()] == [before]


def test_what_somebody_damaged_is_noticed_and_the_next_push_mends_it(
    registry: Registry, place: Place, tmp_path: Path
) -> None:
    sha256 = push(registry, tmp_path / "count", activates=True)
    content = registry.find(Role.APP, "count").content
    for data in (b"other", b"x" * content.size):
        place.store.put(f"{place.root}registry/contents/{sha256}", data)
        with pytest.raises(IntegrityError, match=sha256):
            registry.fetch(content, tmp_path / "code.tar")
    place.store.put(f"{place.root}registry/tags/{COUNT.path}", b'{"content": 1}')
    assert registry.publications() == []
    push(registry, tmp_path / "count")
    registry.fetch(registry.find(Role.APP, "count").content, tmp_path / "code.tar")


def test_workers_find_in_the_workspace_what_jobs_run(
    registry: Registry, mirror: Mirror, place: Place, tmp_path: Path
) -> None:
    first = push(registry, tmp_path / "count", "print(1)", activates=True)
    push_daily(registry, tmp_path / "templates")
    built_in = read_catalog(()).blocks
    sync(registry, mirror, tmp_path / "units", built_in)
    old = mirror.current()
    assert old is not None
    push(registry, tmp_path / "count", "print(2)", activates=True, version="1.1")
    sync(registry, mirror, tmp_path / "units", built_in)
    new = mirror.current()
    assert new not in (None, old)
    for name in place.names("registry/"):
        place.store.delete(place.root + name)  # A worker has the workspace alone.
    for version, script in ((old, "print(1)"), (str(new), "print(2)")):
        unit = read_index(mirror.index(version), version)["daily"]
        folder = tmp_path / "worker" / unit.digest
        make_unit(folder, unit, mirror.fetch)
        template = read_unit(folder, "daily").template("daily")
        assert (template.app.code / "main.py").read_text() == script
        assert template.blocks[Role.PARTITIONER].name == "rows"
    assert read_index(mirror.index(old), old)["daily"].blocks == {"app": first}


def test_one_template_that_cannot_be_brought_hides_no_other(
    registry: Registry, mirror: Mirror, place: Place, tmp_path: Path
) -> None:
    push(registry, tmp_path / "count", activates=True)
    push_daily(registry, tmp_path / "templates")
    lost = push(registry, tmp_path / "lost", "print(9)", version="2.0", activates=True)
    registry.deactivate(Key(Role.APP, "count", "2.0"))
    work = tmp_path / "others"
    for name, app in (("missing", "nothing"), ("gone", "count@2"), ("off", "count@1")):
        (work / name).mkdir(parents=True)
        (work / name / "t.json").write_text(json.dumps({"id": name, "app": app}))
        push_template(registry, checked_template(work / name / "t.json", work / name), "ann")
    registry.deactivate(Key(None, "off"))
    index = sync(registry, mirror, tmp_path / "units", read_catalog(()).blocks, taken=["elsewhere"])
    assert index["daily"].reasons == ()
    assert index["missing"].reasons[0].startswith("No active app is 'nothing'.")
    assert "Active of that name: 1.0." in index["gone"].reasons[0]
    assert "deactivated" in index["off"].reasons[0]
    registry.activate(Key(Role.APP, "count", "2.0"))
    place.store.delete(f"{place.root}registry/contents/{lost}")
    index = sync(registry, mirror, tmp_path / "units", read_catalog(()).blocks)
    assert [name for name, unit in index.items() if not unit.reasons] == []  # All take the highest, but `off`.
    registry.deactivate(Key(Role.APP, "count", "2.0"))
    assert sync(registry, mirror, tmp_path / "units", read_catalog(()).blocks)["daily"].reasons == ()
    assert "daily" not in sync(registry, mirror, tmp_path / "units", read_catalog(()).blocks, taken=["daily"])


def test_what_others_put_into_the_workspace_is_not_taken(
    registry: Registry, mirror: Mirror, place: Place, tmp_path: Path
) -> None:
    sha256 = push(registry, tmp_path / "count", activates=True)
    push_daily(registry, tmp_path / "templates")
    index = sync(registry, mirror, tmp_path / "units", read_catalog(()).blocks)
    version = mirror.current()
    assert version is not None
    other = push(registry, tmp_path / "count", "evil", version="9.9")
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w"):
        pass
    for data in (packed.getvalue(), place.store.read(f"{place.root}registry/contents/{other}")):
        place.store.put(f"{place.root}workspace/_published/contents/{sha256}", data)
        with pytest.raises(IntegrityError, match=sha256):
            make_unit(tmp_path / "worker" / "unit", index["daily"], mirror.fetch)
    assert list((tmp_path / "worker").iterdir()) == []
    place.store.put(f"{place.root}workspace/_published/indexes/{version}.json", b"{}")
    with pytest.raises(IntegrityError, match="another SHA-256"):
        mirror.index(version)
