"""Running a block's script: in a warm container, or as a local process.

`RunSpec` says what to run, `open_session` gives a session that runs its units one after the other. `result_files`
judges what a script left; `scratch` has attempts' folders. What a script prints, and what happens around, is logged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager

from triptych.blocks import Block, Platform, Role
from triptych.running.spec import (
    Cache,
    ContainerEndedError,
    InteractiveSession,
    MountedInput,
    RunSpec,
    Session,
    Unit,
    UnitError,
    Usage,
    unit_folder,
)
from triptych.running.stop import Stop
from triptych.settings import Runner, Settings

__all__ = [
    "Cache",
    "ContainerEndedError",
    "InteractiveSession",
    "MountedInput",
    "RunSpec",
    "Session",
    "Stop",
    "Unit",
    "UnitError",
    "Usage",
    "checked_images",
    "open_session",
    "unit_folder",
]


def checked_images(blocks: Mapping[Role, Block], settings: Settings, here: Collection[Role]) -> dict[Role, str | None]:
    """The digest of each block's image, as the engine or the registry tells it: nothing is pulled, or started.

    None where no container is used. ImageError for an image that neither knows; CapacityError for a block of the
    roles `here` that this engine can never run.
    """
    images: dict[Role, str | None] = dict.fromkeys(blocks)
    if settings.runner is Runner.DOCKER:
        from triptych.running.docker import docker_images

        in_containers = {role: block for role, block in blocks.items() if block.platform is Platform.DOCKER}
        images |= docker_images(in_containers, settings, here)
    return images


def open_session(spec: RunSpec, settings: Settings) -> AbstractContextManager[InteractiveSession]:
    """A session of the configured runner; docker's is imported only when it is the one."""
    if settings.runner is Runner.PROCESS:
        from triptych.running.process import process_session

        return process_session(spec, settings)
    from triptych.running.docker import docker_session

    return docker_session(spec, settings)
