"""Links that stores sign, followed by a client that knows nothing of stores; and how long each can last."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from azure.core.credentials import AccessToken, AzureSasCredential
from azure.storage.blob import BlobServiceClient, UserDelegationKey
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.session import Session
from google.auth.credentials import AnonymousCredentials
from google.auth.impersonated_credentials import Credentials as Impersonated
from google.cloud.storage import Client

from tests.support import google_links
from tests.support.places import BUCKETS, CONTAINER, GCS_BUCKET, Place
from triptych.errors import UnsupportedError
from triptych.settings import read_settings
from triptych.storage import Store, Stores, TransferLimits
from triptych.storage.azure import AzureStore
from triptych.storage.gcs.store import GcsStore
from triptych.storage.s3 import S3Store

LIMITS = TransferLimits(8 << 20, 1)
NAME = "a%20b/%23%20%C3%BC%2B%25.txt"
DAY_S = 86400
PATIENCE_S = 30.0


@pytest.fixture(params=["s3_seaweed", "gcs", "azure"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    store = Stores(read_settings({})).open(BUCKETS[kind], request.getfixturevalue(kind))
    return Place(store, f"{BUCKETS[kind]}{tmp_path}/")


@pytest.fixture
def signer(kind: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store as its own connection opens it; Google's by a key, which the server of the tests gives no token for."""
    if kind != "gcs":
        return place.store
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_KEY", google_links.connection())
    return Stores(read_settings({})).open(GCS_BUCKET, "triptych_key")


def follow(url: str, method: str = "GET", data: bytes | None = None) -> tuple[int, bytes]:
    """Status and body, as any client gets them."""
    headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": ""} if data is not None else {}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_link_reads_its_object_and_no_other(place: Place, signer: Store) -> None:
    place.store.put(place.root + NAME, b"for anybody")
    place.store.put(place.root + "other", b"for nobody")
    url = signer.signed_url(place.root + NAME, "GET", 600)
    assert follow(url) == (200, b"for anybody")
    assert follow(url, "PUT", b"spoiled")[0] == 403
    assert follow(url.replace(urlsplit(url).path, urlsplit(url).path.replace(NAME, "other")))[0] == 403
    assert place.store.read(place.root + NAME) == b"for anybody"


def test_a_link_writes_its_object(place: Place, signer: Store) -> None:
    url = signer.signed_url(place.root + NAME, "PUT", 600)
    status, _ = follow(url, "PUT", b"from anybody")
    assert status in (200, 201)
    assert place.store.read(place.root + NAME) == b"from anybody"
    assert follow(url)[0] == 403


def test_a_link_is_refused_after_its_time(place: Place, signer: Store) -> None:
    place.store.put(place.root + "a", b"x")
    begun = time.monotonic()
    url = signer.signed_url(place.root + "a", "GET", 2)
    while (status := follow(url)[0]) == 200:
        assert time.monotonic() < begun + PATIENCE_S, "The link is good for longer than it says."
    assert status in (400, 403)
    assert follow(signer.signed_url(place.root + "a", "GET", 600)) == (200, b"x")


def test_a_link_that_would_die_before_its_time_is_refused(kind: str, place: Place, signer: Store) -> None:
    uri = f"{place.root}a"
    for expires_s in (0, -5):
        with pytest.raises(UnsupportedError, match="a second at least"):
            signer.signed_url(uri, "GET", expires_s)
    assert signer.signed_url(uri, "GET", 7 * DAY_S)
    if kind == "azure":  # The key of an account signs for ever.
        assert signer.signed_url(uri, "GET", 400 * DAY_S)
        return
    with pytest.raises(UnsupportedError, match="signs for 604800 s at most"):
        signer.signed_url(uri, "GET", 7 * DAY_S + 1)


def test_files_have_no_links(settings_store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"file://.*no link can be made to it.*s3://, gs:// and abfs://"):
        settings_store.signed_url(f"{tmp_path.as_uri()}/a", "GET", 60)


@pytest.fixture
def settings_store(tmp_path: Path) -> Store:
    return Stores(read_settings({"allowed_roots": str(tmp_path)})).open(tmp_path.as_uri())


def _s3(**given: str | None) -> S3Store:
    return S3Store(boto3.client("s3", region_name="us-east-1", **given), LIMITS)


def test_a_link_of_s3_is_signed_as_the_connection_says() -> None:
    """botocore's own choice is version 2 in this region, which neither SeaweedFS nor newer regions take."""
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in _s3(**keys).signed_url("s3://tests/a", "GET", 60)
    old = boto3.client("s3", region_name="us-east-1", config=Config(signature_version="s3"), **keys)
    assert "AWSAccessKeyId=a" in S3Store(old, LIMITS).signed_url("s3://tests/a", "GET", 60)


def test_a_link_does_not_outlive_the_session_of_a_role() -> None:
    session = Session()
    session._credentials = RefreshableCredentials.create_from_metadata(
        {
            "access_key": "a",
            "secret_key": "b",
            "token": "of-the-session",
            "expiry_time": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        },
        lambda: pytest.fail("Nobody asked for other credentials."),
        "sts-assume-role",
    )
    store = S3Store(session.create_client("s3", region_name="us-east-1"), LIMITS)
    assert "X-Amz-Security-Token=of-the-session" in store.signed_url("s3://tests/a", "GET", 1800)
    with pytest.raises(UnsupportedError, match="before the 7200 s are over"):
        store.signed_url("s3://tests/a", "GET", 7200)


def test_a_session_whose_end_nobody_knows_signs_none() -> None:
    store = _s3(aws_access_key_id="a", aws_secret_access_key="b", aws_session_token="c")
    with pytest.raises(UnsupportedError, match="nobody knows when"):
        store.signed_url("s3://tests/a", "GET", 60)


def test_without_credentials_s3_signs_none() -> None:
    client = boto3.client("s3", region_name="us-east-1", config=Config(signature_version=UNSIGNED))
    with pytest.raises(UnsupportedError, match="no credentials"):
        S3Store(client, LIMITS).signed_url("s3://tests/a", "GET", 60)


def test_without_a_key_google_signs_none_or_not_for_long() -> None:
    client = Client("tests", AnonymousCredentials())
    with pytest.raises(UnsupportedError, match="AnonymousCredentials hold no private key"):
        GcsStore(client, LIMITS).signed_url("gs://tests/a", "GET", 60)
    client._credentials = Impersonated(AnonymousCredentials(), google_links.EMAIL, [])
    with pytest.raises(UnsupportedError, match="keeps itself, signs for 43200 s at most"):
        GcsStore(client, LIMITS).signed_url("gs://tests/a", "GET", 43201)


class _Token:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("t", 0)


def test_a_token_of_azure_is_exchanged_for_a_key_of_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    client = BlobServiceClient("https://mine.blob.core.windows.net", credential=_Token())
    asked: list[datetime] = []

    def exchange(start: datetime, expiry: datetime) -> UserDelegationKey:
        asked.extend((start, expiry))
        key = UserDelegationKey()  # type: ignore[no-untyped-call]  # Microsoft's, without annotations.
        key.signed_oid, key.signed_tid, key.value = "object", "tenant", "a2V5"
        return key

    monkeypatch.setattr(client, "get_user_delegation_key", exchange)
    store = AzureStore(client, LIMITS)
    query = parse_qs(urlsplit(store.signed_url(f"{CONTAINER}/a%20b", "PUT", 3600)).query)
    assert (query["skoid"], query["sktid"], query["sr"], query["sp"]) == (["object"], ["tenant"], ["b"], ["cw"])
    assert query["se"] == [f"{asked[1]:%Y-%m-%dT%H:%M:%SZ}"]
    assert asked[0] < datetime.now(UTC)
    with pytest.raises(UnsupportedError, match="for a token, signs for 604800 s at most"):
        store.signed_url(f"{CONTAINER}/a", "GET", 7 * DAY_S + 1)


def test_a_shared_access_signature_signs_no_other() -> None:
    client = BlobServiceClient("https://mine.blob.core.windows.net", credential=AzureSasCredential("sig=a"))
    with pytest.raises(UnsupportedError, match="signs no other"):
        AzureStore(client, LIMITS).signed_url(f"{CONTAINER}/a", "GET", 60)
