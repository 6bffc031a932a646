"""Sizes and shares that a newcomer's way through the package depends on."""

from __future__ import annotations

import ast
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.source_tree import PACKAGE, modules
from triptych.settings import PROJECT

MOST_MODULES = 20
MOST_LINES = 400
LOOSE_SHARE = 0.03
"""Of all arguments, those annotated `Any` or `object`: an array, a table, an image has a type."""
DOCUMENTED_SHARE = 0.8
"""Of the public functions, those whose docstring says three words more than their name."""
OURS = ("plugins", "include", "dags", "tests", "benchmarks", "scripts")
SILENCED = re.compile(r"# (?:type: ignore|noqa)(?:\[[^]]*\]|: [A-Z]+\d+(?:, ?[A-Z]+\d+)*)?(?P<why>.*)")
LITTLE_WORDS = {"the", "a", "an", "of", "to", "in", "and", "this", "its"}


def test_folders_and_modules_are_of_a_size_to_read() -> None:
    paths = [module.path for module in modules().values() if module.path.name != "__init__.py"]
    folders = Counter(path.parent.relative_to(PACKAGE).as_posix() for path in paths)
    assert {folder: count for folder, count in folders.items() if count > MOST_MODULES} == {}
    lines = {path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_arguments_have_types() -> None:
    annotations = [
        argument.annotation
        for function in _functions()
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if argument.arg not in ("self", "cls")
    ]
    names = {"Any", "object", *_aliases()}
    loose = [each for each in annotations if isinstance(each, ast.Name) and each.id in names]
    assert len(loose) <= LOOSE_SHARE * len(annotations)


def test_public_functions_say_more_than_their_names() -> None:
    public = [function for function in _functions() if not function.name.startswith("_")]
    silent = [function.name for function in public if len(_words(function)) < 3]
    assert len(silent) <= (1 - DOCUMENTED_SHARE) * len(public), silent


def test_what_silences_a_check_says_why() -> None:
    """Behind the check's name, by ` - ` or as a comment: `# type: ignore[misc]  # Of a lambda with a default.`"""
    silent = []
    for path in _files():
        with path.open("rb") as file:
            comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
        found = [(token.start[0], SILENCED.search(token.string)) for token in comments]
        lines = [line for line, match in found if match and not re.match(r"\s+[#-] \S", match["why"])]
        silent += [f"{path.relative_to(PROJECT)}:{line}" for line in lines]
    assert silent == []


def test_a_test_sleeps_only_between_two_looks() -> None:
    """In a loop, that ends when what it waits for has come."""
    outside = []
    for path in (PROJECT / "tests").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        loops = [node for node in ast.walk(tree) if isinstance(node, (ast.For, ast.While))]
        looked = {id(inner) for loop in loops for inner in ast.walk(loop)}
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and id(node) not in looked]
        slept = [node for node in calls if ast.unparse(node.func) in ("time.sleep", "sleep", "asyncio.sleep")]
        outside += [f"{path.relative_to(PROJECT)}:{node.lineno}" for node in slept]
    assert outside == []


def _files() -> Iterator[Path]:
    for folder in OURS:
        yield from (path for path in (PROJECT / folder).rglob("*.py") if "node_modules" not in path.parts)


def _aliases() -> Iterator[str]:
    """Names that modules give to `Any` or `object`."""
    for module in modules().values():
        for node in module.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in ("Any", "object"):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _functions() -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node


def _words(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Of the docstring, without those of the name."""
    told = re.findall(r"[a-z]+", (ast.get_docstring(function) or "").lower())
    return set(told) - set(function.name.split("_")) - LITTLE_WORDS
