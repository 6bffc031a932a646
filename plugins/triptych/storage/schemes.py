"""Which store serves which scheme; a provider is imported when its scheme is first used."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType

from triptych.errors import StorageAccessError
from triptych.schemas.services import Service
from triptych.settings import Settings
from triptych.storage.base import Store, TransferLimits
from triptych.storage.places import split_uri
from triptych.storage.walls import Walls, folder_of, is_temporary, own_folders

StoreFactory = Callable[[str | None, Settings, Service | None], Store]
"""Makes a store of its scheme for a connection's id, or for the environment's own credentials."""


def _file_store(conn_id: str | None, settings: Settings, service: Service | None) -> Store:
    from triptych.storage.files import FileStore

    return FileStore(settings.allowed_roots, () if settings.is_own_machine else own_folders(settings))


def _s3_store(conn_id: str | None, settings: Settings, service: Service | None) -> Store:
    from triptych.storage.s3 import connect

    return connect(conn_id, TransferLimits(settings.part_bytes, settings.transfer_memory_bytes), service)


def _gcs_store(conn_id: str | None, settings: Settings, service: Service | None) -> Store:
    from triptych.storage.gcs.store import connect

    return connect(conn_id, TransferLimits(settings.part_bytes, settings.transfer_memory_bytes))


def _azure_store(conn_id: str | None, settings: Settings, service: Service | None) -> Store:
    from triptych.storage.azure import connect

    return connect(conn_id, TransferLimits(settings.part_bytes, settings.transfer_memory_bytes))


def _http_store(conn_id: str | None, settings: Settings, service: Service | None) -> Store:
    from triptych.storage.http import connect

    return connect(conn_id, settings)


EXTRAS = {"abfs": "azure", "azure": "azure", "gs": "gcs", "https": "http", "s3": "s3"}
"""Which of our extras installs what a scheme needs."""
FACTORIES: Mapping[str, StoreFactory] = MappingProxyType(
    {
        "abfs": _azure_store,
        "azure": _azure_store,
        "file": _file_store,
        "gs": _gcs_store,
        "http": _http_store,
        "https": _http_store,
        "s3": _s3_store,
    }
)
"""The schemes that URIs may have."""
_ONE_STORE = {"azure": "abfs", "http": "https"}
"""Words for the stores of another scheme."""


class Stores:
    """The stores that one configuration reaches, each opened once, when it is first asked for; for any thread.

    `open` is for what jobs name, and keeps them out of what is Triptych's own; `workspace` is for that.
    """

    def __init__(self, settings: Settings, factories: Mapping[str, StoreFactory] = FACTORIES) -> None:
        self._settings = settings
        self._factories = factories
        self._open: dict[tuple[str, str | None, Service | None], Store] = {}
        self._walls = None if settings.is_own_machine else Walls(settings)
        self._passed: set[str] = set()
        self._lock = threading.Lock()

    def open(self, uri: str, conn_id: str | None = None, service: Service | None = None) -> Store:
        """The one store of this URI's scheme, this connection and this service, of which it can copy by itself.

        StorageAccessError for a URI, a prefix or a glob that reaches into what is Triptych's own or holds it, an
        unknown scheme, a missing connection, and a scheme whose library is not installed. A temporary area is open to
        those who know its name, by the workspace's own connection.
        """
        if is_temporary(uri, self._settings.workspace):
            return self.workspace()
        store = self._store(uri, conn_id, service)
        if self._walls is not None and uri not in self._passed:
            self._walls.check(uri)
            self._passed.add(uri)
        return store

    def workspace(self) -> Store:
        """That of the workspace, by the workspace's own connection: for what no job names."""
        return self._own(self._settings.workspace, self._settings.workspace_conn_id)

    def registry(self) -> Store:
        """That of what is published, likewise: the registry's own."""
        return self._own(self._settings.registry, self._settings.registry_conn_id)

    def _own(self, uri: str, conn_id: str | None) -> Store:
        folders = folder_of(uri)
        if not folders:
            return self._store(uri, conn_id)
        self._check_shared(uri)
        with self._lock:
            from triptych.storage.files import FileStore

            return self._open.setdefault((uri, None, None), FileStore(folders))

    def _store(self, uri: str, conn_id: str | None, service: Service | None = None) -> Store:
        scheme = split_uri(uri).scheme
        if scheme == "file":
            self._check_shared(uri)
        if scheme not in self._factories:
            known = ", ".join(f"{name}://" for name in sorted(self._factories))
            msg = f"{uri}: the scheme {scheme!r} is not supported. Supported: {known}."
            raise StorageAccessError(msg)
        # Every local file is of one store, whatever connection a caller names.
        key = _ONE_STORE.get(scheme, scheme), None if scheme == "file" else conn_id or None, service
        with self._lock:
            if key not in self._open:
                self._open[key] = self._made(uri, *key)
            return self._open[key]

    def _check_shared(self, uri: str) -> None:
        if not self._settings.shared_folders:
            msg = (
                f"{uri}: is a folder of one machine, and the tasks of this Airflow run on several. Name an object "
                "store, or, where all workers see the same files there, say so by [triptych] shared_folders = yes."
            )
            raise StorageAccessError(msg)

    def _made(self, uri: str, scheme: str, conn_id: str | None, service: Service | None) -> Store:
        try:
            return self._factories[scheme](conn_id, self._settings, service)
        except ModuleNotFoundError as error:
            install = f"'triptych[{EXTRAS[scheme]}]'" if scheme in EXTRAS else error.name
            msg = f"{uri}: {scheme}:// needs {error.name!r}, which is not installed: pip install {install}."
            raise StorageAccessError(msg) from error
