"""How a container and we see the same folders: by bind mounts, or by copies through the engine's archive API."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from docker.errors import APIError
from docker.types import Mount

from triptych.harmless import harmless_logger
from triptych.running.archive import get_folder, put_folder
from triptych.running.interpreter import LAUNCHER
from triptych.running.result_files import ResultLimits
from triptych.running.rights.users import needs_copies
from triptych.running.spec import RunSpec, Unit
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient

INSIDE = PurePosixPath("/triptych")
WORK, CODE, OURS = INSIDE / "work", INSIDE / "app", INSIDE / "launcher"
SHARED_CACHE, OWN_CACHE = INSIDE / "shared", INSIDE / "cache"
# What engines say of a path that is not on their host, or that a rootless one may not enter: Docker Engine, Desktop.
_NOT_SHARED = ("source path does not exist", "mounts denied", "permission denied")
_CACHES = shutil.ignore_patterns("__pycache__")
_log = harmless_logger(__name__)

_archives_only: set[str] = set()
"""Engines that this process has found not to share our files."""


class Sharing(Protocol):
    """One container's view of our folders."""

    def mounts(self) -> list[Mount]:
        """What to create the container with."""

    def fill(self, container: str) -> None:
        """After the container is created, before it starts."""

    def bring(self, container: str, unit: Unit) -> None:
        """Before a unit runs: its folder must be in the container."""

    def fetch(self, container: str, unit: Unit) -> None:
        """After a unit succeeded: its results must be in its `out` folder here."""


def create_sharing(
    client: APIClient, spec: RunSpec, settings: Settings, create: Callable[[list[Mount], bool], str]
) -> tuple[str, Sharing]:
    """Create the container in the way that is configured, or that works; returns its id and the way.

    `create` is told what to mount, and whether these are our own folders.

    The attempt's folder has a random name: when the engine can mount it, it is ours. Raises the engine's APIError.
    """
    archives = Archives(client, spec, ResultLimits.of(settings))
    if settings.docker_files == "archive" or settings.docker_url in _archives_only or needs_copies(client, settings):
        return create(archives.mounts(), False), archives
    binds = Binds(spec)
    try:
        return create(binds.mounts(), True), binds
    except APIError as error:
        if settings.docker_files == "bind" or not any(text in str(error).lower() for text in _NOT_SHARED):
            raise
    _log.info("The engine at %s does not share our files: they are copied in and out.", settings.docker_url)
    _archives_only.add(settings.docker_url)
    return create(archives.mounts(), False), archives


class Binds:
    """The engine mounts our folders. The code is a copy in the attempt's folder, so that one folder decides."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec

    def mounts(self) -> list[Mount]:
        spec = self._spec
        block = spec.work / "block"
        if not block.exists():
            for folder, name in ((spec.block.code, "app"), (LAUNCHER, "launcher")):
                shutil.copytree(folder, block / name, ignore=_CACHES, ignore_dangling_symlinks=True)
        return [
            _bind(WORK, spec.units),
            _bind(CODE, block / "app", read_only=True),
            _bind(OURS, block / "launcher", read_only=True),
            _bind(SHARED_CACHE, spec.cache.shared, read_only=True),
            _bind(OWN_CACHE, spec.cache.own),
        ]

    def fill(self, container: str) -> None:
        pass

    def bring(self, container: str, unit: Unit) -> None:
        pass

    def fetch(self, container: str, unit: Unit) -> None:
        pass


class Archives:
    """We copy folders into the container and results out of it; caches are volumes of the engine's."""

    def __init__(self, client: APIClient, spec: RunSpec, limits: ResultLimits) -> None:
        self._client, self._spec, self._limits = client, spec, limits

    def mounts(self) -> list[Mount]:
        return [
            Mount(str(SHARED_CACHE), "triptych-cache-shared", "volume", read_only=True),
            Mount(str(OWN_CACHE), f"triptych-cache-{self._spec.block.name}", "volume"),
        ]

    def fill(self, container: str) -> None:
        put_folder(self._client, container, self._spec.block.code, CODE)
        put_folder(self._client, container, LAUNCHER, OURS)
        with tempfile.TemporaryDirectory(dir=self._spec.work, ignore_cleanup_errors=True) as empty:
            Path(empty).chmod(0o777)  # A new volume is root's.
            put_folder(self._client, container, Path(empty), OWN_CACHE)

    def bring(self, container: str, unit: Unit) -> None:
        put_folder(self._client, container, unit.folder, WORK / unit.folder.name)

    def fetch(self, container: str, unit: Unit) -> None:
        get_folder(self._client, container, WORK / unit.folder.name / "out", unit.folder / "out", self._limits)


def _bind(inside: PurePosixPath, folder: Path, *, read_only: bool = False) -> Mount:
    return Mount(str(inside), str(folder), "bind", read_only=read_only)
