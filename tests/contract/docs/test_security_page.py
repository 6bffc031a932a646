"""The security page: each line of its table of attacks names tests, and each test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from triptych.settings import PROJECT

PAGE = PROJECT / "docs" / "explanation" / "security.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[^`]*)`")
HEAD = "| attack | what holds | enforced by | test |"


@cache
def _tests_of(path: Path) -> frozenset[str]:
    """Names of the module's tests, from its text: nothing is imported, so a library that is missing hides none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


def _rows() -> list[list[str]]:
    """The cells of each line below a head of a table of attacks."""
    tables = TEXT.split(f"{HEAD}\n")[1:]
    lines = [line for table in tables for line in table.split("\n\n")[0].splitlines()[1:]]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]


@pytest.mark.parametrize("name", sorted(set(NAMED.findall(TEXT))))
def test_each_test_that_is_named_exists(name: str) -> None:
    module, _, test = name.partition("::")
    path = PROJECT / module
    assert test.startswith("test_"), f"{name}: write it as `tests/<folders>/<module>.py::test_<name>`."
    assert path.is_file(), f"{name}: there is no such module."
    assert test in _tests_of(path), f"{name}: the module has no such test."


def test_each_attack_says_what_holds_by_whom_and_by_which_test() -> None:
    rows = _rows()
    assert len(rows) >= 10
    wrong = [row for row in rows if len(row) != 4 or not all(map(str.strip, row)) or not NAMED.search(row[3])]
    assert wrong == []
