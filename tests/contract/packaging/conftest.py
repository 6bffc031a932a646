"""A machine that has the built wheel and its core dependencies, and nothing else: no Airflow, no engine's library.

The dependencies are links to those of this environment, so it takes two seconds and no network.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from triptych.settings import PROJECT


@dataclass(frozen=True)
class Installed:
    """A virtual environment and the empty folder in which its command is called."""

    venv: Path
    home: Path

    @property
    def site_packages(self) -> Path:
        return next(self.venv.glob("lib/python*/site-packages"))

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A program of the environment, as a user's shell starts it."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "AIRFLOW", "TRIPTYCH"))
        }
        own = {"XDG_CACHE_HOME": str(self.home / ".cache"), "AIRFLOW_HOME": str(self.home), "COLUMNS": "200"}
        return subprocess.run(
            [self.venv / "bin" / program, *arguments],
            cwd=self.home,
            env={**kept, **own, "AIRFLOW__TRIPTYCH__SCRATCH": str(self.home / ".scratch")},
            capture_output=True,
            text=True,
            check=False,
        )

    def triptych(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run("triptych", *arguments)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    installed = Installed(tmp_path_factory.mktemp("bare") / "venv", tmp_path_factory.mktemp("home"))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", installed.venv], check=True)
    python = str(installed.venv / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    (metadata,) = installed.site_packages.glob("triptych-*.dist-info")
    for name in sorted(_closure(Distribution.at(metadata).requires or [])):
        for entry in _top_level(name):
            (installed.site_packages / entry.name).symlink_to(entry)
    return installed


def _closure(requirements: list[str]) -> set[str]:
    """Names of the distributions that these need here, and of what those need, without extras nobody asks for."""
    names: set[str] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        if name not in names:
            names.add(name)
            inner = distribution(name).requires or []
            waiting += [(Requirement(text), each) for text in inner for each in ("", *requirement.extras)]
    return names


def _top_level(name: str) -> Iterator[Path]:
    """The folders and modules of a distribution, where this environment has them."""
    found = distribution(name)
    entries = {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}
    yield from (Path(str(found.locate_file(entry))) for entry in sorted(entries))
