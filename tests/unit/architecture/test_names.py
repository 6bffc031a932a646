"""One name, one meaning; and tests that leave private names alone."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

from tests.support.source_tree import modules, public_definitions, python_files
from triptych.settings import PROJECT

TWICE: Mapping[str, str] = {}
"""Public names that two modules of `engines` define, each with a reason."""

PATCHED: Mapping[str, str] = {
    "tests/contract/stores/test_gcs_answers.py: _is_regional_access_boundary_lookup_required": "It asks Google.",
    "tests/support/fake_nvml.py: _nvmlGetFunctionPointer_cache": "It would keep the driver of a test before.",
}
"""Private names that a test replaces (`file: name`), each with a reason. An entry that is not needed fails, too."""


def test_no_two_modules_of_engines_define_one_name() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for module in modules().values():
        if module.package == "engines":
            for name in public_definitions(module.tree):
                where[name].append(module.name)
    twice = {name: places for name, places in where.items() if len(places) > 1}
    assert {name: places for name, places in twice.items() if name not in TWICE} == {}
    assert set(TWICE) - set(twice) == set(), "Defined once only: take it out of TWICE."


def test_no_test_replaces_a_private_name() -> None:
    patched = {
        f"{path.relative_to(PROJECT)}: {name}"
        for path, tree in python_files("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for name in _replaced(node)
        if name.startswith("_") and not name.startswith("__")
    }
    assert patched - set(PATCHED) == set(), "Make it a parameter."
    assert set(PATCHED) - patched == set(), "Replaced no more: take it out of PATCHED."


def _replaced(call: ast.Call) -> Iterator[str]:
    """The attribute or key that `monkeypatch.setattr` or `mock.patch` replaces, by its last name."""
    method = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if method not in ("setattr", "setitem", "delattr", "patch", "object"):
        return
    for argument in call.args[:2]:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value.rpartition(".")[2]
        elif isinstance(argument, ast.Attribute) and method == "setitem":
            yield argument.attr
