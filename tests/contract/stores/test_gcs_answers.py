"""What a server says in Google's place: answers that were cut or spoiled, refusals, tokens; and whom we ask."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.forwarding import Forwarding, serving
from tests.support.google_rules import GoogleRules, crc32c
from tests.support.places import GCS_BUCKET, MIB, PART_MIB
from triptych.errors import SourceError, StorageAccessError, StorageError
from triptych.settings import PROJECT, read_settings
from triptych.storage import Store, Stores

DATA = random.Random(14).randbytes(12 * MIB)
SETTINGS = read_settings({"part_mib": str(PART_MIB)})
IN_ONE_PART = read_settings({"part_mib": "16"})


@dataclass
class Said:
    """What a server that is none answers, one after the other, the last again and again; `asked` is what was asked."""

    answers: Sequence[bytes]
    asked: list[str] = field(default_factory=list)


@contextmanager
def _saying(*answers: bytes) -> Iterator[tuple[str, Said]]:
    said = Said(answers)

    class Handler(Forwarding):
        def forward(self) -> None:
            self.body()
            said.asked.append(f"{self.command} {self.path}")
            number = min(len(said.asked), len(said.answers)) - 1
            self.wfile.write(said.answers[number])
            self.close_connection = True

        do_GET = do_PUT = do_POST = do_DELETE = forward

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as endpoint:
        yield endpoint, said


def _answer(status: int, body: bytes = b"", **headers: object) -> bytes:
    lines = [f"HTTP/1.1 {status} said", "Connection: close"]
    lines += [
        f"{name.replace('_', '-')}: {value}"
        for name, value in {"Content_Length": len(body), **headers}.items()
        if value is not None
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


HASH = "crc32c=yZRlqg=="  # Of "hello world".
GET: list[Any] = [
    pytest.param(_answer(200, b"", Content_Length=11), "IncompleteRead", id="cut body"),
    pytest.param(_answer(200, b"hello world", X_Goog_Hash="crc32c=AAAAAA=="), "other bytes came", id="CRC32C"),
    pytest.param(_answer(200, b"hello", Content_Length=None), "cut short", id="cut headers"),
    pytest.param(_answer(500, b"no"), None, id="500"),
]


@pytest.mark.parametrize(("answer", "match"), GET)
def test_an_answer_with_other_bytes_is_an_error(
    gcs: str, answer: bytes, match: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = _answer(200, b"hello world", X_Goog_Hash=HASH)
    with _saying(answer, good) as (endpoint, said):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        store = Stores(SETTINGS).open(GCS_BUCKET, gcs)
        if match is not None:
            with pytest.raises(StorageError, match=match):
                store.read(f"{GCS_BUCKET}/a")
        assert store.read(f"{GCS_BUCKET}/a") == b"hello world"
        assert len(said.asked) == 2


def _saying_data(generations: Sequence[int], spoiled: int = 0) -> list[bytes]:
    """DATA as a server gives it that breaks off after a block and a bit, each answer of one of these generations."""
    answers = []
    for number, generation in enumerate(generations):
        begin = number * (MIB + 5)
        rest = DATA[begin:]
        said = {"X_Goog_Generation": generation, "X_Goog_Hash": crc32c(DATA), "Content_Length": len(rest)}
        if begin:
            said["Content_Range"] = f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}"
        is_last = number == len(generations) - 1
        body = bytearray(rest if is_last else rest[: MIB + 5])
        body[0] ^= spoiled
        answers.append(_answer(206 if begin else 200, bytes(body), **said))
    return answers


def test_what_breaks_off_is_gone_on_with(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with _saying(*_saying_data([7, 7, 7])) as (endpoint, said):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        assert Stores(IN_ONE_PART).open(GCS_BUCKET, gcs).read(f"{GCS_BUCKET}/a") == DATA
        assert len(said.asked) == 3


def test_what_breaks_off_is_not_gone_on_with_in_another_object(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with _saying(*_saying_data([7, 8])) as (endpoint, _):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        with pytest.raises(SourceError, match="changed"):
            Stores(IN_ONE_PART).open(GCS_BUCKET, gcs).read(f"{GCS_BUCKET}/a")


def test_what_was_gone_on_with_is_compared_as_a_whole(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with _saying(*_saying_data([7, 7], spoiled=1)) as (endpoint, _):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        with pytest.raises(StorageError, match="other bytes came"):
            Stores(IN_ONE_PART).open(GCS_BUCKET, gcs).read(f"{GCS_BUCKET}/a")


@pytest.mark.parametrize(
    "answer",
    [
        _answer(200, b"hello world"),
        _answer(206, b"llo wo", Content_Range="bytes 2-7/11"),
        _answer(206, b"hello", Content_Range="bytes 0-4/11"),
        _answer(206, b"llo", Content_Range=None),
        _answer(206, b"l", Content_Range="bytes 2-4/11", Content_Length=1),
    ],
)
def test_a_range_is_the_one_that_was_asked_for(gcs: str, answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with _saying(answer) as (endpoint, _):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        with pytest.raises(StorageError, match="cut short"):
            Stores(SETTINGS).open(GCS_BUCKET, gcs).read_range(f"{GCS_BUCKET}/a", 2, 3)


@pytest.mark.parametrize("body", [b'{"size": "3", "generation": ', b'{"size": "3"}'])
def test_an_answer_about_an_object_that_was_cut_is_an_error(
    gcs: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _saying(_answer(200, body, Content_Length=None, Content_Type="application/json")) as (endpoint, _):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        store = Stores(SETTINGS).open(GCS_BUCKET, gcs)
        with pytest.raises(StorageError, match="tests/a: ") as caught:
            store.stat(f"{GCS_BUCKET}/a")
        assert not isinstance(caught.value, FileNotFoundError)


ASK: list[Callable[[Store], object]] = [
    lambda store: store.stat(f"{GCS_BUCKET}/a"),
    lambda store: store.read(f"{GCS_BUCKET}/a"),
    lambda store: list(store.list(f"{GCS_BUCKET}/")),
    lambda store: store.put(f"{GCS_BUCKET}/a", b"x"),
    lambda store: store.put(f"{GCS_BUCKET}/a", DATA),
    lambda store: store.put_if_absent(f"{GCS_BUCKET}/a", b"x"),
    lambda store: store.stage_copy(f"{GCS_BUCKET}/a", 1, f"{GCS_BUCKET}/b", f"{GCS_BUCKET}/aside"),
    lambda store: store.delete(f"{GCS_BUCKET}/a"),
    lambda store: store.delete_version(f"{GCS_BUCKET}/a", "5"),
    lambda store: store.check_writable(f"{GCS_BUCKET}/"),
]


# google-auth drops the answer that it got first, unread, when it asks again after a 401.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("status", [401, 403])
def test_who_is_refused_is_told_so(gcs: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "anna@example.org does not have storage.objects.get access"
    body = json.dumps({"error": {"code": status, "message": message}}).encode()
    with _saying(_answer(status, body, Content_Type="application/json")) as (endpoint, _):
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", endpoint)
        for number, ask in enumerate(ASK):
            with pytest.raises(
                StorageAccessError, match=r"gs://tests.*refuses these credentials.*connection"
            ) as caught:
                ask(Stores(SETTINGS).open(GCS_BUCKET, gcs))
            assert status == 401 or "anna@example.org" in str(caught.value), number


def _key(token_uri: str) -> dict[str, str]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    about = {"type": "service_account", "project_id": "tests", "client_email": "job@tests.example", "client_id": "1"}
    return {**about, "private_key_id": "1", "private_key": pem.decode(), "token_uri": token_uri}


def _connected(key: object, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Store]:
    from google.oauth2.service_account import Credentials

    # google-auth asks Google itself, by a thread, where a service account may go: not from here.
    monkeypatch.setattr(Credentials, "_is_regional_access_boundary_lookup_required", lambda self: False)
    value = json.dumps({"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": json.dumps(key)}})
    monkeypatch.setenv("AIRFLOW_CONN_TRIPTYCH_KEY", value)
    return lambda: Stores(SETTINGS).open(GCS_BUCKET, "triptych_key")


def test_a_wrong_key_is_refused(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}'
    with _saying(_answer(400, body, Content_Type="application/json")) as (endpoint, said):
        store = _connected(_key(f"{endpoint}/token"), monkeypatch)()
        for ask in ASK:
            with pytest.raises(StorageAccessError, match=r"refuses these credentials.*Invalid JWT Signature"):
                ask(store)
        assert set(said.asked) == {"POST /token"}


def test_a_key_is_used(gcs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"{GCS_BUCKET}/{tmp_path.name}/a"
    body = b'{"access_token": "abc", "expires_in": 3600, "token_type": "Bearer"}'
    with _saying(_answer(200, body, Content_Type="application/json")) as (endpoint, said):
        store = _connected(_key(f"{endpoint}/token"), monkeypatch)()
        store.put(uri, DATA)
        assert store.read(uri) == DATA
        assert said.asked == ["POST /token"]


def test_a_key_that_is_none_is_told_when_the_store_is_opened(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {name: value for name, value in _key("http://127.0.0.1:9/token").items() if name != "client_email"}
    with pytest.raises(StorageAccessError, match=r"triptych_key.*client_email"):
        _connected(key, monkeypatch)()


def test_a_token_server_that_is_down_may_be_up_again(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with _saying(_answer(503, b"{}", Content_Type="application/json")) as (endpoint, said):
        with pytest.raises(StorageError, match="no token for these credentials") as caught:
            _connected(_key(f"{endpoint}/token"), monkeypatch)().stat(f"{GCS_BUCKET}/a")
        assert caught.value.retryable
        assert set(said.asked) == {"POST /token"}


ASKED_ELSEWHERE = """
import json, sys
asked = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        asked.append(str(args[event == "socket.connect"]))

sys.addaudithook(watch)
from triptych.settings import read_settings
from triptych.storage import Stores
for conn_id in ("triptych_gcs", None):
    store = Stores(read_settings({})).open("gs://tests/", conn_id)
    store.put("gs://tests/elsewhere", b"data")
    assert store.read("gs://tests/elsewhere") == b"data"
    list(store.list("gs://tests/else"))
print(json.dumps(asked))
"""


def test_no_other_address_is_asked(gcs: str, gcs_rules: GoogleRules, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without NO_GCE_CHECK, too: who says which credentials to take, or names an emulator, needs no metadata server."""
    for name in ("NO_GCE_CHECK", "GCE_METADATA_HOST"):
        monkeypatch.delenv(name, raising=False)
    command = [sys.executable, "-c", ASKED_ELSEWHERE]
    monkeypatch.setenv("PYTHONPATH", str(PROJECT / "plugins"))
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    asked = json.loads(ended.stdout.splitlines()[-1])
    assert asked
    assert [each for each in asked if "127.0.0.1" not in each] == []
