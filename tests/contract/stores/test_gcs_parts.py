"""Google's uploads in parts at once, to a double of the XML API that Google's own `transfer_manager` takes for it."""

from __future__ import annotations

import random
from pathlib import Path
from threading import Barrier

import pytest

from tests.support.google_rules import GoogleRules
from tests.support.losing_proxy import losing_proxy
from tests.support.places import GCS_BUCKET, MIB, PART_MIB
from triptych.connections import gcs_client
from triptych.errors import ObjectNotFoundError, StorageError
from triptych.settings import read_settings
from triptych.storage import Store, Stores

DATA = random.Random(15).randbytes(12 * MIB)
SETTINGS = read_settings({"part_mib": str(PART_MIB)})


@pytest.fixture
def store(gcs: str) -> Store:
    return Stores(SETTINGS).open(GCS_BUCKET, gcs)


@pytest.fixture
def rules(gcs_rules: GoogleRules) -> GoogleRules:
    gcs_rules.asked.clear()
    gcs_rules.uploads.clear()
    return gcs_rules


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"{GCS_BUCKET}/{tmp_path.name}/a%20b%23%C3%BC"


def test_the_double_serves_googles_own_client(gcs: str, rules: GoogleRules, tmp_path: Path) -> None:
    from google.cloud.storage import transfer_manager

    (tmp_path / "file").write_bytes(DATA)
    blob = gcs_client(gcs).bucket("tests").blob(f"{tmp_path.name}/vendor")
    transfer_manager.upload_chunks_concurrently(
        str(tmp_path / "file"), blob, chunk_size=PART_MIB * MIB, worker_type=transfer_manager.THREAD
    )
    assert blob.download_as_bytes() == DATA
    assert len(rules.uploads) == 1


def test_parts_are_sent_at_once(store: Store, rules: GoogleRules, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = Barrier(3)  # Each of the three parts waits for the others.
    monkeypatch.setattr(rules, "stored", lambda: barrier.wait(60))
    store.put(uri, DATA)
    assert [each.partition(" ")[0] for each in rules.asked] == ["POST", "PUT", "PUT", "PUT", "POST"]
    assert store.read(uri) == DATA


def test_an_upload_that_fails_leaves_nothing(store: Store, rules: GoogleRules, uri: str) -> None:
    def fail() -> None:
        with store.writer(uri) as out:
            out.write(DATA)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    (upload,) = rules.uploads.values()
    assert not upload.is_open
    with pytest.raises(ObjectNotFoundError):
        store.stat(uri)


def test_bytes_that_were_spoiled_on_their_way_are_not_seen(
    store: Store, rules: GoogleRules, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "spoils", True)
    with pytest.raises(StorageError, match=r"uploadId=\*\*\*"):
        store.put(uri, DATA)
    monkeypatch.setattr(rules, "compares", False)
    with pytest.raises(StorageError, match="other bytes than were written"):
        store.put(uri, DATA)
    with pytest.raises(ObjectNotFoundError):
        store.stat(uri)
    assert not any(upload.is_open for upload in rules.uploads.values())


@pytest.mark.parametrize("loss", ["reset", "500"])
def test_answers_that_were_lost_are_asked_for_again(
    gcs: str, rules: GoogleRules, uri: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer to each part, and to the completion, which the server then does not know any more."""
    with losing_proxy(rules.endpoint, lambda asked: "uploadId=" in asked, loss) as proxy:  # type: ignore[arg-type]  # A word of its own.
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.endpoint)
        store = Stores(SETTINGS).open(GCS_BUCKET, gcs)
        store.put(uri, DATA)
        assert len(proxy.lost) >= 4
    assert store_of(gcs, rules, monkeypatch).read(uri) == DATA


def store_of(conn_id: str, rules: GoogleRules, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", rules.endpoint)
    return Stores(SETTINGS).open(GCS_BUCKET, conn_id)


def test_uploads_of_the_dead_are_found_and_ended(store: Store, rules: GoogleRules, uri: str) -> None:
    folder = uri.rpartition("/")[0] + "/"
    writer = store.writer(uri)
    writer.__enter__().write(DATA)  # And nothing more, ever.
    (found,) = store.waiting(uri)
    assert found.begun == 1795694400.0
    assert store.waiting(folder) == [found]
    assert store.waiting(uri[:-1]) == []
    assert store.waiting(f"{folder}other/") == []
    store.discard(found)
    store.discard(found)
    assert store.waiting(folder) == []


def test_a_server_without_them_has_none_waiting(
    store: Store, rules: GoogleRules, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "has_parts", False)
    assert store.waiting(uri.rpartition("/")[0] + "/") == []
