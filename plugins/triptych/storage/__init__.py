"""Object stores behind one interface: `Stores(settings).open(uri, conn_id)`, and the copying of checked bytes.

A store per scheme implements `base.Store`, in terms of whole URIs; `schemes` knows which; `copying` moves bytes between
stores and local files, each counted and hashed.
"""

from triptych.storage.base import (
    BLOCK_BYTES,
    SMALL_BYTES,
    FileEntry,
    ObjectInfo,
    Stage,
    StagedObject,
    Store,
    TransferLimits,
    WaitingUpload,
    Writer,
)
from triptych.storage.parallel import OBJECTS_AT_ONCE
from triptych.storage.schemes import Stores

__all__ = [
    "BLOCK_BYTES",
    "OBJECTS_AT_ONCE",
    "SMALL_BYTES",
    "FileEntry",
    "ObjectInfo",
    "Stage",
    "StagedObject",
    "Store",
    "Stores",
    "TransferLimits",
    "WaitingUpload",
    "Writer",
]
