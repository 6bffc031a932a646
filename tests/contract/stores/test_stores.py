"""One suite over every store: files, S3 as two servers speak it, and Google Cloud Storage."""

from __future__ import annotations

import hashlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.support.places import BUCKET, MIB, PART_MIB, STRICT, Place
from tests.support.servers import Server, http_connection, s3_connection
from triptych.errors import ObjectNotFoundError, SourceError, StorageAccessError, StorageError
from triptych.jobs.locations import Location
from triptych.jobs.sources import resolve_sources
from triptych.settings import read_settings
from triptych.storage import BLOCK_BYTES, Store, Stores
from triptych.storage.copying import copy_stream, file_blocks
from triptych.storage.files import FileStore
from triptych.storage.schemes import FACTORIES

# (as URIs have it, as the store has it)
NAMES = [
    ("plain.txt", "plain.txt"),
    ("two%20words.csv", "two words.csv"),
    ("%D0%BE%D1%82%D1%87%D1%91%D1%82.csv", "отчёт.csv"),
    ("%E5%A0%B1%E5%91%8A.csv", "報告.csv"),
    ("a%23b.csv", "a#b.csv"),
    ("100%25.csv", "100%.csv"),
    ("a%2520b.csv", "a%20b.csv"),
    ("a%2Bb.csv", "a+b.csv"),
    ("why%3F.csv", "why?.csv"),
]


def test_an_object_comes_back_as_it_was_written(place: Place) -> None:
    data = random.Random(1).randbytes(3 * BLOCK_BYTES + 17)
    uri = place.root + "deep/er/data.bin"
    with place.store.writer(uri) as out:
        for start in range(0, len(data), 100_003):
            out.write(data[start : start + 100_003])
    assert place.store.read(uri) == data
    info = place.store.stat(uri)
    assert (info.uri, info.size) == (uri, len(data))
    assert [info] == list(place.store.list(place.root))


def test_a_listing_says_when_each_object_was_written(place: Place) -> None:
    before = time.time()
    place.store.put(place.root + "a", b"1")
    (listed,) = place.store.list(place.root)
    # Stores cut to whole seconds.
    assert listed.modified is not None
    assert before - 1 <= listed.modified <= time.time() + 1


def test_writing_again_replaces(place: Place) -> None:
    place.store.put(place.root + "a", b"first, and longer")
    place.store.put(place.root + "a", b"second")
    assert place.store.read(place.root + "a") == b"second"


def test_an_empty_object_is_an_object(source: Place) -> None:
    uri = source.put("empty", b"")
    info = source.store.stat(uri)
    assert info.size == 0
    assert source.store.read(uri) == b""
    assert source.store.read_range(uri, 0, 10) == b""
    assert source.store.read_range(uri, 0, 10, info.etag) == b""
    if source.store.lists:
        assert source.names() == ["empty"]


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 1), (0, 256), (10, 20), (255, 1), (250, 100), (256, 1), (300, 5), (7, None), (3, 0)]
)
def test_ranges_are_slices(source: Place, offset: int, length: int | None) -> None:
    data = bytes(range(256))
    uri = source.put("bytes", data)
    expected = data[offset:] if length is None else data[offset : offset + length]
    assert b"".join(source.store.stream(uri, offset, length)) == expected


def test_an_open_object_seeks(source: Place) -> None:
    data = random.Random(2).randbytes(2 * BLOCK_BYTES + 5)
    with source.store.open(source.store.stat(source.put("bytes", data))) as reader:
        reader.seek(-10, 2)
        assert reader.read() == data[-10:]
        reader.seek(BLOCK_BYTES - 3)
        assert reader.read(6) == data[BLOCK_BYTES - 3 : BLOCK_BYTES + 3]


@pytest.mark.parametrize(("encoded", "plain"), NAMES)
def test_names_survive(place: Place, encoded: str, plain: str) -> None:
    uri = place.root + encoded
    place.store.put(uri, plain.encode())
    (info,) = place.store.list(place.root)
    assert place.store.read(info.uri) == plain.encode()
    assert info == place.store.stat(info.uri)
    copied = place.store.stage_copy(uri, info.size, place.root + "copies/" + encoded, f"{place.root}_triptych/t-0")
    place.store.release(copied, None)
    assert place.store.read(place.root + "copies/" + encoded) == plain.encode()
    place.store.delete(info.uri)
    assert place.names() == [f"copies/{info.uri.removeprefix(place.root)}"]


@pytest.mark.parametrize(("encoded", "plain"), NAMES)
def test_a_file_has_the_decoded_name(tmp_path: Path, encoded: str, plain: str) -> None:
    store = Stores(read_settings({"allowed_roots": str(tmp_path)})).open("file:///any")
    store.put(f"{tmp_path.as_uri()}/{encoded}", b"x")
    assert [path.name for path in tmp_path.iterdir()] == [plain]


@pytest.mark.parametrize(("encoded", "plain"), NAMES)
def test_a_key_is_the_decoded_name(s3_moto: str, tmp_path: Path, encoded: str, plain: str) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    key = f"{tmp_path.name}/{plain}"
    Stores(read_settings({})).open(BUCKET, s3_moto).put(f"{BUCKET}/{tmp_path.name}/{encoded}", b"x")
    assert S3Hook(aws_conn_id=s3_moto).check_for_key(key, "tests")


def test_listing_is_recursive(place: Place) -> None:
    for name in ["b/2", "b/10", "a", "b-1", "c/d/e", "b%20b", "%C3%A9"]:
        place.store.put(place.root + name, b"x")
    # The order is the store's: SeaweedFS, unlike Amazon, does not list by key.
    assert sorted(place.names()) == ["%C3%A9", "a", "b%20b", "b-1", "b/10", "b/2", "c/d/e"]
    assert sorted(place.names("b")) == ["b%20b", "b-1", "b/10", "b/2"]
    assert sorted(place.names("b/")) == ["b/10", "b/2"]
    assert place.names("c/d") == ["c/d/e"]


def test_listing_nothing_is_empty(place: Place) -> None:
    assert place.names("nowhere/") == []
    assert place.names("nowhere/at/all") == []


def test_listing_more_than_a_page(s3_moto: str) -> None:
    store = Stores(read_settings({})).open(BUCKET, s3_moto)
    names = [f"{BUCKET}/many/{number:04}" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda uri: store.put(uri, b""), names))
    assert [info.uri for info in store.list(f"{BUCKET}/many/")] == names


@STRICT
def test_of_64_racers_one_creates(place: Place) -> None:
    uri = place.root + "commits/1.json"
    barrier = Barrier(64)

    def race(number: int) -> bool:
        barrier.wait()
        return place.store.put_if_absent(uri, b"%d" % number)

    with ThreadPoolExecutor(64) as pool:
        created = list(pool.map(race, range(64)))
    assert created.count(True) == 1
    assert place.store.read(uri) == b"%d" % created.index(True)
    assert place.names() == ["commits/1.json"]


def _fail_after(store: Store, uri: str, data: bytes) -> None:
    with store.writer(uri) as out:
        out.write(data)
        raise ZeroDivisionError


def test_an_exception_while_writing_leaves_nothing(place: Place) -> None:
    for size in (10, 12 * MIB):
        with pytest.raises(ZeroDivisionError):
            _fail_after(place.store, place.root + "half", bytes(size))
        assert place.names() == []


def test_an_exception_while_replacing_keeps_the_old(place: Place) -> None:
    place.store.put(place.root + "a", b"old")
    with pytest.raises(ZeroDivisionError):
        _fail_after(place.store, place.root + "a", b"new")
    assert place.store.read(place.root + "a") == b"old"


def test_a_writers_own_file_error_is_not_the_stores(place: Place, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, place.store.writer(place.root + "a"):
        (tmp_path / "mine").read_bytes()
    assert not isinstance(caught.value, StorageError)


@pytest.mark.parametrize("size", [2 * PART_MIB * MIB, 12 * MIB])
def test_parts_make_a_whole(place: Place, tmp_path: Path, size: int) -> None:
    data = random.Random(3).randbytes(size)
    source = tmp_path / "source"
    source.write_bytes(data)
    uri = place.root + "big"
    copy_stream(file_blocks(source), place.store, uri)
    digest = hashlib.sha256()
    for block in place.store.stream(uri):
        digest.update(block)
    assert digest.digest() == hashlib.sha256(data).digest()
    assert place.store.stat(uri).size == size
    around = PART_MIB * MIB - 5
    assert place.store.read_range(uri, around, 10) == data[around : around + 10]


@pytest.mark.parametrize("s3", ["s3_moto", "s3_seaweed"])
def test_an_aborted_upload_leaves_no_parts(request: pytest.FixtureRequest, s3: str) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    conn_id: str = request.getfixturevalue(s3)
    store = Stores(read_settings({"part_mib": str(PART_MIB)})).open(BUCKET, conn_id)
    with pytest.raises(ZeroDivisionError):
        _fail_after(store, f"{BUCKET}/aborted", bytes(12 * MIB))
    uploads = S3Hook(aws_conn_id=conn_id).get_conn().list_multipart_uploads(Bucket="tests").get("Uploads", [])
    assert [upload for upload in uploads if upload["Key"] == "aborted"] == []


def test_a_failed_abort_does_not_hide_the_reason(s3_moto: str) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    def fail_without_upload() -> None:
        with store.writer(f"{BUCKET}/robbed") as out:
            out.write(bytes(PART_MIB * MIB))
            client = S3Hook(aws_conn_id=s3_moto).get_conn()
            for upload in client.list_multipart_uploads(Bucket="tests")["Uploads"]:
                client.abort_multipart_upload(Bucket="tests", Key=upload["Key"], UploadId=upload["UploadId"])
            raise ZeroDivisionError

    store = Stores(read_settings({"part_mib": str(PART_MIB)})).open(BUCKET, s3_moto)
    with pytest.raises(ZeroDivisionError):
        fail_without_upload()


def test_a_changed_source_is_noticed(source: Place) -> None:
    uri = source.put("source", b"as it was")
    before = source.store.stat(uri)
    assert source.store.read_range(uri, 0, 2, before.etag) == b"as"
    source.put("source", b"different")
    with pytest.raises(SourceError, match="changed"):
        source.store.read_range(uri, 0, 2, before.etag)
    assert source.store.stat(uri).etag != before.etag


def test_a_missing_object_is_not_found(source: Place) -> None:
    uri = source.root + "not%20here"
    for ask in (
        lambda: source.store.stat(uri),
        lambda: source.store.read(uri),
    ):
        with pytest.raises(ObjectNotFoundError, match="not%20here"):
            ask()
    if source.store.lists:
        assert source.names() == []


@pytest.mark.parametrize(("encoded", "plain"), NAMES)
def test_names_are_read_as_uris_have_them(source: Place, encoded: str, plain: str) -> None:
    uri = source.put(encoded, plain.encode())
    assert source.store.read(source.store.stat(uri).uri) == plain.encode()


def test_what_a_manifest_lists_is_the_source(source: Place) -> None:
    uris = [source.put(name, name.encode()) for name in ("b", "a%20b/%C3%A9", "c")]
    text = "\r\n".join(["\ufeff# Chosen by hand.", *uris[::-1], "", f" {uris[0]} "])
    manifest = source.put("list.txt", text.encode())
    stores = Stores(read_settings({}), dict.fromkeys(FACTORIES, lambda conn_id, settings, service: source.store))
    found = resolve_sources([Location(manifest, is_manifest=True)], stores)
    assert [entry.uri for entry in found] == [*uris[::-1], uris[0]]
    assert [source.store.read(entry.uri) for entry in found[:2]] == [b"c", b"a%20b/%C3%A9"]


def test_a_folder_is_no_object(place: Place) -> None:
    place.store.put(place.root + "folder/a", b"x")
    with pytest.raises(ObjectNotFoundError):
        place.store.stat(place.root + "folder")


def test_deleting(place: Place) -> None:
    for name in ("a/1", "a/2", "ab"):
        place.store.put(place.root + name, b"x")
    place.store.delete(place.root + "a/1")
    place.store.delete(place.root + "a/1")
    assert place.names() == ["a/2", "ab"]


def test_a_missing_connection_fails(airflow_home: None) -> None:
    with pytest.raises(StorageAccessError, match="nobody_made_this"):
        Stores(read_settings({})).open(BUCKET, "nobody_made_this")


def test_a_wrong_password_is_refused(s3_seaweed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import BaseHook

    endpoint = BaseHook.get_connection(s3_seaweed).extra_dejson["endpoint_url"]
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_WRONG", s3_connection(endpoint, "not the password"))
    store = Stores(read_settings({})).open(BUCKET, "triptych_wrong")
    with pytest.raises(StorageAccessError, match="connection"):
        store.put(f"{BUCKET}/a", b"x")


def test_a_wrong_password_of_a_web_server_is_refused(
    web_server: Server, nginx_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nginx_folder / "files" / "closed" / "a").write_bytes(b"for some")
    uri = f"{web_server.endpoint}/closed/a"
    stores = Stores(read_settings({"allowed_addresses": "127.0.0.1"}))
    assert stores.open(uri, "triptych_web").read(uri) == b"for some"
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_WRONG_WEB", http_connection(web_server.endpoint, "not the password"))
    for conn_id in ("triptych_wrong_web", None):
        with pytest.raises(StorageAccessError, match="refuses these credentials, or wants some: 401"):
            stores.open(uri, conn_id).read(uri)


def test_a_missing_bucket_is_not_found(s3_moto: str) -> None:
    store = Stores(read_settings({})).open(BUCKET, s3_moto)
    with pytest.raises(ObjectNotFoundError, match="bucket"):
        store.put("s3://no-such-bucket/a", b"x")


def test_an_unknown_scheme_says_which_there_are() -> None:
    for uri in ("abfss://container/a", "ftp://host/a", "relative/path"):
        with pytest.raises(StorageAccessError, match=r"abfs://.*azure://.*file://.*gs://.*http://.*https://.*s3://"):
            Stores(read_settings({})).open(uri)


def test_a_scheme_of_ones_own_is_served(tmp_path: Path) -> None:
    mine = FileStore([tmp_path])
    stores = Stores(read_settings({}), {**FACTORIES, "mine": lambda conn_id, settings, service: mine})
    assert stores.open("mine://a") is mine


def test_a_store_is_opened_once_for_each_connection(s3_moto: str, s3_seaweed: str) -> None:
    stores = Stores(read_settings({}))
    assert stores.open(f"{BUCKET}/a", s3_moto) is stores.open("s3://other/b", s3_moto)
    assert stores.open(BUCKET, s3_moto) is not stores.open(BUCKET, s3_seaweed)
    assert stores.open("file:///a") is stores.open("file:///b", s3_moto)
