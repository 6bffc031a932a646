"""What was found out of templates in earlier parses: judging one costs ten times as much as making its DAG."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import airflow

import triptych
from triptych.blocks import Diagnostic, Template
from triptych.settings import Settings

MOST_KEPT = 5000
"""Templates, in each of their states."""
_Kept = Mapping[str, list[list[str]]]


class Verdicts:
    """What is wrong with each template that was judged here before, by a digest of all that a DAG is made of.

    Kept in a file, as Airflow parses in a new process each time. What cannot be read or written costs time, no more.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._versions = f"{triptych.__version__} {airflow.__version__} {settings!r}"
        self._known = _read(path)
        self._seen: dict[str, list[list[str]]] = {}

    def known(self, template: Template) -> list[Diagnostic] | None:
        """What is wrong with it, nothing when it is sound; None when it has not been judged yet."""
        digest = self._digest(template)
        if digest not in self._known:
            return None
        self._seen[digest] = self._known[digest]
        return [Diagnostic(Path(path), location, message) for path, location, message in self._known[digest]]

    def keep(self, template: Template, found: Sequence[Diagnostic]) -> None:
        """What was found out now."""
        self._seen[self._digest(template)] = [[str(each.path), each.location, each.message] for each in found]

    def save(self) -> None:
        """Keep what was found out now, and of the rest, which may be another DAG file's, what was used last."""
        kept = dict(list({**self._others(), **self._seen}.items())[-MOST_KEPT:])
        if kept == self._known:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, prefix=".verdicts-", delete=False) as out:
                json.dump(kept, out)
            Path(out.name).replace(self._path)

    def _others(self) -> _Kept:
        return {digest: found for digest, found in self._known.items() if digest not in self._seen}

    def _digest(self, template: Template) -> str:
        return hashlib.sha256(f"{self._versions} {template!r}".encode(errors="surrogatepass")).hexdigest()


def _read(path: Path) -> _Kept:
    with suppress(OSError, ValueError, RecursionError):
        known = json.loads(path.read_bytes())
        if isinstance(known, dict):
            return {digest: found for digest, found in known.items() if _is_kept(found)}
    return {}


def _is_kept(found: object) -> bool:
    return isinstance(found, list) and all(
        isinstance(each, list) and len(each) == 3 and all(isinstance(part, str) for part in each) for each in found
    )
