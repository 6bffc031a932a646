"""How a container and we see the same folders: by bind mounts, or by copies through the engine's archive API.

`create_sharing` picks the way. Between two units a container's folders are emptied (`binds`), or it is replaced.
"""

from __future__ import annotations

from triptych.running.sharing.choice import create_sharing
from triptych.running.sharing.interface import (
    CODE,
    HOME,
    INPUTS,
    OURS,
    OWN_CACHE,
    PLACES,
    SHARED_CACHE,
    WORK,
    Sharing,
)

__all__ = ["CODE", "HOME", "INPUTS", "OURS", "OWN_CACHE", "PLACES", "SHARED_CACHE", "WORK", "Sharing", "create_sharing"]
