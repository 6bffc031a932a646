"""What git would ignore in a tree of files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from pathspec import GitIgnoreSpec

from triptych.engines.archives.tree import TreeFile

MAX_GITIGNORE_BYTES = 1024 * 1024
VERSION_CONTROL = {".git", ".hg", ".svn"}


class GitIgnore:
    """Whether git would ignore a path, going by the tree's own .gitignore files.

    The nearest file's last matching pattern decides, and nothing below an ignored folder comes back (gitignore(5)).
    """

    def __init__(self, files: Iterable[TreeFile]) -> None:
        self._specs = {
            _folder(file.path): GitIgnoreSpec.from_lines(_lines(file))
            for file in files
            if PurePosixPath(file.path).name == ".gitignore"
        }
        self._folders: dict[str, bool] = {"": False}

    def ignores(self, path: str) -> bool:
        """Of a file; `path` is relative to the tree's root, with `/`."""
        return self._ignores_folder(_folder(path)) or self._matches(path)

    def _ignores_folder(self, folder: str) -> bool:
        if folder not in self._folders:
            above = self._ignores_folder(_folder(folder))
            self._folders[folder] = above or self._matches(f"{folder}/")
        return self._folders[folder]

    def _matches(self, path: str) -> bool:
        """By the patterns alone, those of the nearest folder first; a folder's path ends with `/`."""
        base = _folder(path.rstrip("/"))
        while True:
            if base in self._specs:
                below = path[len(base) + 1 :] if base else path
                decided = self._specs[base].check_file(below).include
                if decided is not None:
                    return bool(decided)
            if not base:
                return False
            base = _folder(base)


def in_version_control(path: str) -> bool:
    """Whether a folder of git, Mercurial or Subversion holds the file, which no .gitignore names."""
    return not VERSION_CONTROL.isdisjoint(PurePosixPath(path).parts[:-1])


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _lines(file: TreeFile) -> list[str]:
    if file.size > MAX_GITIGNORE_BYTES:
        text = f"{file.path!r} is larger than {MAX_GITIGNORE_BYTES} bytes. Set gitignore to false."
        raise file.source.error(text)
    return b"".join(file.blocks()).decode("utf-8", "replace").splitlines()
