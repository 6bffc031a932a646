"""The cases of an app's test: `test/` is one, and so is each folder in it that says what it expects."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from triptych.blocks import Block, Role
from triptych.blocks.document import Document, read_document
from triptych.errors import ManifestError
from triptych.local.testing.comparison import Comparison, Rule
from triptych.schemas.files import Kind

CASE_FILE = "case.json"
CHECK_FILE = "check.py"
EXPECTED = "expected"
ABOUT = frozenset({CASE_FILE, CHECK_FILE, "SOURCE.md", "README.md", "LICENSE"})
"""Files in a case's folder that are no sample."""


@dataclass(frozen=True)
class Case:
    """One job and what should come of it; `conf` is its job spec without a destination."""

    app: Block
    label: str
    """`wordcount`, or `wordcount/folder` of a case in a folder of its own."""
    folder: Path
    template: str | None
    """An id; the app's own when None."""
    conf: Mapping[str, Any]
    rules: Sequence[Rule]
    check: Path | None
    """The script that judges the output instead of our comparison."""

    @property
    def expected(self) -> Path:
        """The folder that the output should equal; `--update` makes it."""
        return self.folder / EXPECTED


def case_folders(app: Block, *, samples: bool) -> list[Path]:
    """`test/` and folders in it, those that are cases. With `samples` `test/` is one, too, that holds samples only."""
    root = app.folder / "test"
    below = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    inner = [path for path in below if path.name != EXPECTED and _says_what_it_expects(path)]
    is_case = _says_what_it_expects(root) or (samples and not inner and bool(_samples(root)))
    return [root, *inner] if is_case else inner


def label_of(app: Block, folder: Path) -> str:
    """How the command calls the case in this folder."""
    return app.name if folder.name == "test" and folder.parent == app.folder else f"{app.name}/{folder.name}"


def read_case(app: Block, folder: Path) -> Case:
    """The case in this folder; ManifestError with all that is wrong with its `case.json`."""
    document = Document(folder / CASE_FILE)
    if os.path.lexists(document.path):
        document = read_document(document.path, Kind.CASE)
    if document.errors:
        raise ManifestError([str(error) for error in document.errors])
    data = document.data
    source = _placed(data["data_source"], folder) if "data_source" in data else _own_source(folder)
    params = data.get("params", {})
    conf = {
        "dataSource": source,
        "inputs": {name: _placed(each, folder) for name, each in data.get("inputs", {}).items()},
        "params": {role.value: params.get(role) or {} for role in Role},
        "config": {"maxTaskRetries": 0, **data.get("config", {})},
    }
    check = folder / data.get("check", CHECK_FILE)
    if "check" in data and not check.is_file():
        document.error("there is no such file.", "check")
        raise ManifestError([str(error) for error in document.errors])
    rules = [_rule(pattern, given) for pattern, given in data.get("compare", {}).items()]
    return Case(
        app, label_of(app, folder), folder, data.get("template"), conf, rules, check if check.is_file() else None
    )


def _says_what_it_expects(folder: Path) -> bool:
    return os.path.lexists(folder / CASE_FILE) or (folder / EXPECTED).is_dir()


def _samples(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if path.is_file() and path.name not in ABOUT and path.name[0] != "."
    )


def _own_source(folder: Path) -> list[str] | dict[str, str]:
    """The samples; of none `{}`, which leaves the template its own source."""
    return [path.absolute().as_uri() for path in _samples(folder)] or {}


def _placed(source: Any, folder: Path) -> Any:
    """A source of a job spec whose paths, URIs without a scheme, count from this folder."""
    if isinstance(source, list):
        return [_placed(each, folder) for each in source]
    if isinstance(source, dict):
        return {key: _placed(value, folder) if key in ("uri", "manifest") else value for key, value in source.items()}
    if not isinstance(source, str) or "://" in source:
        return source
    path = Path(os.path.normpath(folder.absolute() / source))
    if path.exists():
        return path.as_uri() + ("/" if path.is_dir() else "")
    return f"file://{quote(os.fsencode(path), safe='/*?[]')}" + ("/" if source.endswith("/") else "")


def _rule(pattern: str, given: Any) -> Rule:
    options = {"by": given} if isinstance(given, str) else dict(given)
    return Rule(pattern, Comparison(options.pop("by")), **options)
