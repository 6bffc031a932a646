"""What Azure's store does beyond the suite: addresses, folders of a data lake, copies, refusals, lost answers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.azure_rules import AzureRules
from tests.support.forwarding import Answer, Forwarding, serving
from tests.support.losing_proxy import Loss, losing_proxy
from tests.support.places import CONTAINER, MIB, PART_MIB
from tests.support.servers import AZURE_ACCOUNT, AZURE_KEY, Server, azure_connection
from triptych.errors import ObjectNotFoundError, StorageAccessError, StorageError
from triptych.settings import read_settings
from triptych.storage import Store, Stores

DATA = random.Random(14).randbytes(12 * MIB)


@pytest.fixture
def store(azure: str) -> Store:
    return Stores(read_settings({"part_mib": str(PART_MIB)})).open(CONTAINER, azure)


def test_an_account_may_stand_in_the_address(store: Store, azure: str, tmp_path: Path) -> None:
    long = f"abfs://tests@{AZURE_ACCOUNT}.dfs.core.windows.net/long{tmp_path}"
    store.put(f"{long}/a%20b", b"x")
    assert store.read(f"azure://tests/long{tmp_path}/a%20b") == b"x"
    assert [info.uri for info in store.list(f"{long}/")] == [f"{long}/a%20b"]
    assert Stores(read_settings({})).open("azure://tests/", azure).read(f"{long}/a%20b") == b"x"
    with pytest.raises(StorageAccessError, match=r"of the account 'devstoreaccount1'\. Name one of 'another'"):
        store.read("abfs://tests@another.dfs.core.windows.net/a")


def test_the_folders_of_a_data_lake_are_no_objects(store: Store, azure_server: Server, tmp_path: Path) -> None:
    from azure.storage.blob import BlobServiceClient

    root = f"lake{tmp_path}"
    with BlobServiceClient(azure_server.endpoint, credential=AZURE_KEY) as client:
        client.get_blob_client("tests", f"{root}/folder").upload_blob(b"", metadata={"hdi_isfolder": "true"})
    store.put(f"{CONTAINER}/{root}/folder/a", b"x")
    assert [info.size for info in store.list(f"{CONTAINER}/{root}/")] == [1]
    with pytest.raises(ObjectNotFoundError, match="a folder"):
        store.stat(f"{CONTAINER}/{root}/folder")


def test_bytes_come_as_they_lie_there(store: Store, azure_server: Server, tmp_path: Path) -> None:
    import gzip

    from azure.storage.blob import BlobServiceClient, ContentSettings

    packed = gzip.compress(b"as it was packed")
    name = f"packed{tmp_path}.gz"
    with BlobServiceClient(azure_server.endpoint, credential=AZURE_KEY) as client:
        settings = ContentSettings(content_encoding="gzip")
        client.get_blob_client("tests", name).upload_blob(packed, content_settings=settings)
    assert store.read(f"{CONTAINER}/{name}") == packed


def test_a_server_that_cannot_copy_is_read_from(
    store: Store, azure_proxy: AzureRules, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(azure_proxy, "copies", False)
    root = f"{CONTAINER}/reads{tmp_path}"
    store.put(f"{root}/from", DATA)
    staged = store.stage_copy(f"{root}/from", len(DATA), f"{root}/to", f"{root}/_triptych/t")
    store.release(staged, None)
    assert store.read(f"{root}/to") == DATA


def test_one_request_finds_out_whether_we_may_write(store: Store, azure_proxy: AzureRules) -> None:
    azure_proxy.asked.clear()
    store.check_writable(f"{CONTAINER}/out/")
    assert [asked.partition(" ")[0] for asked in azure_proxy.asked] == ["PUT"]


def test_who_is_refused_is_told_so(azure_server: Server, airflow_home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = azure_connection(azure_server.endpoint, key="d3Jvbmc=")
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_WRONG", wrong)
    refused = Stores(read_settings({})).open(CONTAINER, "triptych_wrong")
    for ask in (
        lambda: refused.stat(f"{CONTAINER}/a"),
        lambda: refused.read(f"{CONTAINER}/a"),
        lambda: list(refused.list(f"{CONTAINER}/")),
        lambda: refused.put(f"{CONTAINER}/a", b"x"),
        lambda: refused.put_if_absent(f"{CONTAINER}/a", b"x"),
        lambda: refused.check_writable(f"{CONTAINER}/"),
    ):
        with pytest.raises(StorageAccessError, match="refuses these credentials") as caught:
            ask()
        assert "d3Jvbmc" not in str(caught.value)


def test_a_container_that_is_missing_is_told(store: Store) -> None:
    for ask in (
        lambda: store.check_writable("abfs://nothere/out/"),
        lambda: store.stat("abfs://nothere/a"),
        lambda: store.put("abfs://nothere/a", b"x"),
    ):
        with pytest.raises(ObjectNotFoundError, match="no such blob or container"):
            ask()


def test_without_a_connection_the_account_is_not_known(airflow_home: None) -> None:
    with pytest.raises(StorageAccessError, match="airflow connections add wasb_default --conn-type wasb"):
        Stores(read_settings({})).open(CONTAINER)


@pytest.fixture(params=["reset", "500"])
def lossy(request: pytest.FixtureRequest, azure_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store whose client is not told of the first success of each put and each commit, and asks again."""
    loss: Loss = request.param
    with losing_proxy(azure_server.endpoint, lambda asked: asked.startswith("PUT"), loss) as proxy:
        endpoint = f"{proxy.endpoint}/{AZURE_ACCOUNT}"
        monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_LOSING", azure_connection(endpoint, attempts=3))
        yield Stores(read_settings({"part_mib": str(PART_MIB)})).open(CONTAINER, "triptych_losing")


def test_a_stream_whose_answers_were_lost_is_whole(lossy: Store, airflow_home: None, tmp_path: Path) -> None:
    uri = f"{CONTAINER}/lost{tmp_path}"
    with lossy.writer(uri) as out:
        out.write(DATA)
    assert lossy.read(uri) == DATA


class _Spoiling(Forwarding):
    """One bit is another one in what is put, or in what is got, when there is a way on which it happens."""

    methods: tuple[str, ...] = ()

    def forward(self) -> None:
        body = self.body()
        self.answer(self.ask(_spoilt(body) if self.command in self.methods and b"<BlockList>" not in body else body))

    def ask(self, body: bytes) -> Answer:
        answer = super().ask(body)
        is_spoilt = self.command == "GET" and "GET" in self.methods
        return replace(answer, data=_spoilt(answer.data)) if is_spoilt else answer

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward


def _spoilt(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else data


@contextmanager
def _spoiling(azure_server: Server, monkeypatch: pytest.MonkeyPatch, *methods: str) -> Iterator[Store]:
    handler = type(
        "Handler", (_Spoiling,), {"methods": methods, "upstream_host": urlsplit(azure_server.endpoint).netloc}
    )
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as address:
        monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_SPOILT", azure_connection(f"{address}/{AZURE_ACCOUNT}"))
        yield Stores(read_settings({"part_mib": str(PART_MIB)})).open(CONTAINER, "triptych_spoilt")


@pytest.mark.parametrize("size", [1000, len(DATA)], ids=["at once", "in blocks"])
def test_bytes_that_changed_on_their_way_there_are_refused(
    store: Store, azure_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    uri = f"{CONTAINER}/spoilt{tmp_path}"
    with _spoiling(azure_server, monkeypatch, "PUT") as spoilt:
        with pytest.raises(StorageError, match=r"(?i)MD5"), spoilt.writer(uri) as out:
            out.write(DATA[:size])
        with pytest.raises(StorageError, match=r"(?i)MD5"):
            spoilt.put_replacing(uri, DATA[:size], None)
    with pytest.raises(ObjectNotFoundError):
        store.stat(uri)


def test_bytes_that_changed_on_their_way_here_are_told(
    store: Store, azure_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = f"{CONTAINER}/spoilt{tmp_path}"
    store.put(uri, DATA[:1000])
    with _spoiling(azure_server, monkeypatch, "GET") as spoilt:
        with pytest.raises(StorageError, match="other bytes came than are stored: their MD5 is not"):
            spoilt.read(uri)
        assert spoilt.read_range(uri, 0, 10) != DATA[:10]  # Of a part the store says nothing.


def test_a_connection_that_is_cut_is_no_refusal(azure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_NOBODY", azure_connection("http://127.0.0.1:9/devstoreaccount1"))
    nobody = Stores(read_settings({})).open(CONTAINER, "triptych_nobody")
    with pytest.raises(StorageError) as caught:
        nobody.stat(f"{CONTAINER}/a")
    assert caught.value.retryable
    assert "\n" not in str(caught.value)
