"""Running a block's script: in a warm container, or as a local process.

`RunSpec` says what to run, `open_session` gives a session that runs its units one after the other. `result_files`
judges what a script left; `scratch` has attempts' folders. What a script prints, and what happens around, is logged.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from triptych.blocks import Block, Platform
from triptych.running.spec import Cache, RunSpec, Session, Unit, UnitError, Usage, unit_folder
from triptych.running.stop import Stop
from triptych.settings import Runner, Settings

__all__ = [
    "Cache",
    "RunSpec",
    "Session",
    "Stop",
    "Unit",
    "UnitError",
    "Usage",
    "image_digest",
    "open_session",
    "unit_folder",
]


def image_digest(block: Block, settings: Settings) -> str | None:
    """The digest of a block's image, which is pulled when missing; None where no container is used."""
    if settings.runner is Runner.PROCESS or block.platform is not Platform.DOCKER:
        return None
    from triptych.running.docker import docker_image_digest

    return docker_image_digest(block, settings)


def open_session(spec: RunSpec, settings: Settings) -> AbstractContextManager[Session]:
    """A session of the configured runner; docker's is imported only when it is the one."""
    if settings.runner is Runner.PROCESS:
        from triptych.running.process import ProcessSession

        return nullcontext(ProcessSession(spec))
    from triptych.running.docker import docker_session

    return docker_session(spec, settings)
