"""tar and indexed."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Mapping

from tests.contract.engines.cases import Join
from tests.support.engine_harness import Results


def _files() -> list[Results]:
    long = f"{'ä' * 90}.txt"
    return [Results({"r.txt": b"zero\n"}), Results({"r.txt": b"one\n", f"folder/{long}": b""}), Results({"報告": b"x"})]


def _packed(found: Mapping[str, bytes]) -> None:
    ((name, data),) = found.items()
    if name.endswith(".zst"):
        # Another implementation than the one that wrote it: GNU tar reads it by the command zstd where there is one.
        from backports import zstd

        data = zstd.decompress(data)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
        bodies = [stream.read() for member in archive if (stream := archive.extractfile(member))]
    assert bodies == [b"zero\n", b"", b"one\n", b"x"]
    assert names == ["000000_r.txt", f"{'ä' * 90}.txt", "000001_r.txt", "報告"]


def _listed_by_tar(found: Mapping[str, bytes]) -> None:
    _packed(found)
    shown = subprocess.run(["tar", "-tzf", "-"], input=found["output.tar.gz"], capture_output=True, check=True)
    assert len(shown.stdout.splitlines()) == 4


def _large(factor: int) -> list[Results]:
    return [Results({"r.bin": bytes(range(256)) * 4096}) for _ in range(8 * factor)]


def _with_gap() -> list[Results]:
    return [Results({"a.png": b"0"}), Results({}), Results({"x.png": b"2", "y/x.png": b"3"})]


def _numbered(found: Mapping[str, bytes]) -> None:
    index = json.loads(found["index.json"])
    names = {"f_000.png": b"0", "f_002/x.png": b"2", "f_002/y/x.png": b"3"}
    assert {name: data for name, data in found.items() if name != "index.json"} == names
    assert index["missing"] == [1, 3]
    assert [entry["name"] for entry in index["files"]] == list(names)


def _rows(*numbers: object) -> list[Results]:
    return [Results({"r": str(n).encode()}, metadata={"place": {"row": n}}) for n in numbers]


CASES = [
    Join("tar", {}, _files, _packed, bad={"compression": "lzma"}, grow=_large),
    Join("tar", {"compression": "gzip"}, _files, _listed_by_tar, bad={"level": 12}, grow=_large),
    Join("tar", {"compression": "none"}, _files, _packed, bad={"level": 0}),
    Join(
        "indexed", {"prefix": "f_", "digits": 3, "expected": 4}, _with_gap, _numbered, bad={"prefix": "a/"}, grow=_large
    ),
    Join(
        "indexed",
        {"index": "place.row"},
        lambda: _rows(2, 0),
        lambda found: _same([found["000000"], found["000002"]], [b"0", b"2"]),
        bad={"digits": 0},
        corrupt=lambda: _rows(1, 1),
        says="same number 1",
    ),
    Join(
        "indexed",
        {"on_gap": "fail"},
        lambda: [Results({"r": b"x"})],
        lambda found: _same(found["000000"], b"x"),
        bad={"on_gap": "ignore"},
        corrupt=_with_gap,
        says="1 number.* have no result: 1",
    ),
    Join(
        "indexed",
        {"index": "row"},
        lambda: [Results({"r": b"x"}, metadata={"row": 7})],
        lambda found: _same(found["000007"], b"x"),
        bad={"expected": 0},
        corrupt=lambda: _rows(1),
        says="no whole number 'row'",
    ),
]


def _same(found: object, expected: object) -> None:
    assert found == expected
