"""All that we tell users: the literals of our source, the schemas' own words, and the pages; each with its place."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support.source_tree import modules
from triptych.blocks import BUILT_IN
from triptych.schemas.files import FOLDER
from triptych.settings import PROJECT

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
GAP = "{}"
"""Stands in a literal for what is filled in."""


@dataclass(frozen=True)
class Told:
    """One text; `code` are its parts that are typed or named: spans in backticks, and lines of a shell's block."""

    place: str
    source: str
    prose: str
    code: tuple[str, ...]
    is_for_developers: bool = False
    """Of the pages that explain our code: they may name what is in it."""

    @property
    def all(self) -> Iterator[str]:
        yield self.prose
        yield from self.code


def told(place: str, text: str, *, is_for_developers: bool = False) -> Told:
    """The text, taken apart."""
    lines = [line for kind, block in FENCE.findall(text) if kind in ("sh", "console") for line in _joined(block)]
    outside = FENCE.sub("", text)
    return Told(place, outside, SPAN.sub(" ", outside), (*SPAN.findall(outside), *lines), is_for_developers)


@cache
def messages() -> tuple[Told, ...]:
    """Every text of several words that our source, its schemas or an engine's files hold; docstrings are not told."""
    found = [told(f"{name}:{line}", text) for name, line, text in _literals() if " " in text]
    schemas = [
        *FOLDER.glob("*.json"),
        *BUILT_IN.glob("engines/**/schema.json"),
        *BUILT_IN.glob("engines/**/manifest.json"),
    ]
    for path in schemas:
        texts = _texts(json.loads(path.read_text(encoding="utf-8")))
        found += [told(path.relative_to(PROJECT).as_posix(), text) for text in texts if " " in text]
    return tuple(found)


@cache
def pages() -> tuple[Told, ...]:
    """The README, how to contribute, and all below `docs`."""
    paths = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
    return tuple(
        told(
            path.relative_to(PROJECT).as_posix(),
            path.read_text(encoding="utf-8"),
            is_for_developers=path.name == "CONTRIBUTING.md" or path.parent.name in ("contributing", "explanation"),
        )
        for path in paths
    )


def literals_alone(module: str = "") -> set[str]:
    """Those that are one word, of one module or of all: names of variables, keys and values that the source uses."""
    return {text for name, _, text in _literals() if " " not in text and module in ("", name)}


def _literals() -> Iterator[tuple[str, int, str]]:
    """(module, line, text) of each literal; an f-string whole, with GAP for what is filled in."""
    for name, module in modules().items():
        skipped = {id(part) for node in ast.walk(module.tree) for part in _not_told(node)}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values]
                yield name, node.lineno, "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
                yield name, node.lineno, node.value


def _not_told(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings, of attributes too, and the parts of an f-string; but the help of a command is its docstring."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    if isinstance(node, ast.JoinedStr):
        yield from node.values
    body = getattr(node, "body", ())
    if isinstance(body, list) and not any("command" in ast.unparse(each) for each in decorators):
        yield from (statement.value for statement in body if isinstance(statement, ast.Expr))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _joined(block: str) -> list[str]:
    """The lines of a shell's block, without comments, each continued one whole."""
    whole = re.sub(r"\\\n\s*", " ", block)
    return [line.partition(" #")[0].removeprefix("$ ").strip() for line in whole.splitlines() if line.strip()]
