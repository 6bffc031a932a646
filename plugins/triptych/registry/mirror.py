"""What of the registry is in use, in the workspace: so workers need nothing else to reach.

    _published/contents/<sha256>         as in the registry
    _published/indexes/<version>.json    which contents each template's jobs run; a version is the index's SHA-256
    _published/current.json              the version that new jobs have

Whoever may write to the workspace can put anything there: each object is checked against the SHA-256 by which it is
asked for, and the version of a job's index comes from Airflow. Only the newest version, where Airflow names none, is
taken from here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

from triptych.errors import IntegrityError, ObjectNotFoundError
from triptych.jobs.code import MOST_TAR_BYTES
from triptych.jobs.workspace import PUBLISHED, make_workspace, workspace_uri
from triptych.registry.records import is_digest
from triptych.registry.resolving import MOST_BYTES, Index, index_bytes, read_index
from triptych.settings import Settings
from triptych.storage import Store, Stores
from triptych.storage.base import bounded
from triptych.storage.copying import checked, copy_stream, save

_MOST_CURRENT_BYTES = 1 << 10


class Mirror:
    """That of one workspace."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        make_workspace(settings)
        self._store: Store = stores.workspace()
        self._root = f"{workspace_uri(settings)}/{PUBLISHED}"

    def contents(self) -> set[str]:
        """The SHA-256 of each content that is there, by name."""
        found = (unquote(info.uri).rpartition("/")[2] for info in self._store.list(f"{self._root}/contents/"))
        return set(filter(is_digest, found))

    def take(self, sha256: str, blocks: Iterable[bytes]) -> None:
        """Have this content, whose bytes these are: they were checked."""
        copy_stream(blocks, self._store, self._content_uri(sha256))

    def fetch(self, sha256: str, path: Path) -> None:
        """Write a content to a file; IntegrityError when it is another, ObjectNotFoundError when it is gone."""
        save(self._blocks(sha256), path)

    def publish(self, index: Index) -> str:
        """Let workers have this index, whose contents are there; its version, which new jobs have from now on."""
        data = index_bytes(index)
        version = hashlib.sha256(data).hexdigest()
        self._store.put(self._index_uri(version), data)
        self._store.put(f"{self._root}/current.json", json.dumps({"version": version}).encode())
        return version

    def index(self, version: str) -> bytes:
        """The bytes of the index of this version; IntegrityError when they are another's."""
        data = self._store.read(self._index_uri(version), MOST_BYTES)
        read_index(data, version)
        return data

    def current(self) -> str | None:
        """The newest version; None where nothing was published yet."""
        try:
            version = json.loads(self._store.read(f"{self._root}/current.json", _MOST_CURRENT_BYTES))["version"]
        except ObjectNotFoundError:
            return None
        except (ValueError, TypeError, LookupError, RecursionError):
            version = None
        if not is_digest(version):
            msg = f"{self._root}/current.json: is none of Triptych's. The DAG processor's next refresh writes it anew."
            raise IntegrityError(msg)
        return str(version)

    def _blocks(self, sha256: str) -> Iterator[bytes]:
        uri = self._content_uri(sha256)
        return checked(bounded(self._store.stream(uri), MOST_TAR_BYTES, uri), None, sha256, uri)

    def _content_uri(self, sha256: str) -> str:
        return f"{self._root}/contents/{sha256}"

    def _index_uri(self, version: str) -> str:
        return f"{self._root}/indexes/{version}.json"
