"""Which store serves which scheme; a provider is imported when its scheme is first used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from triptych.errors import StorageAccessError
from triptych.settings import Settings
from triptych.storage.base import Store, TransferLimits

StoreFactory = Callable[[str | None, Settings], Store]
"""Makes a store of its scheme for a connection's id, or for the environment's own credentials."""


def _file_store(conn_id: str | None, settings: Settings) -> Store:
    from triptych.storage.files import FileStore, file_path

    workspace = [file_path(settings.workspace)] if settings.workspace.startswith("file:") else []
    return FileStore([*settings.allowed_roots, *workspace])


def _s3_store(conn_id: str | None, settings: Settings) -> Store:
    from triptych.storage.s3 import connect

    return connect(conn_id, TransferLimits(settings.part_bytes, settings.transfer_parallelism))


def _gcs_store(conn_id: str | None, settings: Settings) -> Store:
    from triptych.storage.gcs import connect

    return connect(conn_id, TransferLimits(settings.part_bytes, settings.transfer_parallelism))


EXTRAS = {"gs": "gcs", "s3": "s3"}
"""Which of our extras installs what a scheme needs."""
FACTORIES: Mapping[str, StoreFactory] = MappingProxyType({"file": _file_store, "gs": _gcs_store, "s3": _s3_store})
"""The schemes that URIs may have."""


class Stores:
    """The stores that one configuration reaches, each opened once, when it is first asked for; for any thread."""

    def __init__(self, settings: Settings, factories: Mapping[str, StoreFactory] = FACTORIES) -> None:
        self._settings = settings
        self._factories = factories
        self._open: dict[tuple[str, str | None], Store] = {}
        self._lock = threading.Lock()

    def open(self, uri: str, conn_id: str | None = None) -> Store:
        """The one store of this URI's scheme and this connection, of which it can copy without our reading.

        StorageAccessError for an unknown scheme, a missing connection, and a scheme whose library is not installed.
        """
        scheme = urlsplit(uri).scheme.lower()
        if scheme not in self._factories:
            known = ", ".join(f"{name}://" for name in sorted(self._factories))
            msg = f"{uri}: the scheme {scheme!r} is not supported. Supported: {known}."
            raise StorageAccessError(msg)
        # Every local file is of one store, whatever connection a caller names.
        key = scheme, None if scheme == "file" else conn_id or None
        with self._lock:
            if key not in self._open:
                self._open[key] = self._made(uri, *key)
            return self._open[key]

    def _made(self, uri: str, scheme: str, conn_id: str | None) -> Store:
        try:
            return self._factories[scheme](conn_id, self._settings)
        except ModuleNotFoundError as error:
            install = f"'triptych[{EXTRAS[scheme]}]'" if scheme in EXTRAS else error.name
            msg = f"{uri}: {scheme}:// needs {error.name!r}, which is not installed: pip install {install}."
            raise StorageAccessError(msg) from error
