"""Our own source as data, read by `ast` and never imported: modules, what they import, and what they define."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from triptych.settings import PROJECT

PLUGINS = PROJECT / "plugins"
PACKAGE = PLUGINS / "triptych"
NOT_OURS_TO_RUN = (PACKAGE / "scaffold" / "files", PACKAGE / "running" / "launcher")
"""Templates of new blocks, and what runs inside the app's container: files of ours that are no modules."""


@dataclass(frozen=True)
class Import:
    """One imported module, or name of a module where the importer names no module of ours; `line` from 1."""

    target: str
    line: int
    at_parse_time: bool
    """Whether importing the importer imports this too: not inside a function, nor for type checkers only."""


@dataclass(frozen=True, eq=False)
class Module:
    """One file: its dotted name, and its tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        """`triptych.storage.s3` -> `storage`; `triptych.errors` -> `errors`; "" for the root itself."""
        return f"{self.name}.".split(".")[1]


@cache
def modules() -> Mapping[str, Module]:
    """Every module of the package by its dotted name; a package goes by its own name, without `__init__`."""
    paths = (path for path in sorted(PACKAGE.rglob("*.py")) if not set(path.parents) & set(NOT_OURS_TO_RUN))
    named = {_dotted(path): path for path in paths}
    return {name: Module(name, path, _tree(path)) for name, path in named.items()}


@cache
def imports(module: Module) -> Sequence[Import]:
    """All of them, the local ones too; `from triptych.engines import api` counts as `triptych.engines.api`."""
    return tuple(_imports(module.tree.body, at_parse_time=True))


def parse_time_closure(*targets: str) -> Mapping[str, tuple[str, ...]]:
    """What importing these modules of ours imports in the end, of ours and of others, with a chain that leads there."""
    chains: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(target, (target,)) for target in targets]
    while waiting:
        target, chain = waiting.pop(0)
        if target in chains:
            continue
        chains[target] = chain
        if target not in modules():
            continue
        parents = [".".join(target.split(".")[:depth]) for depth in range(1, target.count(".") + 1)]
        found = [each.target for each in imports(modules()[target]) if each.at_parse_time]
        waiting += [(each, (*chain, each)) for each in [*parents, *found]]
    return chains


def python_files(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Each `.py` below these folders of the project, with its tree."""
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield path, _tree(path)


def public_definitions(tree: ast.Module) -> list[str]:
    """Names of the functions and classes at the top level that are not private."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def _imports(body: list[ast.stmt], *, at_parse_time: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(name.name, node.lineno, at_parse_time) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (
                Import(_target(node.module or "", name.name), node.lineno, at_parse_time) for name in node.names
            )
        else:
            yield from _nested(node, at_parse_time)


def _nested(node: ast.AST, at_parse_time: bool) -> Iterator[Import]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        at_parse_time = False
    for field, value in ast.iter_fields(node):
        children = [child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)]
        for_checkers = isinstance(node, ast.If) and field == "body" and "TYPE_CHECKING" in ast.dump(node.test)
        now = at_parse_time and not for_checkers
        yield from _imports([child for child in children if isinstance(child, ast.stmt)], at_parse_time=now)
        for child in children:
            if not isinstance(child, ast.stmt):
                yield from _nested(child, now)


def _target(module: str, name: str) -> str:
    full = f"{module}.{name}"
    return full if full in _names() else module


@cache
def _names() -> frozenset[str]:
    return frozenset(_dotted(path) for path in PACKAGE.rglob("*.py"))


def _dotted(path: Path) -> str:
    parts = path.relative_to(PLUGINS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))
