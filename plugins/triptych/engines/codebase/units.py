"""What of a source tree is never divided: files, folders or packages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import PurePosixPath

PACKAGE_MARKERS = {
    *("pyproject.toml", "setup.py", "setup.cfg", "package.json", "Cargo.toml", "go.mod", "pom.xml", "build.gradle"),
    *("build.gradle.kts", "composer.json", "Gemfile", "mix.exs", "Package.swift", "CMakeLists.txt", "DESCRIPTION"),
}
"""Build files, each of which marks a folder as a package."""


def unit_of(unit: str, paths: Sequence[str]) -> Callable[[str], str]:
    """What a file belongs to: itself ("file"), its "folder", or its "package", as a path; "" is the root.

    A package is the top one of nested folders with __init__.py, else the nearest folder that a build file marks
    (PACKAGE_MARKERS), else the file's top folder. `paths` are those of the whole tree.
    """
    if unit == "file":
        return lambda path: path
    if unit == "folder":
        return _folder
    names = [(_folder(path), PurePosixPath(path).name) for path in paths]
    inits = {folder for folder, name in names if name == "__init__.py"}
    marked = {folder for folder, name in names if name in PACKAGE_MARKERS}
    return partial(_package, inits=inits, marked=marked)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _package(path: str, inits: set[str], marked: set[str]) -> str:
    folder = _folder(path)
    if folder in inits:
        while folder and _folder(folder) in inits:
            folder = _folder(folder)
        return folder
    while folder not in marked:
        if not folder:
            return path.partition("/")[0] if "/" in path else ""
        folder = _folder(folder)
    return folder
