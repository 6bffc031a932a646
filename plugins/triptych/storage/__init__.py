"""Object stores behind one interface: `open_store(uri, conn_id)`."""

from triptych.storage.base import ObjectInfo, Store, Writer
from triptych.storage.schemes import open_store, register_scheme

__all__ = ["ObjectInfo", "Store", "Writer", "open_store", "register_scheme"]
