"""Servers of each kind, as Airflow connections with a bucket (or a container) `tests`."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.azure_rules import AzureRules
from tests.support.google_rules import GoogleRules
from tests.support.only_loopback import attempts
from tests.support.places import BUCKETS, PART_MIB, Place
from tests.support.servers import GCS_CONNECTION, Server, azure_connection, moto_server, nginx
from triptych.settings import read_settings
from triptych.storage import Stores


@pytest.fixture(autouse=True)
def _no_other_address() -> Iterator[None]:
    """Fails the test that asks for an address beyond this machine, or whose servers' fixtures did: no client looks for
    credentials on the network, as those of clouds do (169.254.169.254, metadata.google.internal)."""
    made = attempts()
    yield
    asked = made.copy()
    made.clear()
    assert asked == []


@pytest.fixture(autouse=True, scope="module")
def _collected() -> Iterator[None]:
    """What was made between tests is collected at a file's end: within them it is frozen, and would only grow."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _leaves_nothing_open(_collected: None) -> Iterator[None]:
    """What a test has left to the garbage collector is collected here, and what it left open is this test's error.

    Else it would be that of any later one in the same process. What was there before the test is not looked through:
    that takes half a second.
    """
    gc.freeze()
    yield
    gc.collect()
    gc.unfreeze()


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Airflow writes a configuration into its home when it is first imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        yield


@pytest.fixture(scope="session")
def s3_moto(airflow_home: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield from _connection("triptych_moto", server.connection)


@pytest.fixture(scope="session")
def s3_seaweed(airflow_home: None, store: Server) -> Iterator[str]:
    yield from _connection("triptych_seaweed", store.connection)


@pytest.fixture(scope="session")
def gcs(airflow_home: None, gcs_rules: GoogleRules) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", gcs_rules.endpoint)
        patch.setenv("AIRFLOW_CONN_TRIPTYCH_GCS", GCS_CONNECTION)
        yield "triptych_gcs"


@pytest.fixture(scope="session")
def azure(airflow_home: None, azure_proxy: AzureRules) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_TRIPTYCH_AZURE", azure_connection(azure_proxy.endpoint))
        yield "triptych_azure"


def _connection(conn_id: str, value: str) -> Iterator[str]:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)
        S3Hook(aws_conn_id=conn_id).get_conn().create_bucket(Bucket="tests")
        yield conn_id


@pytest.fixture(scope="session")
def nginx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="session")
def web_server(airflow_home: None, nginx_folder: Path) -> Iterator[Server]:
    """nginx, over `files` in `nginx_folder`."""
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("no nginx: apt-get install nginx-light")
    with nginx(nginx_folder) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_TRIPTYCH_WEB", server.connection)
        yield server


WRITTEN = ["file", "s3_moto", "s3_seaweed", "gcs", "azure"]


@pytest.fixture(params=WRITTEN)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return _place(request, tmp_path)


@pytest.fixture(params=[*WRITTEN, "nginx"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Of stores that can be read, `Place.put` writes to each."""
    return _place(request, tmp_path)


def _place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    folder = tmp_path / "a place"
    folder.mkdir()
    told = {"allowed_roots": str(folder), "part_mib": str(PART_MIB), "allowed_addresses": "127.0.0.1"}
    settings = read_settings(told)
    # The folder's path is of this test alone, so tests can share a bucket.
    path = folder.as_uri().removeprefix("file://")
    if request.param == "file":
        return Place(Stores(settings).open("file:///any"), f"{folder.as_uri()}/")
    if request.param == "nginx":
        root = request.getfixturevalue("web_server").endpoint
        beside = request.getfixturevalue("nginx_folder") / "files" / str(folder)[1:]
        return Place(Stores(settings).open(root, "triptych_web"), f"{root}{path}/", beside)
    conn_id: str = request.getfixturevalue(request.param)
    bucket = BUCKETS[request.param]
    return Place(Stores(settings).open(bucket, conn_id), f"{bucket}{path}/")
