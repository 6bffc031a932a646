"""An S3 body that breaks off is gone on with from where it was, in the same version; and objects of very many parts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.support.fault_proxy import Fault, FaultProxy, Request, Rule, fault_proxy
from tests.support.servers import LOGIN, PASSWORD, moto_server
from triptych.errors import SourceError, StorageError
from triptych.storage import TransferLimits
from triptych.storage.s3 import S3Store
from triptych.storage.s3_upload import MOST_PARTS, Upload

MIB = 1 << 20
PART = 5 * MIB
DATA = random.Random(9).randbytes(3 * PART + 77)
URI = "s3://cut/object"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultProxy]:
    with moto_server(tmp_path_factory.mktemp("moto")) as server, fault_proxy(server.endpoint) as made:
        yield made


@pytest.fixture
def store(proxy: FaultProxy) -> Iterator[S3Store]:
    keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=proxy.endpoint, **keys)
    client.create_bucket(Bucket="cut")
    client.put_object(Bucket="cut", Key="object", Body=DATA)
    proxy.clear()
    yield S3Store(client, TransferLimits(PART, 4 * PART))
    proxy.clear()
    client.close()


@pytest.mark.parametrize("kind", [Request.GET, Request.RANGED_GET])
def test_what_breaks_off_is_gone_on_with(proxy: FaultProxy, store: S3Store, kind: Request) -> None:
    proxy.rules.append(Rule(Fault.TRUNCATED, [kind], times=2))
    assert store.read(URI) == DATA
    assert store.read_range(URI, 5, 2 * MIB) == DATA[5 : 5 + 2 * MIB]


def test_what_breaks_off_is_not_gone_on_with_in_another_object(proxy: FaultProxy, store: S3Store) -> None:
    proxy.rules.append(Rule(Fault.TRUNCATED, [Request.GET]))
    read = store.stream(URI)
    got = [next(read)]
    store.put(URI, DATA[::-1])
    with pytest.raises(SourceError, match="changed"):
        got.extend(read)


def test_answers_that_bring_nothing_are_an_error(proxy: FaultProxy, store: S3Store) -> None:
    proxy.rules.append(Rule(Fault.RESET_AFTER, [Request.RANGED_GET], times=100))
    with pytest.raises(StorageError):
        store.read_range(URI, 5, 10)


def test_an_object_of_unknown_size_may_have_more_than_10000_first_parts() -> None:
    """By a client that only counts: 20,000 parts' worth of bytes, each part 1 byte at first."""
    client = _Counting()
    upload = Upload(client, {"Bucket": "b", "Key": "k"}, TransferLimits(1, 1 << 20))
    for _ in range(2 * MOST_PARTS // 100):
        upload.write(bytes(100))
    upload.finish()
    assert client.sizes[0] == 1
    assert sum(client.sizes.values()) == 2 * MOST_PARTS
    assert max(client.sizes) < MOST_PARTS
    assert client.completed == sorted(number + 1 for number in client.sizes)


class _Counting:
    """Of S3's client, what an upload asks."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.completed: list[int] = []

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        return {"UploadId": "1"}

    def upload_part(self, *, PartNumber: int, Body: bytes, **_: Any) -> dict[str, str]:  # boto3's names
        self.sizes[PartNumber - 1] = len(Body)
        return {"ETag": f'"{PartNumber}"'}

    def complete_multipart_upload(self, *, MultipartUpload: Any, **_: Any) -> None:  # boto3's names
        self.completed = [part["PartNumber"] for part in MultipartUpload["Parts"]]
