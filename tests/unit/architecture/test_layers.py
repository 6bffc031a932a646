"""Arrows between our packages point down only. The layers are data; docs/explanation/architecture.md draws them."""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping, Sequence

import pytest

from tests.support.source_tree import PACKAGE, Module, imports, modules

PACKAGES: Sequence[frozenset[str]] = (
    frozenset({"", "masking"}),
    frozenset({"harmless", "options"}),
    frozenset({"errors"}),
    frozenset({"machine_classes"}),
    frozenset({"addresses", "free_space", "pages", "schemas", "settings"}),
    frozenset({"blocks"}),
    frozenset({"connections", "profiles", "scaffold"}),
    frozenset({"storage"}),
    frozenset({"engines", "jobs", "running"}),
    frozenset({"registry", "stages"}),
    frozenset({"checkup", "reports", "retention"}),
    frozenset({"airflow", "api", "local"}),
    frozenset({"cli", "client", "demo", "plugin"}),
    frozenset({"__main__"}),
)
"""From the ground up; "" is `triptych/__init__.py`. Packages of one floor do not know each other."""

FAMILIES: Sequence[frozenset[str]] = (
    frozenset({"api"}),
    frozenset({"contracts", "runtime"}),
    frozenset({""}),
    frozenset({"arrays", "compat", "streams"}),
    frozenset({"dialects", "jsontext", "metrics", "reduction", "times"}),
    frozenset({"archives", "audio", "genomics", "images", "video"}),
    frozenset({"codebase", "documents", "sorting", "speech"}),
    frozenset({"tables"}),
    frozenset({"learning", "logs"}),
    frozenset({"previews", "suggestions"}),
)
"""The same inside `engines`; "" is what `triptych.engines` itself gives to engines."""

UPWARD: Mapping[tuple[str, str], str] = {}
"""Arrows that still point up or sideways, each with a reason. An entry that no import needs fails, too."""


def test_every_package_has_a_floor() -> None:
    assert {module.package for module in modules().values()} == set().union(*PACKAGES)
    families = {_room(module).partition("/")[2] for module in modules().values() if module.package == "engines"}
    assert families == set().union(*FAMILIES)


def test_no_arrow_points_up() -> None:
    found = {(user, used): place for user, used, place in _arrows() if not _is_down(user, used)}
    new = [f"{place}: {user} -> {used}" for (user, used), place in found.items() if (user, used) not in UPWARD]
    assert new == [], "Move what both need to a lower floor, or pass it in."
    assert set(UPWARD) - set(found) == set(), "No such arrow is left: take it out of UPWARD."


def test_no_circle_of_modules() -> None:
    graph = {
        module.name: {each.target for each in imports(module) if each.target in modules()}
        for module in modules().values()
    }
    assert list(graphlib.TopologicalSorter(graph).static_order())  # Raises CycleError, which names the circle.


@pytest.mark.parametrize("floors", [PACKAGES, FAMILIES])
def test_a_name_has_one_floor(floors: Sequence[frozenset[str]]) -> None:
    assert sum(map(len, floors)) == len(frozenset().union(*floors))


def test_only_engines_use_the_families() -> None:
    """The rest of the package knows their interface and their runtime: it runs where no library of theirs is.

    What `engine suggest` asks of one's files is for no engine, and imported when it is asked; what the console asks
    of a table is read in a process of its own.
    """
    interface = {f"engines/{name}" for name in ("", "api", "contracts", "previews", "runtime", "suggestions")}
    outside = [
        f"{place}: {user} -> {used}"
        for user, used, place in _arrows()
        if used.startswith("engines/") and used not in interface and not user.startswith("engines/")
    ]
    assert outside == []


def _arrows() -> Iterator[tuple[str, str, str]]:
    """(room, room that it imports, file and line), for rooms that are not the same."""
    for module in modules().values():
        for each in imports(module):
            used = modules().get(each.target)
            if used and _room(used) != _room(module):
                yield _room(module), _room(used), f"{module.path.relative_to(PACKAGE)}:{each.line}"


def _room(module: Module) -> str:
    """A package (`storage`), or a family inside `engines` (`engines/tables`; `engines/` for the package itself)."""
    if module.package != "engines":
        return module.package
    return f"engines/{f'{module.name}..'.split('.')[2]}"


def _is_down(user: str, used: str) -> bool:
    packages, families = _floors(PACKAGES), _floors(FAMILIES)
    if user.startswith("engines/") and used.startswith("engines/"):
        return families[used.partition("/")[2]] < families[user.partition("/")[2]]
    return packages[used.partition("/")[0]] < packages[user.partition("/")[0]]


def _floors(layers: Sequence[frozenset[str]]) -> dict[str, int]:
    return {name: floor for floor, names in enumerate(layers) for name in names}
