"""Answers that a network cuts short in their headers: an error that says so, and never a missing key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from tests.support.fault_proxy import Fault, FaultProxy, Request, Rule, fault_proxy
from tests.support.servers import LOGIN, PASSWORD, moto_server
from triptych.errors import StorageError
from triptych.storage import Store, TransferLimits
from triptych.storage.s3 import S3Store

PART = 5 << 20
URI = "s3://cut/object"


def _write(store: Store) -> None:
    with store.writer(URI) as out:
        out.write(bytes(PART + 1))


@pytest.mark.parametrize(
    ("kind", "ask"),
    [
        (Request.HEAD, lambda store: store.stat(URI)),
        (Request.UPLOAD_PART, _write),
    ],
)
def test_a_cut_answer_is_an_error_of_the_store(tmp_path: Path, kind: Request, ask: Callable[[Store], object]) -> None:
    with moto_server(tmp_path) as server, fault_proxy(server.endpoint) as proxy:
        store = _store(proxy)
        proxy.rules.append(Rule(Fault.TRUNCATED, [kind], times=100))
        with pytest.raises(StorageError, match="was cut short"):
            ask(store)
        proxy.clear()
        _write(store)
        assert store.stat(URI).size == PART + 1


def _store(proxy: FaultProxy) -> Store:
    keys = {"aws_access_key_id": LOGIN, "aws_secret_access_key": PASSWORD, "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=proxy.endpoint, **keys)
    client.create_bucket(Bucket="cut")
    client.put_object(Bucket="cut", Key="object", Body=b"old")
    return S3Store(client, TransferLimits(PART, 4 * PART))
