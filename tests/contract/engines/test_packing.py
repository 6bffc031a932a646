"""zip beyond what its first form can hold, beside unzip; headers that concat keeps once."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.engine_harness import Results, finished, join, split
from triptych.errors import EngineError
from triptych.jobs.pack_log import entry_name
from triptych.settings import Settings
from triptych.stages.assemble import assemble

BLOCK = bytes(1 << 24)


def test_a_file_of_more_than_4_gib(settings: Settings) -> None:
    size = (1 << 32) + 3
    job = finished(settings, "zip", [Results({"small.txt": b"small"}), Results({})], {})
    (pack,) = job.plan.packs
    # A hole, which takes no space.
    large = Path(job.workspace.uri("results/large").removeprefix("file://"))
    large.touch()
    os.truncate(large, size)
    digest = hashlib.sha256(bytes(3))
    for _ in range(size // len(BLOCK)):
        digest.update(BLOCK)
    entry = entry_name(0, pack, 1)
    said = json.loads(job.workspace.store.read(job.workspace.uri(entry)))
    said["done"][1]["files"] = [
        {"name": "large.bin", "size": size, "sha256": digest.hexdigest(), "object": "results/large", "offset": None}
    ]
    job.workspace.put_json(entry, said)
    found = assemble(job)
    archive = Path(found.uri.removeprefix("file://")) / "output.zip"
    subprocess.run(["unzip", "-tq", archive], check=True, stdout=subprocess.DEVNULL)
    listed = subprocess.run(["unzip", "-l", archive], check=True, capture_output=True, text=True).stdout
    assert [line.split()[0] for line in listed.splitlines()[3:5]] == ["5", str(size)]


def test_more_files_than_a_short_number_counts(settings: Settings, tmp_path: Path) -> None:
    (data,) = join(settings, "zip", [Results({f"{n}.txt": b"" for n in range(65_537)})]).values()
    (tmp_path / "a.zip").write_bytes(data)
    listed = subprocess.run(["unzip", "-l", tmp_path / "a.zip"], check=True, capture_output=True, text=True).stdout
    assert listed.splitlines()[-1].split() == ["0", "65537", "files"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_header_of_several_lines_is_kept_once(settings: Settings, end: str) -> None:
    header = f'id,"two\nlines"{end}'.encode()
    results = [Results({"r.csv": header + f"{n},x{end}".encode()}) for n in range(3)]
    rows = [f"{n},x{end}".encode() for n in range(3)]
    assert join(settings, "concat", results) == {"output.csv": header + b"".join(rows)}
    others = [*results, Results({"r.csv": b'id,"two\nothers"\n3,y\n'})]
    for declared in (None, True):
        with pytest.raises(EngineError, match=r"chunk 3, 'r\.csv': its header .* is not that of chunk 0"):
            join(settings, "concat", others, {"header": declared})
    assert join(settings, "concat", others, {"header": False})["output.csv"].count(b"two") == 4
    assert join(settings, "concat", results, {"header": False})["output.csv"].count(b"two") == 3


def test_files_in_a_tar_keep_their_names(settings: Settings, tmp_path: Path) -> None:
    """Truth: tarfile; of two files of one name, the folders in which they differ are kept."""
    expected: dict[str, bytes] = {"a/x.txt": b"one", "b/x.txt": b"", "y.bin": bytes(1000)}
    for name, data in expected.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    pieces = split(settings, "files", [tmp_path / name for name in expected], {"items_per_chunk": 2, "layout": "tar"})
    found: dict[str, bytes] = {}
    for piece in pieces:
        with tarfile.open(fileobj=io.BytesIO(piece.data)) as archive:
            for entry in archive:
                held = archive.extractfile(entry)
                assert held is not None
                found[entry.name] = held.read()
        assert [each["name"] for each in piece.metadata["files"]] == list(found)[-(piece.items or 0) :]
    assert found == expected
