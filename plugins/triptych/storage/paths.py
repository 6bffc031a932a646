"""Local files as URIs, and when two paths are one folder."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from triptych.errors import StorageAccessError
from triptych.storage.places import split_uri


def file_path(uri: str) -> Path:
    """The absolute path of a `file:///` URI; StorageAccessError where the URI names another host or no whole path."""
    parts = split_uri(uri)
    if parts.authority not in ("", "localhost") or not parts.path.startswith("/"):
        msg = f"{uri}: a file URI has three slashes and an absolute path: file:///data/input.csv."
        raise StorageAccessError(msg)
    # By bytes: a name on disk need not be UTF-8.
    path = unquote_to_bytes(parts.path)
    if b"\0" in path:
        msg = f"{uri}: holds a zero byte, which no file's name has."
        raise StorageAccessError(msg)
    return Path(os.fsdecode(path))


def file_uri(path: Path) -> str:
    """The URI of an absolute path, whose bytes need not be UTF-8."""
    return f"file://{quote(os.fsencode(path))}"


def identity(folder: Path) -> tuple[int, int] | None:
    """What is one for all paths that lead to a folder: device and inode; None where there is none to be seen."""
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
