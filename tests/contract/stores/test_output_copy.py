"""`Output.copy` inside one store: the server, or the kernel, moves the bytes; what it lists is what was committed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from triptych.errors import EngineError, IntegrityError, ObjectNotFoundError
from triptych.jobs.pack_log import ResultFile
from triptych.jobs.workspace import ChunkEntry, Workspace
from triptych.stages.destination import Destination
from triptych.stages.packed import PackedResults
from triptych.stages.results import ResultObject
from triptych.storage import FileEntry, Store, TransferLimits, Writer
from triptych.storage.files import FileStore
from triptych.storage.s3 import S3Store

DATA = random.Random(11).randbytes(3 << 20)


class CountingFiles(FileStore):
    """Files; counts streams that were opened to read or to write."""

    streams = 0

    def stream(self, uri: str, offset: int = 0, length: int | None = None, etag: str | None = None) -> Iterator[bytes]:
        self.streams += 1
        return super().stream(uri, offset, length, etag)

    @contextmanager
    def writer(self, uri: str) -> Iterator[Writer]:
        self.streams += 1
        with super().writer(uri) as out:
            yield out


def _result(store: Store, uri: str, scratch: Path, size: int = len(DATA)) -> ResultObject:
    """The file at `uri`, as if its log said that it has `size` bytes."""
    root, _, name = uri.rpartition("/")
    file = ResultFile("r.bin", size, hashlib.sha256(DATA).hexdigest(), name)
    workspace = Workspace(store, root)
    return ResultObject(workspace, PackedResults(workspace, [file], scratch), ChunkEntry(0, "c", 0), file, "r", scratch)


def test_files_are_copied_without_being_read(tmp_path: Path) -> None:
    store = CountingFiles([tmp_path])
    (tmp_path / "r.bin").write_bytes(DATA)
    output = Destination(f"{tmp_path.as_uri()}/out/", store)
    output.copy(_result(store, f"{tmp_path.as_uri()}/r.bin", tmp_path), "deep/a b.bin")
    assert store.streams == 0
    assert (tmp_path / "out" / "deep" / "a b.bin").read_bytes() == DATA
    assert output.files == [FileEntry("deep/a b.bin", len(DATA), hashlib.sha256(DATA).hexdigest())]


@pytest.mark.parametrize("s3", ["s3_moto", "s3_seaweed"])
def test_objects_are_copied_by_the_server(request: pytest.FixtureRequest, s3: str, tmp_path: Path) -> None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    client = S3Hook(aws_conn_id=request.getfixturevalue(s3)).get_conn()
    store = S3Store(client, TransferLimits(5 << 20, 2))
    store.put("s3://tests/w/r.bin", DATA)
    calls: list[str] = []
    sent: list[int] = []
    client.meta.events.register("before-call.s3", lambda model, params, **_: calls.append(model.name))
    client.meta.events.register("before-call.s3", lambda params, **_: sent.append(len(params["body"] or b"")))
    output = Destination("s3://tests/out/", store)
    output.copy(_result(store, "s3://tests/w/r.bin", tmp_path), "r.bin")
    assert calls == ["CopyObject", "HeadObject"]
    assert sum(sent) == 0
    assert output.files == [FileEntry("r.bin", len(DATA), hashlib.sha256(DATA).hexdigest())]
    assert store.read("s3://tests/out/r.bin") == DATA


def test_between_two_stores_the_bytes_are_checked(tmp_path: Path) -> None:
    there, here = CountingFiles([tmp_path]), CountingFiles([tmp_path])
    (tmp_path / "r.bin").write_bytes(DATA[::-1])
    output = Destination(f"{tmp_path.as_uri()}/out/", here)
    with pytest.raises(IntegrityError, match="another SHA-256"):
        output.copy(_result(there, f"{tmp_path.as_uri()}/r.bin", tmp_path), "r.bin")
    assert (there.streams, here.streams) == (1, 1)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_copy_of_another_size_is_taken_back_and_its_name_is_free(tmp_path: Path) -> None:
    store = FileStore([tmp_path])
    (tmp_path / "r.bin").write_bytes(DATA)
    uri = f"{tmp_path.as_uri()}/r.bin"
    output = Destination(f"{tmp_path.as_uri()}/out/", store)
    with pytest.raises(IntegrityError, match="has 3145728 bytes and not 7"):
        output.copy(_result(store, uri, tmp_path, size=7), "r.bin")
    assert list((tmp_path / "out").iterdir()) == []
    assert output.files == []
    output.copy(_result(store, uri, tmp_path), "r.bin")
    with pytest.raises(EngineError, match="written twice"):
        output.copy(_result(store, uri, tmp_path), "r.bin")
    assert (tmp_path / "out" / "r.bin").read_bytes() == DATA


def test_a_result_that_is_gone_leaves_nothing(tmp_path: Path) -> None:
    store = FileStore([tmp_path])
    output = Destination(f"{tmp_path.as_uri()}/out/", store)
    with pytest.raises(ObjectNotFoundError, match=r"none\.bin"):
        output.copy(_result(store, f"{tmp_path.as_uri()}/none.bin", tmp_path), "r.bin")
    assert not (tmp_path / "out").exists()
    assert output.files == []


def test_a_name_that_leads_out_is_refused(tmp_path: Path) -> None:
    store = FileStore([tmp_path])
    (tmp_path / "r.bin").write_bytes(DATA)
    output = Destination(f"{tmp_path.as_uri()}/out/", store)
    for name in ("../r.bin", "/r.bin", "", "output.json"):
        with pytest.raises(EngineError, match="not allowed"):
            output.copy(_result(store, f"{tmp_path.as_uri()}/r.bin", tmp_path), name)
