"""Files of others that tests read: fetched once, known by SHA-256, and kept in the cache folder, never copied."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def fetched(kind: str, sha256: str, below: str, make: Callable[[Path, Path], Path]) -> Path:
    """The folder `below` of what has this digest; `make` fills a new one where there is none.

    It is given the cache folder of this kind and a scratch folder, and gives the folder that it filled in the latter.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "triptych" / kind
    folder = cache / sha256 / below
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{sha256}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests run in two processes.
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as work:
                made = make(cache, Path(work))
                folder.parent.mkdir(parents=True, exist_ok=True)
                made.rename(folder)
    return folder
