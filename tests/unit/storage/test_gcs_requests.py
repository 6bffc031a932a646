"""The private parts of google-cloud-storage that we touch are as they were, and URIs become what its client takes."""

from __future__ import annotations

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from google.cloud.storage.blob import Blob

from triptych.connections import STORE_CONNECTIONS
from triptych.errors import ObjectNotFoundError
from triptych.storage.gcs.requests import blob_of, bucket_and_name, host, media_url, session


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    return Client(project="tests", credentials=AnonymousCredentials())


def test_a_client_has_a_session_that_keeps_many_connections(client: Client) -> None:
    assert client._bucket_metadata_cache is not None
    made = session(client)
    assert made is client._http
    for url in ("https://storage.googleapis.com/", "http://127.0.0.1:9/"):
        assert made.get_adapter(url).poolmanager.connection_pool_kw["maxsize"] == STORE_CONNECTIONS
    assert client._bucket_metadata_cache is None
    client.close()


def test_the_bytes_of_an_object_have_a_url(client: Client) -> None:
    blob = blob_of(client, "gs://tests/a%20b/%23%C3%BC")
    assert isinstance(blob, Blob)
    where = "http://127.0.0.1:9/download/storage/v1/b/tests/o/a%20b%2F%23%C3%BC?alt=media"
    assert media_url(client, blob, None) == where
    assert media_url(client, blob, "17") == f"{where}&ifGenerationMatch=17"


def test_the_xml_api_is_where_the_client_asks(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert host(client) == "http://127.0.0.1:9"
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    assert host(Client(project="tests", credentials=AnonymousCredentials())) == "https://storage.googleapis.com"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("gs://tests/a%20b/%23%C3%BC", ("tests", "a b/#ü")),
        ("gs://tests/100%25+1", ("tests", "100%+1")),
        ("gs://tests/", ("tests", "")),
        ("gs://tests", ("tests", "")),
    ],
)
def test_a_uri_is_a_bucket_and_a_name(uri: str, expected: tuple[str, str]) -> None:
    assert bucket_and_name(uri) == expected


@pytest.mark.parametrize("uri", ["gs://tests/", "gs://tests", "gs:///a", "gs://-tests/a"])
def test_a_uri_that_can_be_no_objects_is_not_found(client: Client, uri: str) -> None:
    with pytest.raises(ObjectNotFoundError, match=f"{uri}: there is no such"):
        blob_of(client, uri)
