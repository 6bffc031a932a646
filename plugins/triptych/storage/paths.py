"""Local files as URIs, when two paths are one folder, and which files lie below one."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from triptych.errors import StorageAccessError
from triptych.harmless import harmless_logger
from triptych.storage.places import split_uri

SHOWN_LINKS = 10
_log = harmless_logger(__name__)


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


def files_below(
    folder: Path, beginning: str, closed: Collection[tuple[int, int]], left_out: list[Path]
) -> Iterator[Path]:
    """Every file below `folder` whose path in it starts with `beginning`, a part of one name.

    Folders whose identity is `closed` are passed over. Links to folders are added to `left_out`.
    """
    for parent, folders, files in os.walk(folder):
        if beginning:
            folders[:] = [name for name in folders if name.startswith(beginning)]
            files = [name for name in files if name.startswith(beginning)]
            beginning = ""  # It holds for the first level, which comes first.
        folders[:] = [name for name in folders if identity(Path(parent, name)) not in closed]
        left_out += [path for name in folders if (path := Path(parent, name)).is_symlink()]
        for name in files:
            yield Path(parent, name)


def warn_of_links(prefix: str, folder: Path, left_out: Sequence[Path]) -> None:
    """One line that names the first of them."""
    if not left_out:
        return
    shown = [path.relative_to(folder).as_posix() for path in left_out[:SHOWN_LINKS]]
    more = ", ..." if len(left_out) > SHOWN_LINKS else ""
    _log.warning(
        "%s: links that lead to folders, or nowhere, are left out: %d, %s%s. Copy what they lead to, or name it as a "
        "source of its own.",
        prefix,
        len(left_out),
        ", ".join(shown),
        more,
    )
