"""What a connection says is what a server gets: recorded by a server of the tests' own, over TLS, by proxy, by role."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.forwarding import Answer, Forwarding, serving
from triptych.connections import s3_client
from triptych.errors import StorageAccessError, StorageError
from triptych.settings import read_settings
from triptych.storage import Store, Stores

MIB = 1 << 20
ROLE = "arn:aws:iam::123456789012:role/jobs"
SSE = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1", "ACL": "bucket-owner-full-control"}
_STS = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>of-the-role</SecretAccessKey><SessionToken>token-1</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


@dataclass
class Recorder:
    """`asked` has each request's line, and its headers in small letters."""

    endpoint: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def of(self, method: str) -> list[dict[str, str]]:
        return [headers for line, headers in self.asked if line.startswith(f"{method} ")]


@contextmanager
def recording(context: ssl.SSLContext | None = None) -> Iterator[Recorder]:
    """A server that answers as S3, STS and Azure do when all is well, and stores nothing."""
    recorder = Recorder()

    class Handler(Forwarding):
        def forward(self) -> None:
            body = self.body()
            recorder.asked.append((f"{self.command} {self.path}", {k.lower(): v for k, v in self.headers.items()}))
            self.answer(_answer(self.command, self.path, body))

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as address:
        recorder.endpoint = address.replace("http://", "https://" if context else "http://")
        yield recorder


def _answer(method: str, path: str, body: bytes) -> Answer:
    xml = {"Content-Type": "application/xml", "ETag": '"1"', "Last-Modified": "Thu, 26 Nov 2026 12:00:00 GMT"}
    if b"Action=AssumeRole" in body:
        return Answer(200, xml, _STS)
    if method == "POST" and path.endswith("?uploads"):
        return Answer(
            200, xml, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
        )
    if method == "POST":
        return Answer(200, xml, b"<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")
    if method == "PUT" and "partNumber" in path and not body:
        return Answer(200, xml, b"<CopyPartResult><ETag>1</ETag></CopyPartResult>")
    return Answer(201 if method == "PUT" and "devstore" in path else 200, xml, b"" if method == "PUT" else b"<a/>")


def _store(monkeypatch: pytest.MonkeyPatch, endpoint: str, **extra: object) -> Store:
    config = {"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1}}
    said = {"endpoint_url": endpoint, "region_name": "eu-west-3", "config_kwargs": config, **extra}
    connection = {"conn_type": "aws", "login": "AKIAME", "password": "secret", "extra": said}
    monkeypatch.setenv("AIRFLOW_CONN_SAID", json.dumps(connection))
    return Stores(read_settings({"part_mib": "5"})).open("s3://bucket/", "said")


def _ask_all(store: Store) -> None:
    store.put("s3://bucket/small", b"x")
    store.put("s3://bucket/large", bytes(6 * MIB))
    store.put_replacing("s3://bucket/replaced", b"x", None)
    store.read("s3://bucket/small")
    store.stat("s3://bucket/small")
    store.delete("s3://bucket/small")
    list(store.list("s3://bucket/"))
    staged = store.stage_copy("s3://bucket/large", 6 * MIB, "s3://bucket/copied", "")
    store.waiting("s3://bucket/copied")
    store.release(staged, None)
    store.discard(staged)


def test_encryption_and_acl_go_with_what_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as server:
        _ask_all(_store(monkeypatch, server.endpoint, service_config={"s3": {"extra_args": SSE}}))
        puts = [headers for line, headers in server.asked if line.startswith("PUT ") and "partNumber" not in line]
        begun = [headers for line, headers in server.asked if line.endswith("?uploads")]
        assert len(puts) == 2
        assert len(begun) == 2
        for headers in [*puts, *begun]:
            assert headers["x-amz-server-side-encryption"] == "aws:kms"
            assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"
            assert headers["x-amz-acl"] == "bucket-owner-full-control"
        for method in ("GET", "HEAD", "DELETE"):
            assert all("x-amz-acl" not in headers for headers in server.of(method))


def test_a_customers_own_key_goes_with_what_is_read_written_and_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "0123456789abcdef0123456789abcdef"
    said = {"s3": {"extra_args": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}}}
    with recording() as server:
        _ask_all(_store(monkeypatch, server.endpoint, service_config=said))
        copies = [headers for _, headers in server.asked if "x-amz-copy-source" in headers]
        read = [headers for line, headers in server.asked if line.startswith("GET ") and "/small" in line]
        made = [headers for line, headers in server.asked if line.startswith("PUT ")]
    encoded = base64.b64encode(key.encode()).decode()
    prefix = "server-side-encryption-customer-key"
    assert copies
    assert read
    assert {headers.get(f"x-amz-copy-source-{prefix}") for headers in copies} == {encoded}
    assert {headers.get(f"x-amz-{prefix}") for headers in [*made, *read]} == {encoded}


def test_who_pays_goes_with_all_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as server:
        said = {"s3": {"extra_args": {"RequestPayer": "requester"}}}
        _ask_all(_store(monkeypatch, server.endpoint, service_config=said))
        asked = {f"{line.split()[0]} {urlsplit(line).query.partition('=')[0]}" for line, _ in server.asked}
        assert asked >= {"PUT partNumber", "POST uploads", "POST uploadId", "DELETE uploadId"}
        assert any(line.startswith("GET ") and "uploads" in urlsplit(line).query for line, _ in server.asked)
        assert {headers.get("x-amz-request-payer") for _, headers in server.asked} == {"requester"}


def test_an_argument_that_s3_has_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"s3": {"extra_args": {"ServerSideEncrytion": "aws:kms"}}}
    with pytest.raises(StorageAccessError, match=r"'said'.*ServerSideEncrytion.*Did you mean ServerSideEncryption\?"):
        _store(monkeypatch, "http://127.0.0.1:9", service_config=said)


def test_an_assumed_roles_credentials_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as server, recording() as sts:
        said = {"service_config": {"sts": {"endpoint_url": sts.endpoint}}, "role_arn": ROLE}
        _store(monkeypatch, server.endpoint, **said).put("s3://bucket/a", b"x")
        ((_, headers),) = server.asked
        assert "Credential=ASIAROLE/" in headers["authorization"]
        assert "/eu-west-3/s3/" in headers["authorization"]
        assert headers["x-amz-security-token"] == "token-1"
        assert [line for line, _ in sts.asked] == ["POST /"]


def test_a_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as proxy:
        config = {"s3": {"addressing_style": "path"}, "proxies": {"http": proxy.endpoint}}
        _store(monkeypatch, "http://s3.example", config_kwargs=config).put("s3://bucket/a", b"x")
        assert [line for line, _ in proxy.asked] == ["PUT http://s3.example/bucket/a"]


def test_the_bucket_may_stand_in_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as proxy:
        config = {"s3": {"addressing_style": "virtual"}, "proxies": {"http": proxy.endpoint}}
        _store(monkeypatch, "http://s3.example", config_kwargs=config).put("s3://bucket/a", b"x")
        assert [line for line, _ in proxy.asked] == ["PUT http://bucket.s3.example/a"]


def test_azure_is_asked_by_proxy_and_with_the_signature_of_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as proxy:
        host = "http://blob.example/devstore"
        extra = {"sas_token": "sv=2024-11-04&sig=s1gned", "proxies": {"http": proxy.endpoint}, "retry_total": 0}
        monkeypatch.setenv("AIRFLOW_CONN_SAID", json.dumps({"conn_type": "wasb", "host": host, "extra": extra}))
        Stores(read_settings({})).open("abfs://container/", "said").put("abfs://container/a", b"x")
        ((line, headers),) = proxy.asked
        assert line.startswith("PUT http://blob.example/devstore/container/a?")
        assert parse_qs(urlsplit(line).query)["sig"] == ["s1gned"]
        assert "authorization" not in headers


def test_a_certificate_of_ones_own_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    context, certificate = _tls(tmp_path)
    with recording(context) as server:
        with pytest.raises(StorageError, match=r"(?i)certificate verify failed"):
            _store(monkeypatch, server.endpoint).put("s3://bucket/a", b"x")
        assert server.asked == []
        _store(monkeypatch, server.endpoint, verify=str(certificate)).put("s3://bucket/a", b"x")
        assert len(server.asked) == 1


def test_azures_certificate_of_ones_own_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    context, certificate = _tls(tmp_path)
    with recording(context) as server:
        for said in ({}, {"connection_verify": str(certificate)}):
            extra = {"account_name": "devstore", "retry_total": 0, **said}
            host = f"{server.endpoint}/devstore"
            connection = {"conn_type": "wasb", "host": host, "login": "devstore", "password": "a2V5", "extra": extra}
            monkeypatch.setenv("AIRFLOW_CONN_SAID", json.dumps(connection))
            store = Stores(read_settings({})).open("abfs://container/", "said")
            if said:
                store.put("abfs://container/a", b"x")
            else:
                with pytest.raises(StorageError, match=r"(?i)certificate verify failed"):
                    store.put("abfs://container/a", b"x")
        assert [line for line, _ in server.asked] == ["PUT /devstore/container/a"]


def test_the_client_is_given_what_the_hook_gives_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the hook's `get_conn`, which looks through the stack for its user agent."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    config = {"s3": {"addressing_style": "virtual"}, "retries": {"total_max_attempts": 7}, "read_timeout": 11}
    extra = {"region_name": "eu-west-3", "verify": False, "config_kwargs": config}
    for said in (
        {"endpoint_url": "https://all.example"},
        {"endpoint_url": "https://all.example", "service_config": {"s3": {"endpoint_url": "https://s3.example"}}},
        {},
    ):
        connection = {"conn_type": "aws", "login": "AKIAME", "password": "secret", "extra": {**extra, **said}}
        monkeypatch.setenv("AIRFLOW_CONN_SAID", json.dumps(connection))
        ours, theirs = s3_client("said"), S3Hook(aws_conn_id="said").get_conn()
        assert ours.meta.endpoint_url == theirs.meta.endpoint_url
        assert ours.meta.region_name == theirs.meta.region_name
        assert ours._endpoint.http_session._verify is theirs._endpoint.http_session._verify is False
        for key in ("s3", "retries", "read_timeout", "signature_version", "proxies"):
            assert getattr(ours.meta.config, key) == getattr(theirs.meta.config, key), key
        keys = [each._request_signer._credentials.access_key for each in (ours, theirs)]
        assert keys == ["AKIAME", "AKIAME"]
        ours.close()
        theirs.close()


def _tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side with a certificate that it signed itself, for 127.0.0.1; and the file of that."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    return context, certificate
