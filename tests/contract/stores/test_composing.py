"""One output file of several results: the store puts together what it has, and the file is as if all were written."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.azure_rules import AzureRules
from tests.support.fault_proxy import Fault, Request, Rule, fault_proxy
from tests.support.google_rules import GoogleRules
from tests.support.outputs import newest_listing
from tests.support.places import CONTAINER, GCS_BUCKET, MIB, PART_MIB, Place
from tests.support.servers import Server, s3_connection
from triptych.connections import gcs_client
from triptych.errors import IntegrityError
from triptych.jobs.pack_log import ResultFile
from triptych.jobs.workspace import ChunkEntry, Workspace
from triptych.settings import read_settings
from triptych.stages.packed import PackedResults
from triptych.stages.publishing import Existing, Publisher, Records, StagedOutput, Target, Used
from triptych.stages.results import ResultObject
from triptych.storage import Stores, TransferLimits
from triptych.storage.gcs.store import GcsStore

MARK = b"\xef\xbb\xbf"
LARGE = 12 * MIB
DATA = MARK + random.Random(16).randbytes(LARGE - 3)
SHA256 = hashlib.sha256(DATA).hexdigest()


@contextmanager
def _output(place: Place) -> Iterator[StagedOutput]:
    records = Records(place.store, f"{place.root}w")
    publisher = Publisher(records, Target(place.store, f"{place.root}out/", "d", "r", Existing.ADD), Used(0, {}))
    with publisher.staging() as output:
        yield output
        publisher.publish(output, {})


def _result(
    place: Place, scratch: Path, sha256: str = SHA256, size: int = LARGE, offset: int | None = None
) -> ResultObject:
    """Of the object `w/large`; with an offset, a file that lies in it among others."""
    file = ResultFile("r.txt", size, sha256, "large", offset)
    workspace = Workspace(place.store, f"{place.root}w")
    return ResultObject(workspace, PackedResults(workspace, [file], scratch), ChunkEntry(0, "c", 0), file, "r", scratch)


def _check(place: Place, name: str, expected: bytes) -> None:
    """What lies there, what is listed of it, and that nothing else is left."""
    uri = f"{place.root}out/{name}"
    assert place.store.read(uri) == expected
    listing = newest_listing(Records(place.store, f"{place.root}w"))
    assert listing is not None
    (file,) = listing["files"]
    assert (file["size"], file["sha256"]) == (len(expected), hashlib.sha256(expected).hexdigest())
    assert file["etag"] == place.store.stat(uri).etag
    assert [found for found in place.names("out/") if not found.startswith("out/_triptych/d/")] == [f"out/{name}"]
    assert place.left(uri) == []


PIECES: Sequence[tuple[int | bytes, bytes]] = [
    (0, b""),
    (b"\n", b""),
    (0, MARK),
    (LARGE - 5, b""),
    (7, b""),
    (b".", b""),
]
"""What is written, or from where on a result is, and without what in front: all, little, in part, in the end."""


def _written(output: StagedOutput, pieces: Sequence[tuple[int | bytes, bytes]], result: ResultObject) -> bytes:
    """Write the pieces; what is to be there then."""
    expected = b""
    with output.open("a b.txt") as out:
        for piece, prefix in pieces:
            if isinstance(piece, bytes):
                out.write(piece)
                expected += piece
            else:
                assert out.append(result, piece, prefix) == DATA[-1:]
                expected += DATA[piece:].removeprefix(prefix)
    return expected


def test_what_the_store_puts_together_is_as_if_it_were_written(place: Place, tmp_path: Path) -> None:
    place.store.put(f"{place.root}w/large", DATA)
    with _output(place) as output:
        expected = _written(output, PIECES, _result(place, tmp_path))
    _check(place, "a%20b.txt", expected)


def test_results_that_lie_among_others_are_written(place: Place, tmp_path: Path) -> None:
    place.store.put(f"{place.root}w/large", DATA)
    small = _result(place, tmp_path, hashlib.sha256(DATA[9:1009]).hexdigest(), 1000, 9)
    with _output(place) as output, output.open("a.txt") as out:
        out.append(small, 1, DATA[10:13])
        assert out.append(small, 1000) == b""
    _check(place, "a.txt", DATA[13:1009])


def test_a_result_that_is_another_than_committed_leaves_nothing(place: Place, tmp_path: Path) -> None:
    place.store.put(f"{place.root}w/large", DATA[::-1])
    with pytest.raises(IntegrityError, match="another SHA-256"), _output(place) as output, output.open("a.txt") as out:
        out.append(_result(place, tmp_path))
    assert [name for name in place.names() if name != "w/large"] == []
    assert place.left(f"{place.root}out/a.txt") == []


@dataclass(frozen=True)
class Counted:
    """A place behind a proxy: how many bytes were sent through it, and how to have its store copy nothing."""

    place: Place
    sent: Callable[[], int]
    refuse: Callable[[], None]


@pytest.fixture(params=["s3", "gcs", "azure"])
def counted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    yield from {"s3": _s3, "gcs": _gcs, "azure": _azure}[request.param](request, tmp_path, monkeypatch)


def _place(uri: str, conn_id: str, tmp_path: Path) -> Place:
    settings = read_settings({"part_mib": str(PART_MIB)})
    return Place(Stores(settings).open(uri, conn_id), f"{uri}/{tmp_path.name}/composing/")


def _s3(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    request.getfixturevalue("s3_seaweed")
    server: Server = request.getfixturevalue("store")
    with fault_proxy(server.endpoint) as proxy:
        monkeypatch.setenv("AIRFLOW_CONN_COMPOSING", s3_connection(proxy.endpoint))

        def refuse() -> None:
            proxy.rules.append(Rule(Fault.DENIED, [Request.COPY_PART], times=9))

        yield Counted(_place("s3://tests", "composing", tmp_path), lambda: proxy.sent, refuse)


def _gcs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    rules: GoogleRules = request.getfixturevalue("gcs_rules")
    place = _place(GCS_BUCKET, request.getfixturevalue("gcs"), tmp_path)
    yield Counted(place, lambda: rules.sent, lambda: monkeypatch.setattr(rules, "composes", False))


def _azure(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    rules: AzureRules = request.getfixturevalue("azure_proxy")
    place = _place(CONTAINER, request.getfixturevalue("azure"), tmp_path)
    yield Counted(place, lambda: rules.sent, lambda: monkeypatch.setattr(rules, "copies", False))


def test_what_the_store_has_is_not_sent_again(counted: Counted, tmp_path: Path) -> None:
    """But for the first bytes behind something small on S3, which takes no part below 5 MiB before another one."""
    place = counted.place
    place.store.put(f"{place.root}w/large", DATA)
    before = counted.sent()
    with _output(place) as output:
        expected = _written(output, [(0, b""), (0, b""), (b"\n", b""), (0, b"")], _result(place, tmp_path))
    sent = counted.sent() - before
    _check(place, "a%20b.txt", expected)
    filled_up = 5 * MIB if place.root.startswith("s3:") else 0
    assert filled_up <= sent < filled_up + 100_000


def test_a_store_that_copies_nothing_is_sent_all(counted: Counted, tmp_path: Path) -> None:
    place = counted.place
    place.store.put(f"{place.root}w/large", DATA)
    counted.refuse()
    before = counted.sent()
    with _output(place) as output:
        expected = _written(output, [(b"first", b""), (0, b""), (0, b"")], _result(place, tmp_path))
        output.copy(_result(place, tmp_path), "copy")
    assert counted.sent() - before > len(expected)
    assert place.store.read(f"{place.root}out/a%20b.txt") == expected
    assert place.store.read(f"{place.root}out/copy") == DATA


def test_google_puts_more_together_than_it_takes_at_once(gcs: str, gcs_rules: GoogleRules, tmp_path: Path) -> None:
    """Of objects of another bucket, too: they are rewritten beside the one that is made."""
    part = 256 << 10
    client = gcs_client(gcs)
    store, root = GcsStore(client, TransferLimits(part, 16 * part)), f"{GCS_BUCKET}/{tmp_path.name}"
    client.create_bucket(f"other-{tmp_path.name}".replace("_", "-").lower())
    (elsewhere,) = (f"gs://{bucket.name}/there" for bucket in client.list_buckets() if bucket.name.startswith("other-"))
    store.put(elsewhere, DATA[:part])
    store.put(f"{root}/here", DATA[part : 2 * part])
    with store.stage(f"{root}/made", f"{root}/_triptych/t-0") as out:
        for _ in range(34):
            out.copy(f"{root}/here", 0, part, [DATA[part : 2 * part]])
        out.copy(elsewhere, 0, part, [DATA[:part]])
        out.write(b"end")
    store.release(out.staged, None)
    assert store.read(f"{root}/made") == DATA[part : 2 * part] * 34 + DATA[:part] + b"end"
    assert [info.uri.rpartition("/")[2] for info in store.list(f"{root}/")] == ["here", "made"]
