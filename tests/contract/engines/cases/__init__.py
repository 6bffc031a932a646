"""What the contract suite has to know of each engine; a module per family, a list CASES in each."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.support.engine_harness import Piece, Results, include_folders


@dataclass(frozen=True)
class Split:
    """A partitioner's case.

    `write` makes small source files in a folder, at least two chunks' worth, one or several files; `check` gets the
    chunks and the sources and asserts, with other means than the engine's, that nothing is lost, doubled or reordered.
    `bad` is one parameter that the schema must refuse by name. `corrupt` makes a source that must be refused with
    SourceError; its message must hold the file's name and match `says`. `grow` writes a source of about `factor` times
    8 MiB for the memory test. `empty` is what an empty file gives: "no chunk", "one chunk" or "refused". `one` writes
    what fits into one chunk, a single item where there are items.
    """

    engine: str
    params: Mapping[str, Any]
    write: Callable[[Path], list[Path]] | None
    check: Callable[[Sequence[Piece], Sequence[Path]], None]
    bad: Mapping[str, Any] = field(default_factory=dict)
    corrupt: Callable[[Path], Path] | None = None
    says: str = ""
    grow: Callable[[Path, int], Path] | None = None
    empty: str = "no chunk"
    one: Callable[[Path], list[Path]] | None = None


@dataclass(frozen=True)
class Join:
    """An assembler's case.

    `check` gets the output files by name. `grow` gives results of about `factor` times 8 MiB for the memory test.
    """

    engine: str
    params: Mapping[str, Any]
    results: Callable[[], list[Results]]
    check: Callable[[Mapping[str, bytes]], None]
    bad: Mapping[str, Any] = field(default_factory=dict)
    corrupt: Callable[[], list[Results]] | None = None
    says: str = ""
    grow: Callable[[int], list[Results]] | None = None


def all_cases() -> list[Split | Join]:
    """Those of the modules here, and those that engines bring: `test/cases.py` beside the script."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    beside = [path for folder in include_folders() for path in sorted(folder.glob("engines/**/test/cases.py"))]
    return [case for module in [*modules, *map(_load, beside)] for case in module.CASES]


def _load(path: Path) -> ModuleType:
    """The cases of the engine in this file's folder; nothing else is imported by path."""
    spec = importlib.util.spec_from_file_location(f"cases_of_{path.parents[1].name}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their module up.
    spec.loader.exec_module(module)
    return module
