"""Whether Airflow can store a DAG, found out before it tries: one that it cannot would be the whole file's error."""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import airflow

import triptych
from triptych.blocks import Template
from triptych.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import DAG


def check_storable(dag: DAG) -> None:
    """Raises what Airflow would, in its DAG processor: of a schedule, a parameter, a value that no JSON can hold."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag.validate()
    dag.check_cycle()
    # PostgreSQL's JSON refuses what Python's writer lets through: NaN and infinity.
    json.dumps(DagSerialization.to_dict(dag), allow_nan=False)


class Verdicts:
    """The templates whose DAGs passed `check_storable` here before, by a digest of all that a DAG is made of.

    Kept in a file, as Airflow parses in a new process each time. What cannot be read or written costs time, no more.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._versions = f"{triptych.__version__} {airflow.__version__} {settings!r}"
        self._known = _read(path)
        self._seen: set[str] = set()

    def check(self, template: Template, dag: DAG) -> None:
        """As `check_storable`, for DAGs that have not passed it yet."""
        digest = hashlib.sha256(f"{self._versions} {template!r}".encode(errors="surrogatepass")).hexdigest()
        if digest not in self._known:
            check_storable(dag)
        self._seen.add(digest)

    def save(self) -> None:
        """Keep what passed in this parse, and no more."""
        if self._seen == self._known:
            return
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, prefix=".verdicts-", delete=False) as out:
                json.dump(sorted(self._seen), out)
            Path(out.name).replace(self._path)


def _read(path: Path) -> set[str]:
    with suppress(OSError, ValueError):
        known = json.loads(path.read_bytes())
        if isinstance(known, list):
            return {digest for digest in known if isinstance(digest, str)}
    return set()
