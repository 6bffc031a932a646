"""`http://`: what servers do to ranges, lengths and versions, and what stays with a connection's host."""

from __future__ import annotations

import base64
import json
import random
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.only_loopback import expecting_attempts
from tests.support.web_pages import Page, WebPages, web_pages
from triptych.connections import http_access
from triptych.errors import ObjectNotFoundError, SourceError, StorageAccessError, StorageError, UnsupportedError
from triptych.jobs.locations import Location
from triptych.jobs.sources import resolve_sources
from triptych.settings import read_settings
from triptych.storage import BLOCK_BYTES, Store, Stores
from triptych.storage.http.addresses import Reach
from triptych.storage.http.spool import Spools
from triptych.storage.http.store import HttpStore

DATA = random.Random(5).randbytes(3 * BLOCK_BYTES + 17)
pytestmark = pytest.mark.usefixtures("airflow_home")
HERE = {"allowed_addresses": "127.0.0.1"}


@pytest.fixture
def server() -> Iterator[WebPages]:
    with web_pages() as server:
        yield server


@pytest.fixture
def store(server: WebPages) -> Store:
    return Stores(read_settings(HERE)).open(server.url)


def _connected(monkeypatch: pytest.MonkeyPatch, host: str, **more: object) -> Store:
    value = {"conn_type": "http", "host": host, **more}
    monkeypatch.setenv("AIRFLOW_CONN_WEB", json.dumps(value))
    return Stores(read_settings({"allowed_addresses": "127.0.0.0/8, localhost"})).open(f"{host}/", "web")


@pytest.mark.parametrize("has_ranges", [True, False])
@pytest.mark.parametrize("length", ["said", "chunks"])
@pytest.mark.parametrize("headers", [{"ETag": '"v1"'}, {"ETag": 'W/"v1"'}, {"Last-Modified": "Sat, 1 Jan"}, {}])
def test_every_server_gives_the_same_bytes(
    store: Store, server: WebPages, has_ranges: bool, length: str, headers: dict[str, str]
) -> None:
    server.pages["/a"] = Page(DATA, headers, has_ranges, length)  # type: ignore[arg-type]  # One of the three words.
    info = store.stat(f"{server.url}/a")
    assert info.size == len(DATA)
    assert b"".join(store.stream(info.uri, etag=info.etag)) == DATA
    for offset, size in [(0, 5), (5, BLOCK_BYTES + 7), (len(DATA) - 3, 10), (len(DATA) + 5, 10)]:
        assert store.read_range(info.uri, offset, size, info.etag) == DATA[offset : offset + size]
        assert store.read_range(info.uri, offset, size) == DATA[offset : offset + size]


def test_another_worker_finds_the_same_version(server: WebPages) -> None:
    for name, page in {"sized": Page(DATA), "counted": Page(DATA, {}, False, "chunks")}.items():
        server.pages[f"/{name}"] = page
        uri = f"{server.url}/{name}"
        etag = Stores(read_settings(HERE)).open(uri).stat(uri).etag
        assert Stores(read_settings(HERE)).open(uri).read_range(uri, 7, 9, etag) == DATA[7:16]


@pytest.mark.parametrize("length", ["said", "chunks"])
def test_a_server_without_ranges_is_asked_once_for_the_whole(store: Store, server: WebPages, length: str) -> None:
    server.pages["/a"] = Page(DATA, has_ranges=False, length=length)  # type: ignore[arg-type]  # One of the words.
    info = store.stat(f"{server.url}/a")
    for offset in range(9, 9 + 50):
        assert store.read_range(info.uri, offset, 10, info.etag) == DATA[offset : offset + 10]
    # The first byte, a range that came as the whole, and the whole.
    assert len(server.asked) <= 3


def test_a_range_is_one_request_for_no_more_bytes(store: Store, server: WebPages) -> None:
    server.pages["/a"] = Page(DATA)
    info = store.stat(f"{server.url}/a")
    assert server.ranges() == ["bytes=0-0"]
    store.read_range(info.uri, 100, 50, info.etag)
    assert [each.headers["if-range"] for each in server.asked] == ['"v1"']
    assert server.ranges() == ["bytes=100-149"]


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"'])
def test_what_breaks_off_goes_on_from_where_it_was(store: Store, server: WebPages, etag: str) -> None:
    server.pages["/a"] = Page(DATA, {"ETag": etag}, breaks_after=[BLOCK_BYTES + 100_000, 50_000])
    assert b"".join(store.stream(f"{server.url}/a")) == DATA
    first, second, third = server.ranges()
    assert first is None
    assert second == f"bytes={BLOCK_BYTES + 100_000}-{len(DATA) - 1}"
    assert third == f"bytes={BLOCK_BYTES + 150_000}-{len(DATA) - 1}"


def test_what_breaks_off_without_ranges_begins_again(store: Store, server: WebPages) -> None:
    server.pages["/a"] = Page(DATA, has_ranges=False, breaks_after=[2 * BLOCK_BYTES])
    assert b"".join(store.stream(f"{server.url}/a")) == DATA


def test_what_changes_while_it_is_broken_off_is_not_gone_on_with(store: Store, server: WebPages) -> None:
    server.pages["/a"] = Page(DATA, breaks_after=[2 * BLOCK_BYTES])
    stream = store.stream(f"{server.url}/a")
    assert next(stream) == DATA[:BLOCK_BYTES]
    server.pages["/a"] = Page(bytes(len(DATA)), {"ETag": '"v2"'})
    with pytest.raises(SourceError, match="changed after the job started"):
        list(stream)


@pytest.mark.parametrize("headers", [{"ETag": '"v1"'}, {}])
def test_what_brings_nothing_more_is_given_up(store: Store, server: WebPages, headers: dict[str, str]) -> None:
    server.pages["/a"] = Page(DATA, headers, breaks_after=[BLOCK_BYTES, 0])
    with pytest.raises(StorageError, match="broke off") as caught:
        list(store.stream(f"{server.url}/a"))
    assert caught.value.retryable


def test_chunks_that_break_off_are_not_taken_for_the_whole(store: Store, server: WebPages) -> None:
    server.pages["/a"] = Page(DATA, {}, has_ranges=False, length="chunks", breaks_after=[BLOCK_BYTES])
    with pytest.raises(StorageError, match="broke off"):
        store.stat(f"{server.url}/a")


def test_an_answer_that_says_no_end_is_refused(store: Store, server: WebPages) -> None:
    server.pages["/a"] = Page(DATA, has_ranges=False, length="unsaid")
    with pytest.raises(SourceError, match="does not say where its answer ends"):
        store.stat(f"{server.url}/a")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Page(b"one", {"ETag": '"v1"'}), Page(b"two", {"ETag": '"v2"'})),
        (Page(b"one", {"Last-Modified": "Sat, 1"}), Page(b"two", {"Last-Modified": "Sun, 2"})),
        (Page(b"one", {}), Page(b"three", {})),
        (Page(b"one", {}, length="chunks"), Page(b"two", {}, length="chunks")),
        (Page(b"one", {"ETag": '"v1"'}), Page(b"", {"ETag": '"v2"'})),
        (Page(b"one", {"ETag": '"v1"'}), Page(b"one", {})),
    ],
)
def test_a_source_that_changed_fails(server: WebPages, before: Page, after: Page) -> None:
    server.pages["/a"] = before
    uri = f"{server.url}/a"
    etag = Stores(read_settings(HERE)).open(uri).stat(uri).etag
    server.pages["/a"] = after
    for offset, length in [(0, None), (0, 2), (1, 2)]:
        with pytest.raises(SourceError, match="changed after the job started"):
            list(Stores(read_settings(HERE)).open(uri).stream(uri, offset, length, etag))


def test_what_is_sent_packed_is_refused_but_for_packed_files(store: Store, server: WebPages) -> None:
    server.pages["/a.csv"] = server.pages["/a.csv.gz"] = Page(DATA, {"ETag": '"v1"', "Content-Encoding": "gzip"})
    with pytest.raises(SourceError, match=r"sends it packed \(Content-Encoding: gzip\)"):
        store.stat(f"{server.url}/a.csv")
    assert store.read(f"{server.url}/a.csv.gz") == DATA
    assert {each.headers["accept-encoding"] for each in server.asked} == {"identity"}


def test_more_than_a_worker_keeps_is_refused(server: WebPages) -> None:
    server.pages["/a"] = Page(bytes(2 << 20), {}, has_ranges=False, length="chunks")
    spools = Spools(Path("/nowhere"), 1 << 20)
    store = HttpStore(http_access(None), Reach(["127.0.0.1"]), spools, trusts_caller=False)
    with pytest.raises(SourceError, match="http_spool_gib"):
        store.stat(f"{server.url}/a")


def test_a_busy_server_is_asked_again(store: Store, server: WebPages) -> None:
    server.pages["/a"] = Page(b"here", statuses=[503, 429])
    assert store.read(f"{server.url}/a") == b"here"


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (404, ObjectNotFoundError, "404 Not Found"),
        (410, ObjectNotFoundError, "410 Gone"),
        (401, StorageAccessError, "wants some: 401"),
        (403, StorageAccessError, "403 Forbidden"),
        (418, UnsupportedError, "418"),
    ],
)
def test_refusals_are_told(store: Store, server: WebPages, status: int, error: type[StorageError], says: str) -> None:
    server.pages["/a"] = Page(statuses=[status])
    with pytest.raises(error, match=says) as caught:
        store.stat(f"{server.url}/a")
    assert not caught.value.retryable
    assert len(server.asked) == 1


def test_nobody_there_is_worth_another_try(store: Store) -> None:
    with pytest.raises(StorageError, match="Connection refused") as caught:
        store.stat("http://127.0.0.1:9/a")
    assert caught.value.retryable


def test_it_is_a_source_and_nothing_else(store: Store, server: WebPages) -> None:
    for ask in (
        lambda: store.put(f"{server.url}/a", b""),
        lambda: store.put_if_absent(f"{server.url}/a", b""),
        lambda: store.check_writable(f"{server.url}/"),
        lambda: store.delete(f"{server.url}/a"),
        lambda: store.stage(f"{server.url}/a", f"{server.url}/b").__enter__(),
    ):
        with pytest.raises(UnsupportedError, match="neither a destination nor a workspace"):
            ask()
    with pytest.raises(UnsupportedError, match="lists nothing"):
        store.list(f"{server.url}/")
    assert server.asked == []


def test_a_url_is_one_object_whatever_it_holds(server: WebPages) -> None:
    for path in ("/", "/x?list=*&b=%5B0%5D", "/a%23%20b%C3%BC.csv"):
        server.pages[path] = Page(path.encode())
    stores = Stores(read_settings(HERE))
    names = [f"{server.url}/", f"{server.url}/x?list=*&b=[0]", f"{server.url}/a%23 bü.csv"]
    found = resolve_sources([Location(uri) for uri in names], stores)
    assert [stores.open(each.uri).read(each.uri).decode() for each in found] == [*server.pages]
    with pytest.raises(SourceError, match="has a '#'"):
        resolve_sources([Location(f"{server.url}/a#b")], stores)


def test_redirects_are_followed_as_often_as_is_usual(store: Store, server: WebPages) -> None:
    server.pages |= {"/a": Page(redirect="b"), "/b": Page(redirect=f"{server.url}/c%20d"), "/c%20d": Page(b"there")}
    assert store.read(f"{server.url}/a") == b"there"
    server.pages["/round"] = Page(redirect="/round")
    with pytest.raises(StorageAccessError, match="more often than is followed"):
        store.stat(f"{server.url}/round")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "s3://tests/a"])
def test_a_redirect_leads_to_web_servers_only(store: Store, server: WebPages, target: str) -> None:
    server.pages["/a"] = Page(redirect=target)
    with pytest.raises(StorageAccessError):
        store.stat(f"{server.url}/a")


def test_a_connection_logs_in_at_its_host_and_nowhere_else(server: WebPages, monkeypatch: pytest.MonkeyPatch) -> None:
    store = _connected(monkeypatch, server.url, login="mé", password="pässword", extra={"X-Key": "k3y"})
    with web_pages() as other:
        other.pages["/c"] = Page(b"elsewhere")
        server.pages |= {"/a": Page(b"here"), "/b": Page(redirect=f"{other.url}/c"), "/d": Page(redirect="/a")}
        assert [store.read(f"{server.url}{path}") for path in ("/a", "/b", "/d")] == [b"here", b"elsewhere", b"here"]
        expected = "Basic " + base64.b64encode("mé:pässword".encode()).decode()
        assert [(each.headers["authorization"], each.headers["x-key"]) for each in server.asked] == [
            (expected, "k3y")
        ] * 4
        for each in other.asked:
            assert not {"authorization", "x-key"} & each.headers.keys()
        with pytest.raises(StorageAccessError, match="no other host gets what it holds"):
            store.stat(f"{other.url}/c")
        # One machine by another name is another host.
        with pytest.raises(StorageAccessError, match="no other host"):
            store.stat(f"{server.url.replace('127.0.0.1', 'localhost')}/a")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of nobody's that is known, for 127.0.0.1, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=tests", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(["openssl", "req", "-x509", *made, *names], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "certificate.pem").read_text() + (folder / "key.pem").read_text())
    return both


def test_certificates_are_judged_by_what_the_connection_trusts(
    certificate: Path, server: WebPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_pages(certificate=certificate) as secure:
        secure.pages |= {"/a": Page(b"by TLS"), "/down": Page(redirect=f"{server.url}/a")}
        with pytest.raises(StorageAccessError, match=r"certificate is not trusted.*verify failed"):
            Stores(read_settings(HERE)).open(secure.url).stat(f"{secure.url}/a")
        for trust in (str(certificate), False):
            store = _connected(monkeypatch, secure.url, login="a", password="b", extra={"verify": trust})
            with warnings.catch_warnings(action="ignore"):  # urllib3's, of what was asked for.
                assert store.read(f"{secure.url}/a") == b"by TLS"
        with (
            pytest.raises(StorageAccessError, match="from https:// to http://"),
            warnings.catch_warnings(action="ignore"),
        ):
            store.stat(f"{secure.url}/down")
        # What is meant for TLS is not sent without it.
        with pytest.raises(StorageAccessError, match="no other host"):
            store.stat(f"{secure.url.replace('https', 'http')}/a")
        assert server.asked == []


def test_no_login_of_the_workers_own_is_sent(
    store: Store, server: WebPages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login worker password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server.pages |= {"/a": Page(redirect="/b"), "/b": Page(b"here", {"ETag": '"v1"', "Set-Cookie": "a=b"})}
    assert store.read(f"{server.url}/a") == store.read(f"{server.url}/a") == b"here"
    assert not {"authorization", "cookie"} & set().union(*(each.headers for each in server.asked))


def test_a_connection_without_a_host_sends_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WEB", json.dumps({"conn_type": "http", "login": "a", "password": "b"}))
    with pytest.raises(StorageAccessError, match="names no host"):
        Stores(read_settings({})).open("https://example.com/", "web")


def test_a_connections_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with web_pages() as proxy:
        target = "http://only-the-proxy-knows.invalid"
        proxy.pages[f"{target}/a"] = Page(b"through")
        store = _connected(monkeypatch, target, extra={"proxies": {"http": proxy.url}})
        with expecting_attempts() as asked:
            assert store.read(f"{target}/a") == b"through"
        assert set(asked) == {"socket.getaddrinfo only-the-proxy-knows.invalid"}
        # What this machine can tell to be inside is not asked of the proxy either.
        plain = Stores(read_settings({}))
        monkeypatch.setenv(
            "AIRFLOW_CONN_WEB", json.dumps({"conn_type": "http", "extra": {"proxies": {"http": proxy.url}}})
        )
        for inside in ("http://127.0.0.1/a", "http://0x7f.1/a", "http://[::1]/a", "http://localhost/a"):
            with pytest.raises(StorageAccessError, match="no public address"):
                plain.open(inside, "web").stat(inside)
        assert len(proxy.asked) == 1
