"""The security page: each line of its tables names tests, and each test that it names is there."""

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
ATTACKS = "| attack | what holds | enforced by | test |"
OTHERS = (
    "| who | is trusted with | is not trusted with | test |",
    "| what | by | test |",
    "| what | how | test |",
    "| open | what bounds it | test |",
)


@cache
def _tests_of(path: Path) -> frozenset[str]:
    """Names of the module's tests, from its text: nothing is imported, so a library that is missing hides none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


def _rows(head: str) -> list[list[str]]:
    """The cells of each line below such a head of a table, as often as the page has one."""
    tables = TEXT.split(f"{head}\n")[1:]
    lines = [line for table in tables for line in table.split("\n\n")[0].splitlines()[1:]]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("name", sorted(set(NAMED.findall(TEXT))))
def test_each_test_that_is_named_exists(name: str) -> None:
    module, _, test = name.partition("::")
    path = PROJECT / module
    assert test.startswith("test_"), f"{name}: write it as `tests/<folders>/<module>.py::test_<name>`."
    assert path.is_file(), f"{name}: there is no such module."
    assert test in _tests_of(path), f"{name}: the module has no such test."


def test_each_attack_says_what_holds_by_whom_and_by_which_test() -> None:
    rows = _rows(ATTACKS)
    assert len(rows) >= 10
    assert [row for row in rows if len(row) != 4 or not all(row) or not NAMED.search(row[3])] == []


@pytest.mark.parametrize("head", OTHERS)
def test_each_other_line_names_a_test_or_says_why_there_is_none(head: str) -> None:
    rows = _rows(head)
    assert len(rows) >= 7
    assert [row for row in rows if len(row) != head.count("|") - 1 or not row[0]] == []
    assert [row for row in rows if not NAMED.search(row[-1]) and not re.fullmatch("none: .+", row[-1])] == []
