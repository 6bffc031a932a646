"""Each version of each file is in one batch, and each batch some one run's, whoever looks, whenever, and dies when."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import read_catalog
from triptych.errors import IntegrityError, StorageError
from triptych.jobs.locations import Location
from triptych.jobs.new_files import Batch, Watch
from triptych.jobs.new_files import watch as watch_module
from triptych.jobs.template_check import check_locations
from triptych.settings import Settings, read_settings
from triptych.storage import Stores

LONG_AGO = 0.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "in").mkdir()
    workspace = (tmp_path / "workspace").as_uri()
    return dataclasses.replace(read_settings({}), workspace=workspace, allowed_roots=(tmp_path,))


@pytest.fixture
def source(tmp_path: Path) -> Location:
    return Location(f"{(tmp_path / 'in').as_uri()}/*.txt")


def _put(tmp_path: Path, name: str, text: str = "x") -> None:
    (tmp_path / "in" / name).write_text(text)


def _found(watch: Watch, source: Location) -> Batch | None:
    """Of two looks, as a file on a disk takes them."""
    return watch.look(source) or watch.look(source)


def _names(batch: Batch | None) -> list[str]:
    return sorted(file.uri.rpartition("/")[2] for file in batch.files) if batch else []


def test_a_batch_has_what_no_batch_had_before(settings: Settings, source: Location, tmp_path: Path) -> None:
    watch = Watch(settings, "t")
    assert _found(watch, source) is None
    _put(tmp_path, "a.txt")
    _put(tmp_path, "not.csv")
    assert _names(_found(watch, source)) == ["a.txt"]
    assert _found(watch, source) is None
    _put(tmp_path, "b [1]*.txt")
    _put(tmp_path, "a.txt", "another version")
    assert _names(_found(Watch(settings, "t"), source)) == ["a.txt", "b%20%5B1%5D%2A.txt"]
    assert _found(watch, source) is None
    assert watch.waiting() == [0, 1]


def test_a_file_that_grows_is_not_there_yet(settings: Settings, source: Location, tmp_path: Path) -> None:
    watch = Watch(settings, "t")
    for length in range(1, 4):
        _put(tmp_path, "a.txt", "x" * length)
        assert watch.look(source) is None
    (file,) = (watch.look(source) or pytest.fail("It has come.")).files
    assert file.size == 3


def test_a_batch_that_nobody_was_told_of_waits(settings: Settings, source: Location, tmp_path: Path) -> None:
    """The triggerer ended between the batch and its event."""
    _put(tmp_path, "a.txt")
    assert _found(Watch(settings, "t"), source)
    after = Watch(settings, "t")
    assert after.waiting() == [0]
    assert _found(after, source) is None
    assert len(after.take("run 1", LONG_AGO)) == 1
    assert after.waiting() == []


def test_a_run_has_the_same_files_again_and_no_other_run_has_them(
    settings: Settings, source: Location, tmp_path: Path
) -> None:
    watch = Watch(settings, "t")
    for name in ("a.txt", "b.txt"):
        _put(tmp_path, name)
        _found(watch, source)
    first = watch.take("run 1", LONG_AGO)
    assert len(first) == 2
    assert watch.take("run 2", LONG_AGO) == []
    _put(tmp_path, "c.txt")
    _found(watch, source)
    assert [file.uri.rpartition("/")[2] for file in watch.take("run 2", LONG_AGO)] == ["c.txt"]
    assert watch.take("run 1", LONG_AGO) == first


def test_what_was_taken_before_a_run_came_to_be_is_not_read_for_it(
    settings: Settings, source: Location, tmp_path: Path
) -> None:
    """Else each run would read what all runs before it have taken, for years."""
    watch, now = Watch(settings, "t"), time.time()
    for name in ("a.txt", "b.txt"):
        _put(tmp_path, name)
        _found(watch, source)
        watch.take(f"run of {name}", now)
    (of_a, of_b) = sorted((tmp_path / "workspace" / "_watch" / "t" / "taken").iterdir())
    of_a.write_text("no record")
    os.utime(of_a, (now - 3 * 86_400, now - 3 * 86_400))
    os.utime(of_b, (now - 80_000, now - 80_000))  # By a store whose clock is late.
    assert [file.uri.rpartition("/")[2] for file in watch.take("run of b.txt", now)] == ["b.txt"]
    assert watch.take("run 3", now) == []
    with pytest.raises(IntegrityError):
        watch.take("run 3", now - 4 * 86_400)


def test_what_changed_or_went_before_its_job_is_left_to_its_next_batch(
    settings: Settings, source: Location, tmp_path: Path
) -> None:
    watch = Watch(settings, "t")
    for name in ("a.txt", "b.txt", "c.txt"):
        _put(tmp_path, name)
    _found(watch, source)
    _put(tmp_path, "a.txt", "changed")
    (tmp_path / "in" / "b.txt").unlink()
    kept = watch.still_there(watch.take("run 1", LONG_AGO), source)
    assert [each.uri.rpartition("/")[2] for each in kept] == ["c.txt"]
    assert _names(_found(watch, source)) == ["a.txt"]


@pytest.mark.parametrize("seed", range(4))
def test_whoever_looks_and_takes_at_once_nothing_is_lost_or_had_twice(
    settings: Settings, source: Location, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken in one round has long been so in the next, whose looks remove it."""
    monkeypatch.setattr(watch_module, "FEW_BATCHES", 0)
    monkeypatch.setattr(watch_module, "COMPACTED_S", -1.0)
    chance, sent = random.Random(seed), []
    taken: list[str] = []

    def looks(_: int) -> None:
        watch = Watch(settings, "t")
        for _ in range(6):
            watch.look(source)

    def takes(number: int) -> list[str]:
        watch = Watch(settings, "t")
        return [file.uri for _ in range(4) for file in watch.take(f"run {seed} {number} {chance.random()}", LONG_AGO)]

    with ThreadPoolExecutor(6) as pool:
        for start in range(5):
            for number in range(5):
                _put(tmp_path, f"{start}-{number}.txt", str(chance.random()))
                sent.append(f"{start}-{number}.txt")
            looking = [pool.submit(looks, each) for each in range(3)]
            taking = [pool.submit(takes, each) for each in range(3)]
            wait(looking)
            taken += [uri for each in taking for uri in each.result()]
            taken += [file.uri for file in Watch(settings, "t").take(f"the rest of {start}", LONG_AGO)]
            for path in (tmp_path / "workspace" / "_watch" / "t" / "taken").glob("*"):
                os.utime(path, (LONG_AGO, LONG_AGO))
    watch = Watch(settings, "t")
    _found(watch, source)
    taken += [file.uri for file in watch.take("the last", LONG_AGO)]
    assert Counter(uri.rpartition("/")[2] for uri in taken) == Counter(sent)
    assert (tmp_path / "workspace" / "_watch" / "t" / "known").is_dir()


@pytest.fixture
def old_batches(settings: Settings, source: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a watch with batches 0 to 7 of a file each, of which all but 5 are some run's, 6 since today."""
    monkeypatch.setattr(watch_module, "FEW_BATCHES", 4)
    watch, folder = Watch(settings, "t"), tmp_path / "workspace" / "_watch" / "t"
    for number in range(8):
        _put(tmp_path, f"{number}.txt")
        _found(watch, source)
    watch.take("run", LONG_AGO)
    for number in range(8):
        if number != 6:
            os.utime(folder / "taken" / f"{number}.json", (LONG_AGO, LONG_AGO))
    (folder / "taken" / "5.json").unlink()
    return folder


def _left(folder: Path, what: str) -> list[int]:
    return sorted(int(path.stem) for path in (folder / what).iterdir())


def test_batches_that_no_run_will_ask_for_again_become_what_is_known(
    settings: Settings, source: Location, tmp_path: Path, old_batches: Path
) -> None:
    before = Watch(settings, "t")
    assert before.waiting() == [5]
    assert _found(Watch(settings, "t"), source) is None
    assert [_left(old_batches, each) for each in ("batches", "taken", "known")] == [[5, 6, 7], [6, 7], [0]]
    _put(tmp_path, "8.txt")
    batch = _found(before, source)  # It has read nothing of what is gone.
    assert (batch and batch.number, _names(batch)) == (8, ["8.txt"])
    assert _found(Watch(settings, "t"), source) is None
    assert [file.uri.rpartition("/")[2] for file in before.take("the next", LONG_AGO)] == ["5.txt", "8.txt"]


@pytest.mark.parametrize("removed", range(11))
def test_a_watch_that_ends_between_two_removals_has_nothing_twice(
    settings: Settings, source: Location, old_batches: Path, removed: int
) -> None:
    stores = Stores(settings)
    store, left = stores.workspace(), iter(range(removed))
    delete = store.delete
    with pytest.MonkeyPatch.context() as monkeypatch:
        # One after the other, as many as it comes to.
        monkeypatch.setattr(watch_module, "OBJECTS_AT_ONCE", 1)
        monkeypatch.setattr(store, "delete", lambda uri: delete(uri) if next(left, None) is not None else _ends())
        monkeypatch.setattr(stores, "workspace", lambda: store)
        with suppress(StorageError):
            Watch(settings, "t", stores).look(source)
    after = Watch(settings, "t")
    assert after.waiting() == [5]
    assert _found(after, source) is None


def _ends() -> None:
    raise StorageError("The process ends here.")


def test_a_batch_that_was_removed_by_hand_is_not_waited_for(
    settings: Settings, source: Location, old_batches: Path
) -> None:
    (old_batches / "batches" / "3.json").unlink()
    batch = _found(Watch(settings, "t"), source)
    assert _names(batch) == ["3.txt"]


def test_a_folder_that_is_empty_for_once_is_not_forgotten(
    settings: Settings, source: Location, tmp_path: Path, old_batches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is not mounted; what has been away for longer than runs are kept is new."""
    (tmp_path / "in").rename(tmp_path / "away")
    (tmp_path / "in").mkdir()
    assert _found(Watch(settings, "t"), source) is None
    assert not (old_batches / "known").exists()
    for name in ("1.txt", "7.txt"):
        shutil.move(tmp_path / "away" / name, tmp_path / "in")
    _found(Watch(settings, "t"), source)
    assert _left(old_batches, "known") == [0]
    shutil.move(tmp_path / "away" / "0.txt", tmp_path / "in")
    assert _found(Watch(settings, "t"), source) is None
    # Two months on, batches enough have come for another look at what could go; 2.txt was away all the time.
    later = time.time() + 60 * 86_400
    monkeypatch.setattr(time, "time", lambda: later)
    for number in range(8, 12):
        _put(tmp_path, f"{number}.txt")
        _found(Watch(settings, "t"), source)
    Watch(settings, "t").take("later", LONG_AGO)
    for path in (old_batches / "taken").iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))
    _found(Watch(settings, "t"), source)
    assert _left(old_batches, "known") == [1]
    shutil.move(tmp_path / "away" / "2.txt", tmp_path / "in")
    assert _names(_found(Watch(settings, "t"), source)) == ["2.txt"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"schedule": "@daily", "dataSource": "s3://b/in/"}, "stands beside `schedule`"),
        ({}, "needs a `dataSource` of one place"),
        ({"dataSource": ["s3://b/in/", "s3://b/in2/"]}, "needs a `dataSource` of one place"),
        ({"dataSource": "s3://b/{{ ds }}/"}, "needs a `dataSource` of one place"),
        ({"dataSource": {"dataSourceDescriptor": "bypass"}}, "needs a `dataSource` of one place"),
        ({"dataSource": "https://example.com/in/"}, "needs a store that lists its files"),
        ({"dataSource": {"manifest": "s3://b/list.txt"}}, "needs a store that lists its files"),
        ({"dataSource": "s3://b/in/a.txt"}, "is one file"),
    ],
)
def test_what_cannot_be_watched_is_told(tmp_path: Path, template: dict[str, Any], message: str) -> None:
    write_app(tmp_path, "")
    path = tmp_path / "apps" / "tried" / "template.json"
    path.write_text(json.dumps({"onNewFiles": {}, **template}))
    catalog = read_catalog([tmp_path])
    found = [*catalog.errors, *(each for known in catalog.templates for each in check_locations(known))]
    assert [message in str(each) for each in found] == [True], found


def test_what_can_be_watched_is(tmp_path: Path) -> None:
    write_app(tmp_path, "")
    path = tmp_path / "apps" / "tried" / "template.json"
    for source in ("s3://b/in/", "file:///in/*.txt", {"uri": "gs://b/[a-c]*", "conn_id": "c"}):
        path.write_text(json.dumps({"onNewFiles": {"every_s": 5}, "dataSource": source}))
        (template,) = read_catalog([tmp_path]).templates
        assert (list(check_locations(template)), template.on_new_files) == ([], {"every_s": 5})
