"""`Output.copy` inside one store: the server, or the kernel, moves the bytes; what it lists is what was committed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from unittest import mock

import pytest

from tests.support.outputs import newest_listing
from tests.support.places import BUCKET, MIB, PART_MIB, Place
from triptych.errors import EngineError, IntegrityError, ObjectNotFoundError
from triptych.jobs.pack_log import ResultFile
from triptych.jobs.workspace import ChunkEntry, Workspace
from triptych.stages.packed import PackedResults
from triptych.stages.publishing import Existing, Publisher, Records, StagedOutput, Target, Used
from triptych.stages.results import ResultObject
from triptych.storage import Store, TransferLimits
from triptych.storage.files import FileStore
from triptych.storage.s3 import S3Store

DATA = random.Random(11).randbytes(6 * MIB)
SHA256 = hashlib.sha256(DATA).hexdigest()


@contextmanager
def _published(records: Records, store: Store, uri: str) -> Iterator[StagedOutput]:
    publisher = Publisher(records, Target(store, uri, "d", "r", Existing.ADD), Used(0, {}))
    with publisher.staging() as output:
        yield output
        publisher.publish(output, {})


def _output(place: Place) -> AbstractContextManager[StagedOutput]:
    return _published(Records(place.store, f"{place.root}w"), place.store, f"{place.root}out/")


def _result(store: Store, uri: str, scratch: Path, size: int = len(DATA), offset: int | None = None) -> ResultObject:
    """The file at `uri`, as if its log said that it has `size` bytes."""
    root, _, name = uri.rpartition("/")
    sha256 = hashlib.sha256(DATA[offset or 0 :][:size]).hexdigest()
    file = ResultFile("r.bin", size, sha256, name, offset)
    workspace = Workspace(store, root)
    return ResultObject(workspace, PackedResults(workspace, [file], scratch), ChunkEntry(0, "c", 0), file, "r", scratch)


def test_a_large_result_is_copied_without_being_read(place: Place, tmp_path: Path) -> None:
    place.store.put(f"{place.root}w/r.bin", DATA)
    result = _result(place.store, f"{place.root}w/r.bin", tmp_path)
    with _output(place) as output, mock.patch.object(type(place.store), "stream", side_effect=AssertionError):
        output.copy(result, "deep/a b.bin")
    assert place.store.read(f"{place.root}out/deep/a%20b.bin") == DATA
    listing = newest_listing(Records(place.store, f"{place.root}w"))
    assert listing is not None
    (file,) = listing["files"]
    assert (file["name"], file["size"], file["sha256"]) == ("deep/a b.bin", len(DATA), SHA256)
    assert file["etag"] == place.store.stat(f"{place.root}out/deep/a%20b.bin").etag


@pytest.mark.parametrize("s3", ["s3_moto", "s3_seaweed"])
def test_objects_are_copied_by_the_server(request: pytest.FixtureRequest, s3: str, tmp_path: Path) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    client = S3Hook(aws_conn_id=request.getfixturevalue(s3)).get_conn()
    store = S3Store(client, TransferLimits(PART_MIB * MIB, 20 * MIB))
    store.put(f"{BUCKET}/w/r.bin", DATA)
    calls: list[str] = []
    with _published(Records(store, f"{BUCKET}/w-{s3}"), store, f"{BUCKET}/out-{s3}/") as output:
        client.meta.events.register("before-call.s3", lambda model, params, **_: calls.append(model.name))
        output.copy(_result(store, f"{BUCKET}/w/r.bin", tmp_path), "r.bin")
        # The name and the copy's source are looked at; the upload is on record before it is begun.
        assert sorted(calls[:2]) == ["HeadObject", "HeadObject"]
        assert calls[2:] == ["ListMultipartUploads", "PutObject", "CreateMultipartUpload", "UploadPartCopy"]
    assert store.read(f"{BUCKET}/out-{s3}/r.bin") == DATA


def test_a_result_that_lies_with_others_is_read_from_there(place: Place, tmp_path: Path) -> None:
    place.store.put(f"{place.root}w/packed", DATA)
    with _output(place) as output:
        output.copy(_result(place.store, f"{place.root}w/packed", tmp_path, 1000, 77), "small.bin")
    assert place.store.read(f"{place.root}out/small.bin") == DATA[77:1077]


def test_between_two_stores_the_bytes_are_checked(place: Place, tmp_path: Path) -> None:
    there = FileStore([tmp_path])
    (tmp_path / "r.bin").write_bytes(DATA[::-1])
    with pytest.raises(IntegrityError, match="another SHA-256"), _output(place) as output:
        output.copy(_result(there, f"{tmp_path.as_uri()}/r.bin", tmp_path), "r.bin")
    assert place.names() == []
    assert place.left(f"{place.root}out/r.bin") == []


def test_a_result_of_another_size_is_refused_and_its_name_is_free(place: Place, tmp_path: Path) -> None:
    uri = f"{place.root}w/r.bin"
    place.store.put(uri, DATA)
    with _output(place) as output:
        with pytest.raises(IntegrityError, match=f"has {len(DATA)} bytes here and not {len(DATA) - 7}"):
            output.copy(_result(place.store, uri, tmp_path, size=len(DATA) - 7), "r.bin")
        output.copy(_result(place.store, uri, tmp_path), "r.bin")
        with pytest.raises(EngineError, match="written twice"):
            output.copy(_result(place.store, uri, tmp_path), "r.bin")
    assert place.store.read(f"{place.root}out/r.bin") == DATA


def test_a_result_that_is_gone_leaves_nothing(place: Place, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"none\.bin"), _output(place) as output:
        output.copy(_result(place.store, f"{place.root}w/none.bin", tmp_path), "r.bin")
    assert place.names() == []
