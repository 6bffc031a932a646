"""One suite over every store: objects that wait until they are released, and writes on a condition."""

from __future__ import annotations

import dataclasses
import errno
import io
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from tests.support.places import BUCKET, MIB, PART_MIB, STRICT, Place
from triptych.errors import ObjectConflictError, ObjectNotFoundError
from triptych.storage import StagedObject, TransferLimits
from triptych.storage.files import FileStore
from triptych.storage.s3 import S3Store

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse


def _staged(place: Place, name: str, data: bytes, number: int = 0) -> StagedObject:
    with place.store.stage(place.root + name, f"{place.root}_triptych/t-{number}") as out:
        for start in range(0, len(data), 3 * MIB):
            out.write(data[start : start + 3 * MIB])
    return out.staged


def _seen(place: Place) -> list[str]:
    """What a reader sees: all but what lies aside."""
    return [name for name in place.names() if not name.startswith("_triptych/")]


@pytest.mark.parametrize("size", [0, 10, 6 * MIB])
def test_what_is_staged_is_seen_when_it_is_released(place: Place, size: int) -> None:
    data = random.Random(size).randbytes(size)
    staged = _staged(place, "deep/a%20b", data)
    assert _seen(place) == []
    assert staged.size == size
    place.store.release(dataclasses.replace(staged), None)  # Of what it says, nothing is in this process alone.
    assert _seen(place) == ["deep/a%20b"]
    assert place.store.read(staged.uri) == data
    if staged.etag is not None:
        assert place.store.stat(staged.uri).etag == staged.etag
    place.store.discard(staged)
    assert place.names() == ["deep/a%20b"]


def test_an_exception_while_staging_leaves_nothing(place: Place) -> None:
    def fail() -> None:
        with place.store.stage(place.root + "a", f"{place.root}_triptych/t-0") as out:
            out.write(bytes(6 * MIB))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert place.names() == []
    assert place.left(place.root + "a") == []


def test_what_is_discarded_is_gone(place: Place) -> None:
    staged = _staged(place, "a", bytes(6 * MIB))
    place.store.discard(staged)
    place.store.discard(staged)
    assert place.names() == []
    if place.store.discards:
        assert list(place.store.waiting(staged.uri)) == []
        return
    (left,) = place.store.waiting(staged.uri)
    assert left.handle == staged.handle
    place.store.release(_staged(place, "a", bytes(6 * MIB)), None)
    assert list(place.store.waiting(staged.uri)) == []


@STRICT  # moto began all of them in 2010.
def test_an_upload_that_waits_says_when_it_was_begun(place: Place) -> None:
    before = time.time()
    staged = _staged(place, "a", bytes(6 * MIB))
    found = place.left(place.root)
    assert len(found) == (place.store.uploads_wait and place.store.discards)
    for waiting in found:
        assert waiting.begun is not None
        assert before - 1 <= waiting.begun <= time.time() + 1
    place.store.discard(staged)


def test_an_upload_that_waits_is_found_by_its_name_alone(place: Place) -> None:
    staged = [_staged(place, name, bytes(6 * MIB), number) for number, name in enumerate(("a", "a", "ab", "b/a"))]
    found = place.store.waiting(place.root + "a")
    if not place.store.uploads_wait:
        assert list(found) == []
        assert sorted(place.names()) == [f"_triptych/t-{number}" for number in range(4)]
        return
    assert {each.handle for each in found} == {each.handle for each in staged[:2]}
    for each in found:
        place.store.discard(each)
    assert place.left(place.root + "a") == []
    assert len(place.store.waiting(place.root + "ab")) == 1
    place.store.discard(staged[2])
    place.store.discard(staged[3])


@pytest.fixture(params=["staged", "put"])
def writes(request: pytest.FixtureRequest, place: Place) -> Callable[[str, bytes, str | None], None]:
    """The two ways to write on a condition: name, bytes, etag of what is replaced."""

    def release(name: str, data: bytes, replaces: str | None) -> None:
        staged = _staged(place, name, data)
        try:
            place.store.release(staged, replaces)
        finally:
            place.store.discard(staged)

    def put(name: str, data: bytes, replaces: str | None) -> None:
        place.store.put_replacing(place.root + name, data, replaces)

    return release if request.param == "staged" else put


Write = Callable[[str, bytes, str | None], None]


def test_a_free_name_is_taken_once(place: Place, writes: Write) -> None:
    writes("a", b"first", None)
    with pytest.raises(ObjectConflictError, match="a: "):
        writes("a", b"second", None)
    assert place.store.read(place.root + "a") == b"first"


@STRICT
def test_of_8_racers_for_a_free_name_one_gets_it(place: Place) -> None:
    # By put: SeaweedFS completed 4 of 8 uploads to one key at once, each with `If-None-Match: *`.
    barrier = Barrier(8)

    def race(number: int) -> bool:
        barrier.wait()
        try:
            place.store.put_replacing(place.root + "a", b"%d" % number, None)
        except ObjectConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(race, range(8)))
    assert won.count(True) == 1
    assert place.store.read(place.root + "a") == b"%d" % won.index(True)
    assert place.names() == ["a"]


def test_the_version_that_was_expected_is_replaced(place: Place, writes: Write) -> None:
    place.store.put(place.root + "a", b"old")
    writes("a", b"newer", place.store.stat(place.root + "a").etag)
    assert place.store.read(place.root + "a") == b"newer"


@STRICT
def test_a_version_that_was_not_expected_stays(place: Place, writes: Write) -> None:
    place.store.put(place.root + "a", b"old")
    before = place.store.stat(place.root + "a").etag
    place.store.put(place.root + "a", b"theirs")
    with pytest.raises(ObjectConflictError):
        writes("a", b"ours", before)
    with pytest.raises(ObjectConflictError):
        writes("gone", b"ours", before)
    assert place.store.read(place.root + "a") == b"theirs"
    assert _seen(place) == ["a"]


@STRICT
def test_what_waits_no_more_cannot_be_released(place: Place) -> None:
    staged = _staged(place, "a", bytes(6 * MIB))
    place.store.discard(staged)
    if not place.store.discards:
        place.store.release(_staged(place, "a", bytes(6 * MIB), 1), None)
        place.store.delete(place.root + "a")
    with pytest.raises(ObjectNotFoundError):
        place.store.release(staged, None)
    assert place.names() == []


@pytest.mark.parametrize("size", [0, 10, 6 * MIB])
def test_a_copy_is_staged_without_being_read(place: Place, size: int) -> None:
    data = random.Random(size).randbytes(size)
    source = place.root + "from%20here"
    place.store.put(source, data)
    with mock.patch.object(type(place.store), "stream", side_effect=AssertionError):
        staged = place.store.stage_copy(source, size, place.root + "to", f"{place.root}_triptych/t-0")
        assert _seen(place) == ["from%20here"]
        place.store.release(staged, None)
    assert place.store.read(place.root + "to") == data
    place.store.discard(staged)


@pytest.mark.parametrize("s3", ["s3_moto", "s3_seaweed"])
def test_a_large_object_is_copied_in_parts(request: pytest.FixtureRequest, s3: str) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    client = S3Hook(aws_conn_id=request.getfixturevalue(s3)).get_conn()
    store = S3Store(client, TransferLimits(PART_MIB * MIB, 20 * MIB), copy_bytes=PART_MIB * MIB)
    data = random.Random(12).randbytes(12 * MIB)
    store.put(f"{BUCKET}/copies/from-{s3}", data)
    asked: list[str] = []
    client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    staged = store.stage_copy(f"{BUCKET}/copies/from-{s3}", len(data), f"{BUCKET}/copies/to-{s3}", "")
    assert asked == ["CreateMultipartUpload", *2 * ["UploadPartCopy"]]
    store.release(staged, None)
    assert store.read(staged.uri) == data


def test_a_copy_of_what_is_not_there_leaves_nothing(place: Place) -> None:
    with pytest.raises(ObjectNotFoundError):
        place.store.stage_copy(place.root + "none", 10, place.root + "to", f"{place.root}_triptych/t-0")
    assert place.names() == []
    assert list(place.store.waiting(place.root + "to")) == []


def test_only_the_version_that_is_named_is_deleted(place: Place) -> None:
    place.store.put(place.root + "a", b"old")
    before = place.store.stat(place.root + "a").etag
    place.store.put(place.root + "a", b"theirs")
    place.store.delete_version(place.root + "a", before)
    assert place.store.read(place.root + "a") == b"theirs"
    place.store.delete_version(place.root + "a", place.store.stat(place.root + "a").etag)
    place.store.delete_version(place.root + "a", before)
    assert place.names() == []


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system at /dev/shm")
def test_a_release_to_another_file_system_is_whole_and_conditional(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        store = FileStore([tmp_path, Path(folder)])
        there = f"{Path(folder).as_uri()}/a"
        for data in (b"first", b"second"):
            with store.stage(there, f"{tmp_path.as_uri()}/aside") as out:
                out.write(data)
            if data == b"second":
                with pytest.raises(ObjectConflictError):
                    store.release(out.staged, None)
            store.release(out.staged, store.stat(there).etag if data == b"second" else None)
            assert Path(folder, "a").read_bytes() == data
        assert list(tmp_path.iterdir()) == []
        assert [path.name for path in Path(folder).iterdir()] == ["a"]


def test_a_file_system_without_links_is_released_to_all_the_same(tmp_path: Path) -> None:
    store = FileStore([tmp_path])
    with mock.patch.object(Path, "hardlink_to", side_effect=PermissionError(errno.EPERM, "no links here")):
        for data, expected in ((b"first", b"first"), (b"second", b"first")):
            with store.stage(f"{tmp_path.as_uri()}/a", f"{tmp_path.as_uri()}/aside") as out:
                out.write(data)
            with suppress(ObjectConflictError):
                store.release(out.staged, None)
            assert (tmp_path / "a").read_bytes() == expected
            store.discard(out.staged)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


def test_a_server_without_conditions_is_written_to_all_the_same(s3_moto: str) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.awsrequest import AWSResponse

    client = S3Hook(aws_conn_id=s3_moto).get_conn()
    store = S3Store(client, TransferLimits(PART_MIB * MIB, 20 * MIB))
    refused: list[str] = []

    def refuse(request: AWSPreparedRequest, **_: str) -> AWSResponse | None:
        if not {"If-None-Match", "If-Match"} & set(request.headers):
            return None
        refused.append(request.method)
        body = b"<Error><Code>NotImplemented</Code><Message>A header implies functionality...</Message></Error>"
        return AWSResponse(request.url, 501, {}, _Body(body))

    client.meta.events.register("before-send.s3", refuse)
    store.put_replacing(f"{BUCKET}/without", b"first", None)
    store.put_replacing(f"{BUCKET}/without", b"second", store.stat(f"{BUCKET}/without").etag)
    assert store.read(f"{BUCKET}/without") == b"second"
    assert refused == ["PUT", "PUT"]
