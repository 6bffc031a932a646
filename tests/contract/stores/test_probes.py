"""What a job asks of stores before data moves: whether it may write, and whether conditions are heeded."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from tests.support.places import BUCKET, GCS_BUCKET
from tests.support.servers import Server, s3_connection
from triptych.connections import s3_client
from triptych.errors import ConfigError, ObjectNotFoundError, StorageAccessError, StorageError
from triptych.jobs.workspace import Workspace
from triptych.settings import read_settings
from triptych.stages.preflight import check_conditions
from triptych.storage import Store, Stores, TransferLimits
from triptych.storage.files import FileStore
from triptych.storage.s3 import S3Store


@dataclasses.dataclass(frozen=True)
class Place:
    """A store, and a folder's URI in it, which ends in `/`."""

    store: Store
    root: str


@pytest.fixture(params=["file", "s3_moto", "s3_seaweed", "gcs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "file":
        return Place(FileStore([tmp_path]), f"{tmp_path.as_uri()}/")
    conn_id: str = request.getfixturevalue(request.param)
    bucket = GCS_BUCKET if request.param == "gcs" else BUCKET
    return Place(Stores(read_settings({})).open(bucket, conn_id), f"{bucket}{tmp_path}/")


def test_a_folder_that_can_be_written_to_is_as_it_was(place: Place, tmp_path: Path) -> None:
    place.store.check_writable(f"{place.root}not/there/yet/")
    assert list(place.store.list(place.root)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_which_nothing_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Not a directory"):
        FileStore([tmp_path]).check_writable(f"{tmp_path.as_uri()}/file/below/")
    with pytest.raises(StorageAccessError, match="outside the folders that jobs may use"):
        FileStore([tmp_path / "mine"]).check_writable(f"{tmp_path.as_uri()}/yours/")


def test_a_bucket_that_is_missing_or_refuses_us_is_told(
    s3_moto: str, s3_seaweed: str, store: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ObjectNotFoundError, match="no such object or bucket"):
        Stores(read_settings({})).open("s3://none/", s3_moto).check_writable("s3://none/out/")
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_WRONG", s3_connection(store.endpoint, password="another"))
    with pytest.raises(StorageAccessError, match="refuses these credentials"):
        Stores(read_settings({})).open("s3://tests/", "triptych_wrong").check_writable("s3://tests/out/")


def test_one_request_is_enough(s3_seaweed: str) -> None:
    client = s3_client(s3_seaweed)
    asked: list[str] = []
    client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.method))
    S3Store(client, TransferLimits(8 << 20, 16 << 20)).check_writable("s3://tests/out/")
    assert asked == ["PUT"]


def test_a_store_that_heeds_conditions_can_be_a_workspace(place: Place) -> None:
    workspace = Workspace(place.store, f"{place.root}dag/run")
    check_conditions(workspace)
    check_conditions(workspace)  # As a retry does.


@pytest.fixture
def hooked(s3_seaweed: str) -> Callable[[str, Callable[..., Any]], S3Store]:
    """Makes a store whose client calls this on this event of botocore's."""

    def make(event: str, hook: Callable[..., Any]) -> S3Store:
        client = s3_client(s3_seaweed)
        client.meta.events.register(event, hook)
        return S3Store(client, TransferLimits(8 << 20, 16 << 20))

    return make


def test_a_store_that_ignores_conditions_cannot(
    hooked: Callable[[str, Callable[..., Any]], S3Store], tmp_path: Path
) -> None:
    def forget(request: Any, **_: object) -> None:
        del request.headers["If-None-Match"]

    store = hooked("before-sign.s3.PutObject", forget)
    with pytest.raises(
        ConfigError, match=r"s3://tests/.*/run: its store cannot be a workspace: a second put"
    ) as caught:
        check_conditions(Workspace(store, f"s3://tests{tmp_path}/run"))
    assert not caught.value.retryable


def test_neither_can_one_that_does_not_know_them(
    hooked: Callable[[str, Callable[..., Any]], S3Store], tmp_path: Path
) -> None:
    answer = b"<Error><Code>NotImplemented</Code><Message>A header you provided ...</Message></Error>"

    class Raw(io.BytesIO):
        def stream(self, *_: object) -> Iterator[bytes]:
            yield answer

    store = hooked("before-send.s3.PutObject", lambda request, **_: AWSResponse(request.url, 501, {}, Raw(answer)))
    with pytest.raises(ConfigError, match=r"cannot be a workspace: .*NotImplemented"):
        check_conditions(Workspace(store, f"s3://tests{tmp_path}/run"))
