"""The cases of an app's test: `test/` is one, and so is each folder in it that says what it expects."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.blocks import Block, Role
from triptych.blocks.samples import (
    CASE_FILE,
    CHECK_FILE,
    TEST,
    case_document,
    placed,
    placed_inputs,
    sample_uris,
)
from triptych.errors import ManifestError
from triptych.local.testing.comparison import Comparison, Rule

EXPECTED = "expected"


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
    root = app.folder / TEST
    below = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    inner = [path for path in below if path.name != EXPECTED and _says_what_it_expects(path)]
    is_case = _says_what_it_expects(root) or (samples and not inner and bool(sample_uris(root)))
    return [root, *inner] if is_case else inner


def label_of(app: Block, folder: Path) -> str:
    """How the command calls the case in this folder."""
    return app.name if folder == app.folder / TEST else f"{app.name}/{folder.name}"


def read_case(app: Block, folder: Path) -> Case:
    """The case in this folder; ManifestError with all that is wrong with its `case.json`."""
    document = case_document(folder)
    if document.errors:
        raise ManifestError([str(error) for error in document.errors])
    data = document.data
    # Without a sample `{}`, which leaves a template its own source.
    source = placed(data["data_source"], folder) if "data_source" in data else sample_uris(folder) or {}
    params = data.get("params", {})
    conf = {
        "dataSource": source,
        "inputs": placed_inputs(data, folder),
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


def _rule(pattern: str, given: Any) -> Rule:
    options = {"by": given} if isinstance(given, str) else dict(given)
    return Rule(pattern, Comparison(options.pop("by")), **options)
