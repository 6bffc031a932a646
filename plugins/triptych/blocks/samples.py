"""The samples that lie in an app's `test/`, as sources of a job: for its tests, for the demo and for the form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from triptych.blocks.document import Document, read_document
from triptych.blocks.model import Block
from triptych.schemas.files import Kind

TEST = "test"
CASE_FILE = "case.json"
CHECK_FILE = "check.py"
ABOUT = frozenset({CASE_FILE, CHECK_FILE, "SOURCE.md", "README.md", "LICENSE"})
"""Files in a case's folder that are no sample."""


@dataclass(frozen=True)
class Sample:
    """Locations as a job spec has them, None where there is no sample."""

    source: Any
    inputs: Mapping[str, Any] = field(default_factory=dict)


def sample_of(app: Block) -> Sample:
    """Of the app's first case, the one in `test/` itself; of nothing where its `case.json` cannot be read."""
    folder = app.folder / TEST
    data = case_document(folder).data
    source: Any = placed(data["data_source"], folder) if "data_source" in data else sample_uris(folder) or None
    if isinstance(source, list) and len(source) == 1:
        (source,) = source
    return Sample(source, placed_inputs(data, folder))


def case_document(folder: Path) -> Document:
    """The `case.json` in this folder, with all that is wrong with it; an empty one where there is none."""
    path = folder / CASE_FILE
    return read_document(path, Kind.CASE) if os.path.lexists(path) else Document(path)


def sample_uris(folder: Path) -> list[str]:
    """Each file in the folder that is a sample, in order of their names."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [path.absolute().as_uri() for path in files if path.name not in ABOUT and path.name[0] != "."]


def placed_inputs(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The side inputs that a case names, placed as its source is."""
    return {name: placed(each, folder) for name, each in (data.get("inputs") or {}).items()}


def placed(source: Any, folder: Path) -> Any:
    """A source of a job spec whose paths, which are no URIs, count from this folder."""
    if isinstance(source, list):
        return [placed(each, folder) for each in source]
    if isinstance(source, dict):
        return {key: placed(value, folder) if key in ("uri", "manifest") else value for key, value in source.items()}
    if not isinstance(source, str) or "://" in source:
        return source
    path = Path(os.path.normpath(folder.absolute() / source))
    if path.exists():
        return path.as_uri() + ("/" if path.is_dir() else "")
    return f"file://{quote(os.fsencode(path), safe='/*?[]')}" + ("/" if source.endswith("/") else "")
