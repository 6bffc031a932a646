"""Which store serves which scheme; a provider is imported when its scheme is first used."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

from triptych.errors import StorageAccessError
from triptych.settings import Settings
from triptych.storage.base import Store

StoreFactory = Callable[[str | None, Settings], Store]


def _file_store(conn_id: str | None, settings: Settings) -> Store:
    from triptych.storage.files import FileStore

    return FileStore(settings)


def _s3_store(conn_id: str | None, settings: Settings) -> Store:
    from triptych.storage.s3 import connect

    return connect(conn_id, settings)


EXTRAS = {"s3": "s3"}
"""Which of our extras installs what a scheme needs."""
_FACTORIES: dict[str, StoreFactory] = {"file": _file_store, "s3": _s3_store}


def register_scheme(scheme: str, factory: StoreFactory) -> None:
    """Let `scheme://` URIs be served by the factory's stores."""
    _FACTORIES[scheme] = factory
    _cached.cache_clear()


def open_store(uri: str, conn_id: str | None, settings: Settings) -> Store:
    """The store of this URI's scheme, one per scheme and connection; StorageAccessError for an unknown scheme.

    The same for a scheme whose library is not installed, with the extra that brings it.
    """
    scheme = urlsplit(uri).scheme.lower()
    if scheme not in _FACTORIES:
        known = ", ".join(f"{name}://" for name in sorted(_FACTORIES))
        msg = f"{uri}: the scheme {scheme!r} is not supported. Supported: {known}."
        raise StorageAccessError(msg)
    try:
        return _cached(scheme, conn_id or None, settings)
    except ModuleNotFoundError as error:
        install = f"'triptych[{EXTRAS[scheme]}]'" if scheme in EXTRAS else error.name
        msg = f"{uri}: {scheme}:// needs {error.name!r}, which is not installed: pip install {install}."
        raise StorageAccessError(msg) from error


@lru_cache(maxsize=32)
def _cached(scheme: str, conn_id: str | None, settings: Settings) -> Store:
    return _FACTORIES[scheme](conn_id, settings)
