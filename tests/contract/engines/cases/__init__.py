"""What the contract suite has to know of each engine; a module per family, a list CASES in each."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.engine_harness import Piece, Results


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
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return [case for module in modules for case in module.CASES]
