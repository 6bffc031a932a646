"""The engine mounts our folders: a set for each container, in which only what its current unit needs ever lies."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path, PurePosixPath

from docker.types import Mount

from triptych.errors import ChunkError
from triptych.running.interpreter import LAUNCHER
from triptych.running.removal import empty_folder, remove_folder
from triptych.running.sharing.interface import (
    CODE,
    HOME,
    INPUTS,
    MEMORY,
    OURS,
    OWN_CACHE,
    SHARED_CACHE,
    TEMPORARY,
    WORK,
)
from triptych.running.spec import RunSpec, Unit

_CACHES = shutil.ignore_patterns("__pycache__")
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODES = {WORK: 0o755, HOME: 0o777, **dict.fromkeys((*TEMPORARY, MEMORY), 0o1777)}
"""Places of which each container has folders of its own. Who writes to WORK itself is we, or our own user."""


class Binds:
    """The code is a copy in the attempt's folder, so that one folder decides whether the engine shares our files."""

    is_for_one_unit = False

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._box = spec.work / f"box-{secrets.token_hex(4)}"
        self._unit: int | None = None

    def mounts(self) -> list[Mount]:
        spec = self._spec
        block = spec.work / "block"
        if not block.exists():
            for folder, name in ((spec.block.code, "app"), (LAUNCHER, "launcher")):
                shutil.copytree(folder, block / name, ignore=_CACHES, ignore_dangling_symlinks=True)
        self._box.mkdir(mode=0o700)
        for inside, mode in _MODES.items():
            self._place(inside).mkdir()
            self._place(inside).chmod(mode)
        caches = []
        if spec.cache:
            caches = [_bind(SHARED_CACHE, spec.cache.shared, read_only=True), _bind(OWN_CACHE, spec.cache.own)]
        return [
            *(_bind(inside, self._place(inside)) for inside in _MODES),
            _bind(CODE, block / "app", read_only=True),
            _bind(OURS, block / "launcher", read_only=True),
            *caches,
            *(_bind(INPUTS / each.name, each.path, read_only=True) for each in spec.inputs),
        ]

    def fill(self, container: str) -> None:
        pass

    def bring(self, container: str, unit: Unit) -> None:
        self._unit = os.open(unit.folder, _OPEN)
        unit.folder.rename(self._place(WORK) / unit.folder.name)

    def fetch(self, container: str, unit: Unit) -> None:
        assert self._unit is not None  # Brought.
        try:
            # Moving a folder changes it and the one that it is in: its script may have taken all rights away.
            os.fchmod(self._unit, 0o755)
            self._place(WORK).chmod(_MODES[WORK])
            (self._place(WORK) / unit.folder.name).rename(unit.folder)
            is_same = os.path.samestat(unit.folder.lstat(), os.fstat(self._unit))
        except OSError as error:
            msg = f"the folder of results cannot be read: {error.strerror}. Leave it where it was, and readable."
            raise ChunkError(msg) from error
        if not is_same:
            _discard(unit.folder)
            msg = "another folder was put where its own was. Leave it where it was, and write results into it."
            raise ChunkError(msg)

    def empty(self) -> bool:
        self._forget()
        return all(empty_folder(self._place(inside), mode) for inside, mode in _MODES.items())

    def close(self) -> None:
        self._forget()
        remove_folder(self._box)

    def _place(self, inside: PurePosixPath) -> Path:
        return self._box / str(inside).strip("/").replace("/", "-")

    def _forget(self) -> None:
        if self._unit is not None:
            os.close(self._unit)
            self._unit = None


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_folder(path)
    else:
        path.unlink()


def _bind(inside: PurePosixPath, folder: Path, *, read_only: bool = False) -> Mount:
    return Mount(str(inside), str(folder), "bind", read_only=read_only)
