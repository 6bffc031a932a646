"""docs/contributing/add-an-engine.md, followed word by word in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from triptych.settings import PROJECT

PAGE = PROJECT / "docs" / "contributing" / "add-an-engine.md"
FENCED = re.compile(
    r"(?:^`(?P<file>[\w./-]+)`:\n\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
TREES = ("include", "plugins", "scripts", "tests", "docs", "dags")
FILES = ("pyproject.toml", "README.md")


@dataclass(frozen=True)
class Step:
    """A fenced block of the page: a file to write, or commands to run."""

    file: str
    text: str


def _steps(page: str) -> list[Step]:
    return [Step(found["file"] or "", found["text"]) for found in FENCED.finditer(page)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of this one, in which `.venv` is the environment of these tests."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in TREES:
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(PROJECT / name, copy / name)
    (copy / ".venv").symlink_to(sys.prefix)
    yield copy
    shutil.rmtree(copy)


def _run(commands: str, checkout: Path, **variables: str) -> str:
    """What a shell prints; the command `triptych` is the copy's package and not the one that is installed."""
    # No bytecode: the scratch folders and pages of a checkout hold what was made on purpose.
    own = {"PYTHONPATH": "plugins:.", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(checkout.parent), **variables}
    script = commands.replace(".venv/bin/triptych", ".venv/bin/python -m triptych")
    done = subprocess.run(
        ["bash", "-euc", script], cwd=checkout, env={**os.environ, **own}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_page_makes_an_engine_that_passes_the_suite(checkout: Path) -> None:
    main, _, _ = PAGE.read_text(encoding="utf-8").partition("## An assembler")
    printed = ""
    for step in _steps(main):
        if step.file:
            (checkout / step.file).parent.mkdir(parents=True, exist_ok=True)
            (checkout / step.file).write_text(step.text, encoding="utf-8")
        else:
            printed += _run(step.text, checkout)
    passed = re.search(r"(\d+) passed", printed)
    assert passed
    assert int(passed[1]) >= 10
    assert "skipped" not in printed
    assert "letters.mbox_000000002.mbox" in (checkout / "docs/reference/engines.md").read_text(encoding="utf-8")
    assert "`mbox@1.0`" in (checkout / "README.md").read_text(encoding="utf-8")


def test_an_engine_in_an_include_folder_of_its_own_goes_through_the_suite(checkout: Path, tmp_path: Path) -> None:
    _, _, own = PAGE.read_text(encoding="utf-8").partition("## An engine of your own")
    (step,) = _steps(own)
    new, suite = step.text.splitlines()
    home = {"HOME": str(tmp_path)}
    _run(f"mkdir ~/blocks\n{new}", checkout, **home)
    made = tmp_path / "blocks" / "engines" / "partitioners" / "by-page"
    (made / "test").mkdir()
    (made / "test" / "cases.py").write_text(CASES, encoding="utf-8")
    assert re.search(r"[1-9]\d* passed", _run(suite, checkout, **home))


CASES = """
from tests.contract.engines.cases import Split

def write(folder):
    (folder / "a.txt").write_text("some words", encoding="utf-8")
    return [folder / "a.txt"]

def check(pieces, sources):
    assert "".join(piece.data.decode() for piece in pieces) == "some words"

def one(folder):
    return write(folder)

CASES = [Split("by-page", {"bytes": 4}, write, check, bad={"bytes": 0})]
"""
