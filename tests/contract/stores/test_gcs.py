"""What is Google Cloud Storage's alone: sessions, conditions on rewrites, checksums, credentials."""

from __future__ import annotations

import gzip
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.support.google_rules import GoogleRules
from tests.support.places import GCS_BUCKET, MIB, PART_MIB
from tests.support.servers import fake_gcs_server
from triptych.connections import gcs_client
from triptych.errors import ObjectNotFoundError, SourceError, StorageError
from triptych.settings import read_settings
from triptych.storage import Store, Stores

DATA = random.Random(14).randbytes(12 * MIB)
SETTINGS = read_settings({"part_mib": str(PART_MIB)})


@pytest.fixture
def store(gcs: str) -> Store:
    return Stores(SETTINGS).open(GCS_BUCKET, gcs)


@pytest.fixture
def root(tmp_path: Path) -> str:
    return f"{GCS_BUCKET}/{tmp_path.name}/"


@pytest.fixture
def asked(gcs_rules: GoogleRules) -> list[str]:
    """What is asked of the server from here on."""
    gcs_rules.asked.clear()
    gcs_rules.sessions.clear()
    gcs_rules.uploads.clear()
    return gcs_rules.asked


@pytest.fixture
def in_order(gcs_rules: GoogleRules, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without uploads in parts."""
    monkeypatch.setattr(gcs_rules, "has_parts", False)


def _fail_after(store: Store, uri: str, data: bytes) -> None:
    with store.writer(uri) as out:
        out.write(data)
        raise ZeroDivisionError


def test_of_64_racers_one_creates(store: Store, root: str) -> None:
    barrier = Barrier(64)

    def race(number: int) -> bool:
        barrier.wait()
        return store.put_if_absent(f"{root}1.json", b"%d" % number)

    with ThreadPoolExecutor(64) as pool:
        created = list(pool.map(race, range(64)))
    assert created.count(True) == 1
    assert store.read(f"{root}1.json") == b"%d" % created.index(True)


@pytest.mark.usefixtures("in_order")
def test_an_upload_that_fails_leaves_no_session(
    store: Store, root: str, gcs_rules: GoogleRules, asked: list[str]
) -> None:
    with pytest.raises(ZeroDivisionError):
        _fail_after(store, f"{root}half", DATA)
    (session,) = gcs_rules.sessions.values()
    assert session.is_cancelled
    assert list(store.list(root)) == []
    assert asked[-2].startswith("DELETE ")


def test_a_small_object_is_one_request(store: Store, root: str, asked: list[str]) -> None:
    store.put(f"{root}small", bytes(PART_MIB * MIB))
    assert [each.partition(" ")[0] for each in asked] == ["POST"]


@pytest.mark.usefixtures("in_order")
def test_a_large_object_is_a_request_per_part(store: Store, root: str, asked: list[str]) -> None:
    store.put(f"{root}large", DATA)
    assert [each.partition(" ")[0] for each in asked] == ["POST", "POST", "PUT", "PUT", "PUT"]
    assert store.read(f"{root}large") == DATA


@pytest.mark.usefixtures("in_order")
def test_a_part_of_which_the_server_keeps_a_beginning_is_gone_on_from(
    store: Store, root: str, gcs_rules: GoogleRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs_rules, "keeps", 1 << 20)
    store.put(f"{root}slowly", DATA)
    assert store.read(f"{root}slowly") == DATA


@pytest.mark.usefixtures("in_order")
def test_an_upload_that_the_server_dropped_can_be_begun_again(
    store: Store, root: str, gcs_rules: GoogleRules, asked: list[str]
) -> None:
    def write() -> None:
        with store.writer(f"{root}dropped") as out:
            out.write(DATA)
            gcs_rules.sessions.clear()
            out.write(DATA)

    with pytest.raises(StorageError, match="dropped this upload") as caught:
        write()
    assert caught.value.retryable
    assert "upload_id" not in str(caught.value)
    assert list(store.list(root)) == []


@pytest.mark.usefixtures("in_order")
def test_bytes_that_were_spoiled_on_their_way_are_not_seen(
    store: Store, root: str, gcs_rules: GoogleRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcs_rules, "spoils", True)
    with pytest.raises(StorageError, match=r"upload_id=\*\*\*.*crc32c=") as caught:
        store.put(f"{root}spoiled", DATA)
    assert not set(gcs_rules.sessions) & set(re.findall("[0-9a-f]{32}", str(caught.value)))
    assert list(store.list(root)) == []
    # By a server that does not compare.
    monkeypatch.setattr(gcs_rules, "compares", False)
    with pytest.raises(StorageError, match="other bytes than were written"):
        store.put(f"{root}spoiled", DATA)
    assert list(store.list(root)) == []


def test_the_server_copies_by_itself_and_goes_on_until_it_is_done(store: Store, root: str, asked: list[str]) -> None:
    store.put(f"{root}from", DATA)
    asked.clear()
    staged = store.stage_copy(f"{root}from", len(DATA), f"{root}to", f"{root}aside")
    assert ["/rewriteTo/" in each for each in asked] == [True, True]
    assert ["rewriteToken=" in each for each in asked] == [False, True]
    store.release(staged, None)
    assert store.read(f"{root}to") == DATA


def test_a_release_is_a_rewrite(store: Store, root: str, asked: list[str]) -> None:
    with store.stage(f"{root}a", f"{root}aside") as out:
        out.write(DATA)
    asked.clear()
    etag = store.release(out.staged, None)
    assert [each.partition(" ")[0] for each in asked] == ["POST", "POST", "DELETE"]
    assert all("ifGenerationMatch=0" in each for each in asked[:2])
    assert [(info.uri, info.etag) for info in store.list(root)] == [(f"{root}a", etag)]


def test_one_request_tells_whether_a_bucket_can_be_written_to(store: Store, asked: list[str]) -> None:
    store.check_writable(f"{GCS_BUCKET}/out/")
    assert [each.partition(" ")[0] for each in asked] == ["POST"]
    for prefix in ("gs://no-such-bucket/out/", "gs://-/out/"):
        with pytest.raises(ObjectNotFoundError, match="no such"):
            store.check_writable(prefix)


@pytest.mark.parametrize("uri", ["gs://tests/", "gs://tests", "gs:///a"])
def test_a_uri_without_a_name_is_no_object(store: Store, uri: str) -> None:
    for ask in (store.stat, store.read, lambda uri: store.put(uri, b"x")):
        with pytest.raises(ObjectNotFoundError, match="gs://BUCKET/NAME"):
            ask(uri)


def test_a_packed_object_comes_as_it_is_stored(store: Store, gcs: str, root: str) -> None:
    packed = gzip.compress(b"text " * 1000)
    blob = gcs_client(gcs).bucket("tests").blob(f"{root.removeprefix(GCS_BUCKET + '/')}page")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)
    info = store.stat(f"{root}page")
    assert info.size == len(packed)
    assert store.read(info.uri) == packed
    assert store.read_range(info.uri, 2, 7, info.etag) == packed[2:9]


def test_the_plain_server_serves_a_job_too(gcs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As who tries the store on fake-gcs-server has it."""
    with fake_gcs_server(tmp_path) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.endpoint)
        store = Stores(SETTINGS).open(GCS_BUCKET, gcs)
        with store.stage(f"{GCS_BUCKET}/a%20b", f"{GCS_BUCKET}/aside") as out:
            out.write(DATA)
        store.release(out.staged, None)
        assert store.put_if_absent(f"{GCS_BUCKET}/1", b"") is not store.put_if_absent(f"{GCS_BUCKET}/1", b"")
        info = store.stat(f"{GCS_BUCKET}/a%20b")
        store.put(info.uri, DATA[::-1])
        with pytest.raises(SourceError, match="changed"):
            store.read_range(info.uri, 0, 5, info.etag)
        assert store.read(info.uri) == DATA[::-1]
