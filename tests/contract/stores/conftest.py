"""Servers of each kind, as Airflow connections with a bucket (or a container) `tests`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.azure_rules import AzureRules
from tests.support.google_rules import GoogleRules
from tests.support.places import BUCKETS, PART_MIB, Place
from tests.support.servers import GCS_CONNECTION, Server, azure_connection, moto_server
from triptych.settings import read_settings
from triptych.storage import Stores


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


@pytest.fixture(params=["file", "s3_moto", "s3_seaweed", "gcs", "azure"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    folder = tmp_path / "a place"
    folder.mkdir()
    settings = read_settings({"allowed_roots": str(folder), "part_mib": str(PART_MIB)})
    if request.param == "file":
        return Place(Stores(settings).open("file:///any"), f"{folder.as_uri()}/")
    conn_id: str = request.getfixturevalue(request.param)
    bucket = BUCKETS[request.param]
    # The folder's path is of this test alone, so tests can share a bucket.
    return Place(Stores(settings).open(bucket, conn_id), f"{bucket}{folder.as_uri().removeprefix('file://')}/")
