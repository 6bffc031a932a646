"""What becomes of uploads that an output waits as: of dead attempts, and where answers to requests are lost."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest

from tests.support.google_rules import GoogleRules
from tests.support.losing_proxy import Loss, losing_proxy
from tests.support.mortal import Killed, mortal
from tests.support.places import BUCKET, GCS_BUCKET, PART_MIB, Place
from tests.support.published import FILES, LARGE, MORE, Run, assert_whole, seen
from tests.support.servers import Server, s3_connection
from triptych.errors import StorageError
from triptych.settings import read_settings
from triptych.storage import StagedObject, Store, Stores


@pytest.fixture
def s3_run(s3_seaweed: str, tmp_path: Path) -> Run:
    store = Stores(read_settings({"part_mib": str(PART_MIB)})).open(BUCKET, s3_seaweed)
    return Run(Place(store, f"{BUCKET}/{tmp_path.name}/"))


def test_uploads_of_dead_attempts_are_aborted_and_no_others(s3_run: Run) -> None:
    """Four of them stayed for ever, once."""
    place = s3_run.place
    uri = f"{place.root}out/deep/er/b%20c.bin"
    theirs = [_begun(place, uri), _begun(place, f"{uri}.more")]
    for _ in range(4):
        with mortal(type(place.store), -1) as life, suppress(Killed):
            s3_run.attempt(before_end=lambda: setattr(life, "is_over", True))
    assert len(place.store.waiting(uri)) == 5
    s3_run.attempt()
    assert [each.handle for each in place.store.waiting(uri)] == [theirs[0].handle]
    assert [each.handle for each in place.store.waiting(f"{uri}.more")] == [theirs[1].handle]
    assert place.names("work/upper/manual/staging/") == []
    for each in theirs:
        place.store.discard(each)


def _begun(place: Place, uri: str) -> StagedObject:
    with place.store.stage(uri, f"{place.root}aside") as out:
        out.write(b"theirs")
    return out.staged


def test_a_clean_up_goes_on_after_an_error_and_decides_nothing(s3_run: Run, caplog: pytest.LogCaptureFixture) -> None:
    place = s3_run.place
    files = {f"{number}.bin": LARGE for number in range(3)}
    with mortal(type(place.store), -1) as life, suppress(Killed):
        s3_run.attempt(files, before_end=lambda: setattr(life, "is_over", True))
    refused = place.store.waiting(f"{place.root}out/0.bin")
    discard = type(place.store).discard

    def fail(self: Store, staged: StagedObject) -> None:
        if staged.handle in {each.handle for each in refused}:
            raise StorageError("503")
        discard(self, staged)

    with mock.patch.object(type(place.store), "discard", fail):
        assert s3_run.attempt(files) == "made"
    assert seen(place) == files
    assert "could not be removed: 503" in caplog.text
    assert place.store.waiting(f"{place.root}out/0.bin") == refused
    assert [place.store.waiting(f"{place.root}out/{number}.bin") for number in (1, 2)] == [[], []]
    assert s3_run.attempt(files) == "kept"  # The record has stayed, so that the next one knows.
    assert_whole(s3_run, files)


def _writes(asked: str) -> bool:
    return asked.startswith(("PUT", "POST", "DELETE"))


def _made_twice(losing: Store, there: Store, root: str) -> None:
    """Make an output, and more of it, by a store that loses answers; all of it is `there`, as one sees who does not."""
    run, more = Run(Place(losing, root)), {**FILES, "new": LARGE[::-1], "a.txt": b"more"}
    assert run.attempt() == "made"
    assert run.attempt(more, MORE) == "made"
    assert_whole(dataclasses.replace(run, place=Place(there, root)), more)


@pytest.mark.parametrize("loss", ["reset", "500"])
def test_every_answer_may_be_lost_once(
    s3_seaweed: str, store: Server, loss: Loss, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The client asks again by itself, and meets what it has done."""
    there = Stores(read_settings({})).open(BUCKET, s3_seaweed)
    with losing_proxy(store.endpoint, _writes, loss) as proxy:
        monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_ALL_LOST", s3_connection(proxy.endpoint, attempts=3))
        losing = Stores(read_settings({"part_mib": str(PART_MIB)})).open(BUCKET, "triptych_all_lost")
        _made_twice(losing, there, f"{BUCKET}/{tmp_path.name}/")
    assert {asked.partition(" ")[0] for asked in proxy.lost} == {"PUT", "POST", "DELETE"}
    assert [asked for asked in proxy.lost if "POST" in asked and "uploadId=" in asked]


@pytest.mark.parametrize(("loss", "has_parts"), [("reset", True), ("500", True), ("reset", False)])
def test_every_answer_of_googles_may_be_lost_once(
    gcs: str, gcs_rules: GoogleRules, loss: Loss, has_parts: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The client asks again, for a part or for a session's next bytes, which go on from what is kept."""
    monkeypatch.setattr(gcs_rules, "has_parts", has_parts)
    there = Stores(read_settings({})).open(GCS_BUCKET, gcs)
    with losing_proxy(gcs_rules.endpoint, _writes, loss) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.endpoint)
        losing = Stores(read_settings({"part_mib": str(PART_MIB)})).open(GCS_BUCKET, gcs)
        _made_twice(losing, there, f"{GCS_BUCKET}/{tmp_path.name}/")
    assert {asked.partition(" ")[0] for asked in proxy.lost} == {"PUT", "POST", "DELETE"}
    assert [asked for asked in proxy.lost if "/rewriteTo/" in asked]
    assert [asked for asked in proxy.lost if ("uploadId=" if has_parts else "upload_id=") in asked]
