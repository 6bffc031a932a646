"""What the API keeps: small JSON objects in the workspace, below `_api/`, each written under a condition."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from triptych.errors import IntegrityError, ObjectNotFoundError
from triptych.jobs.workspace import API, make_workspace, to_json, workspace_uri
from triptych.settings import get_settings
from triptych.storage import Store, Stores

_STORES_S = 300
"""An API server lives for long: so much later it sees what was changed of a connection."""


def stores() -> Stores:
    """The stores of this process, opened when they are first asked for."""
    return _stores(int(time.monotonic() / _STORES_S))


@lru_cache(1)
def _stores(period: int) -> Stores:
    return Stores(get_settings())


class Kept:
    """The objects below `_api/<folder>/`, by names of letters, digits and `-`."""

    def __init__(self, folder: str) -> None:
        self._start = f"{workspace_uri(get_settings())}/{API}/{folder}/"

    @property
    def _store(self) -> Store:
        return stores().workspace()

    def read(self, name: str) -> tuple[dict[str, Any], str] | None:
        """The object of this name, and its etag; None when there is none, or it is none of ours."""
        uri = self._uri(name)
        try:
            etag = self._store.stat(uri).etag
            data = json.loads(self._store.read(uri, 8 << 20))
        except (ObjectNotFoundError, IntegrityError, ValueError):
            return None
        return (data, etag) if isinstance(data, dict) else None

    def put(self, name: str, data: Mapping[str, Any], replaces: str | None) -> None:
        """Write it where that of etag `replaces` is, or none; ObjectConflictError where another came first."""
        make_workspace(get_settings())
        self._store.put_replacing(self._uri(name), to_json(data), replaces)

    def remove(self, name: str) -> None:
        """Nothing happens when it is not there."""
        self._store.delete(self._uri(name))

    def names(self) -> Iterator[str]:
        """Of all that is there."""
        for info in self._store.list(self._start):
            yield unquote(info.uri).removeprefix(unquote(self._start)).removesuffix(".json")

    def _uri(self, name: str) -> str:
        return f"{self._start}{name}.json"
