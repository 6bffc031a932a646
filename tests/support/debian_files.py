"""Files of Debian's packages that tests read: fetched by name, version and SHA-256, and unpacked, never copied.

Their licences are many. What was fetched stays in the cache folder.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.fetched import fetched

PACKAGES: Mapping[str, tuple[str, str]] = {
    "fail2ban": ("1.0.2-2", "9717b7aeef7b00f0df4c76045cd6dab2755cbe9fc99dbfe3cd114126880ec7f7"),
}
"""Version and SHA-256 of the package, as Debian 12 has it."""


@functools.cache
def unpacked(name: str) -> Path:
    """The package's files, as they would lie below /; skips the test, which CI forbids, where it cannot be fetched."""
    version, sha256 = PACKAGES[name]

    def make(_: Path, work: Path) -> Path:
        package = _fetch(f"{name}={version}", work)
        assert hashlib.sha256(package.read_bytes()).hexdigest() == sha256
        subprocess.run(["dpkg-deb", "--extract", str(package), f"{work}/new"], check=True)
        return work / "new"

    return fetched("debian-files", sha256, "", make)


def _fetch(package: str, work: Path) -> Path:
    """A machine whose lists of packages are empty asks for them once, as root only."""
    for command in (["apt-get", "download", package], ["apt-get", "update"], ["apt-get", "download", package]):
        try:
            done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip(f"{package} cannot be fetched, which needs Debian's apt-get.")
        if found := [*work.glob("*.deb")]:
            return found[0]
    pytest.skip(f"{package} cannot be fetched, which needs a network: {done.stderr.strip()[-200:]}")
