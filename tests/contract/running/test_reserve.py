"""A disk that one chunk would fill: that chunk fails, and says so; its neighbours have their results.

The disk is 24 MiB of memory, in a namespace of mounts of our own; 8 MiB of it stay free.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.errors import ChunkError, StorageError
from triptych.free_space import Reserve, free_bytes
from triptych.settings import PROJECT

MIB = 1 << 20
SCRIPT = """
if [ "$CHUNK_NUMBER" = 1 ]; then size=16252928; else size=1; fi
head -c $size /dev/zero > "$TASK_RESULTS_DIR/r-$CHUNK_NUMBER"
"""


def test_a_chunk_that_would_fill_the_disk_fails_alone(tmp_path: Path) -> None:
    manifest = {"entrypoint": "main.sh", "retries": 0}
    params = {"partitioner": {"items_per_chunk": 1}}
    config = {"chunksPerTask": 9, "toleratedFailurePercentage": 80}
    template = {"partitioner": "files", "params": params, "config": config}
    write_app(tmp_path, SCRIPT, entrypoint="main.sh", manifest=manifest, template=template)
    sources = {"deep.txt": 17, "large.txt": 1, "small.txt": 0}
    (tmp_path / "in").mkdir()
    for name, mib in sources.items():
        (tmp_path / "in" / name).write_bytes(b"a" * (mib * MIB + 1))
    (tmp_path / "scratch").mkdir()
    small = f"mount -t tmpfs -o size=24m none {tmp_path}/scratch && exec {sys.executable} -m triptych run tried"
    arguments = ["--source", f"{tmp_path}/in/", "--destination", f"{tmp_path}/out", "--include", f"{tmp_path}", "-v"]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", f'{small} "$@"', "sh", *arguments, "--runner", "process"],
        env={
            **os.environ,
            "PYTHONPATH": str(PROJECT / "plugins"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "AIRFLOW__TRIPTYCH__SCRATCH": f"{tmp_path}/scratch",
            "AIRFLOW__TRIPTYCH__SCRATCH_RESERVE_MIB": "8",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "Chunk 0 (chunk_0): the input has 17.0 MiB, and" in said
    assert "Chunk 1 (chunk_1): the results have 15.5 MiB, and" in said
    assert "of which scratch_reserve_mib = 8 stay free. Make room there" in said
    assert [path.name for path in (tmp_path / "out").glob("r-*")] == ["r-2"]


def test_a_disk_that_was_full_before_is_nobodys_chunk(tmp_path: Path) -> None:
    """A terabyte more than there is must stay free."""
    reserve = Reserve(tmp_path, free_bytes(tmp_path) + (1 << 40))
    for is_written in (False, True):
        with pytest.raises(StorageError, match="stay free"):
            reserve.check(MIB, "the input has", is_written=is_written)
    assert "stay free" in reserve.shortage()
    with pytest.raises(ChunkError, match=r"the input has 2097152\.0 MiB, and .* stay free"):
        Reserve(tmp_path, 0).check(2 << 40, "the input has")
    assert Reserve(tmp_path, 0).shortage() == ""
