"""The player of HTTP Live Streaming that most pages take: hls.js (Apache-2.0), fetched from npm, never copied."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.fetched import fetched

VERSION, SHA256 = "1.7.4", "e4ab3d5d13f7cca9ef241d098f39686e19fd451831ba07dc9943482fd5ff75c7"
"""Of its package."""


@functools.cache
def player_script() -> str:
    """Skips the test, which CI forbids, where it cannot be fetched."""
    return (fetched("hls.js", SHA256, "", _fetch) / "hls.min.js").read_text()


def _fetch(_: Path, work: Path) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("no npm: apt-get install npm")
    command = ["npm", "pack", "--silent", f"hls.js@{VERSION}"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    found = [*work.glob("*.tgz")]
    if not found:
        pytest.skip(f"hls.js cannot be fetched, which needs a network: {done.stderr.strip()[-200:]}")
    assert hashlib.sha256(found[0].read_bytes()).hexdigest() == SHA256
    new = work / "new"
    new.mkdir()
    with tarfile.open(found[0]) as package:
        data = package.extractfile("package/dist/hls.min.js")
        assert data
        (new / "hls.min.js").write_bytes(data.read())
    return new
