"""What a folder would have been that cannot be used: its DAG keeps that id, for the sake of the runs that it has."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from triptych.blocks.json_file import read_object
from triptych.blocks.model import Diagnostic, Role
from triptych.blocks.versions import NAME
from triptych.schemas.diagnostics import Json

_MOST_LETTERS = 200
"""Of a folder's name in an id; Airflow takes ids of 250."""


def by_id(errors: Iterable[Diagnostic], taken: Collection[str]) -> Mapping[str, tuple[Diagnostic, ...]]:
    """All that is wrong in each folder, under the id of the template that it cannot be.

    `taken` are the ids of sound templates. Where none is known, or somebody else has it, it is `broken.<folder>`.
    """
    folders: dict[Path, list[Diagnostic]] = {}
    for error in errors:
        folders.setdefault(error.path.parent, []).append(error)
    found: dict[str, tuple[Diagnostic, ...]] = {}
    for folder, diagnostics in folders.items():
        known = _known_id(folder)
        is_free = known and known not in taken and known not in found
        found[known if known and is_free else _stand_in(folder, found)] = tuple(diagnostics)
    return found


def _known_id(folder: Path) -> str | None:
    """As reading the template would have found it: its own id, else its app's name, else the folder's.

    The folder's too where nobody can look into it: most are named after what they hold.
    """
    template, manifest = _keys(folder / "template.json"), _keys(folder / "manifest.json")
    is_app = manifest.get("type") in (None, Role.APP.value)
    given = [template.get("id"), template.get("name")]
    given += [manifest.get("name"), manifest.get("id")] if is_app else []
    has_own = os.path.lexists(folder / "template.json") or not os.access(folder, os.R_OK | os.X_OK, effective_ids=True)
    given += [folder.name] if has_own else []
    return next((str(name) for name in given if name and NAME.fullmatch(str(name))), None)


def _keys(path: Path) -> Mapping[str, Json]:
    """The keys of a file in any capitals, as the reader takes them; none where there is no such file, or no JSON."""
    return {key.lower(): value for key, value in read_object(path)[0].items()}


def _stand_in(folder: Path, taken: Collection[str]) -> str:
    first = f"broken.{re.sub(r'[^A-Za-z0-9_-]', '_', folder.name)[:_MOST_LETTERS]}"
    others = (f"{first}.{number}" for number in range(2, len(taken) + 3))
    return next(identity for identity in (first, *others) if identity not in taken)
