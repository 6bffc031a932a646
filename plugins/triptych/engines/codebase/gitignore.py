"""What git would ignore in a tree of files."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from triptych.engines.archives.tree import TreeFile
from triptych.engines.codebase.patterns import GitPatterns

MAX_GITIGNORE_BYTES = 1024 * 1024
MAX_WORK = 500_000_000_000
"""Letters of patterns times letters of paths: what ten million files with 200 patterns each do not come to, and what a
processor compares in minutes, however the patterns are made."""
VERSION_CONTROL = {".git", ".hg", ".svn"}


class GitIgnore:
    """Whether git would ignore a path, going by the tree's own .gitignore files.

    The nearest file's last matching pattern decides, and nothing below an ignored folder comes back (gitignore(5)).
    """

    def __init__(self, files: Iterable[TreeFile]) -> None:
        """`files` are all of the tree. The source's error where matching them would take too long."""
        all_files = list(files)
        self._specs: dict[str, GitPatterns] = {}
        for file in all_files:
            if PurePosixPath(file.path).name == ".gitignore":
                self._specs[_folder(file.path)] = GitPatterns(_lines(file))
        self._folders: dict[str, bool] = {"": False}
        self._check_work(all_files)

    def _check_work(self, files: Sequence[TreeFile]) -> None:
        letters, work = {"": self._letters("")}, 0
        for file in files:
            folder = _folder(file.path)
            if folder not in letters:
                letters[folder] = sum(map(self._letters, ("", *_folders(folder))))
            work += letters[folder] * len(file.path)
            if work > MAX_WORK:
                text = "its .gitignore files have too many patterns for so many files. Set gitignore to false."
                raise file.source.error(text)

    def _letters(self, folder: str) -> int:
        return self._specs[folder].letters if folder in self._specs else 0

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
                parts = below.removesuffix("/").split("/")
                decided = self._specs[base].decision(parts, is_folder=path.endswith("/"))
                if decided is not None:
                    return decided
            if not base:
                return False
            base = _folder(base)


def in_version_control(path: str) -> bool:
    """Whether a folder of git, Mercurial or Subversion holds the file, which no .gitignore names."""
    return not VERSION_CONTROL.isdisjoint(PurePosixPath(path).parts[:-1])


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _folders(path: str) -> Iterator[str]:
    """The folder and those above it, but for the root: `a/b` -> a/b, a."""
    while path:
        yield path
        path = _folder(path)


def _lines(file: TreeFile) -> list[str]:
    if file.size > MAX_GITIGNORE_BYTES:
        text = f"{file.path!r} is larger than {MAX_GITIGNORE_BYTES} bytes. Set gitignore to false."
        raise file.source.error(text)
    text = b"".join(file.blocks()).removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    # As git does: no other letter ends a line.
    return [line.removesuffix("\r") for line in text.split("\n")]
