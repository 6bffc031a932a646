"""Which way a container and we share folders: as configured, or the first that works with the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from docker.errors import APIError

from triptych.harmless import harmless_logger
from triptych.running.result_files import ResultLimits
from triptych.running.rights.users import needs_copies
from triptych.running.sharing.archives import Archives
from triptych.running.sharing.binds import Binds
from triptych.running.sharing.interface import Sharing
from triptych.running.sharing.volumes import VolumeLimits
from triptych.running.spec import RunSpec
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types import Mount

# What engines say of a path that is not on their host, or that a rootless one may not enter: Docker Engine, Desktop.
_NOT_SHARED = ("source path does not exist", "mounts denied", "permission denied")
_log = harmless_logger(__name__)

_archives_only: set[str] = set()
"""Engines that this process has found not to share our files."""


def create_sharing(
    client: APIClient, spec: RunSpec, settings: Settings, create: Callable[[list[Mount], bool], str]
) -> tuple[str, Sharing]:
    """Create the container in the way that is configured, or that works; returns its id and the way.

    `create` is told what to mount, and whether these are our own folders.

    The attempt's folder has a random name: when the engine can mount it, it is ours. Raises the engine's APIError.
    """
    archives = Archives(client, spec, ResultLimits.of(settings), VolumeLimits.of(settings))
    if settings.docker_files == "archive" or settings.docker_url in _archives_only or needs_copies(client, settings):
        return create(archives.mounts(), False), archives
    binds = Binds(spec)
    try:
        return create(binds.mounts(), True), binds
    except APIError as error:
        binds.close()
        if settings.docker_files == "bind" or not any(text in str(error).lower() for text in _NOT_SHARED):
            raise
    _log.info("The engine at %s does not share our files: they are copied in and out.", settings.docker_url)
    _archives_only.add(settings.docker_url)
    return create(archives.mounts(), False), archives
