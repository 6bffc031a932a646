"""Where a container sees what, and what each way to share folders can do."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from triptych.running.spec import Unit

if TYPE_CHECKING:
    from docker.types import Mount

INSIDE = PurePosixPath("/triptych")
WORK, CODE, OURS = INSIDE / "work", INSIDE / "app", INSIDE / "launcher"
SHARED_CACHE, OWN_CACHE = INSIDE / "shared", INSIDE / "cache"
INPUTS, STORED = INSIDE / "inputs", INSIDE / "stored"
HOME = INSIDE / "home"
TEMPORARY = (PurePosixPath("/tmp"), PurePosixPath("/var/tmp"))
MEMORY = PurePosixPath("/dev/shm")
PLACES = (HOME, *TEMPORARY, MEMORY)
"""Where a script may write besides its results and its cache; empty when its unit begins."""


class Sharing(Protocol):
    """One container's view of our folders."""

    @property
    def is_for_one_unit(self) -> bool:
        """Whether nothing can be emptied from outside: then each unit needs a new container."""

    def mounts(self) -> list[Mount]:
        """What to create the container with."""

    def fill(self, container: str) -> None:
        """After the container is created, before it starts."""

    def bring(self, container: str, unit: Unit) -> None:
        """Before a unit runs: its folder must be in the container."""

    def fetch(self, container: str, unit: Unit) -> None:
        """After a unit succeeded, when nothing of it lives: its results must be in its `out` folder here.

        ChunkError where the script put something else in that folder's place, or left what is refused.
        """

    def empty(self) -> bool:
        """After a unit, when nothing of it lives: remove what it left. False: the container must be replaced."""

    def close(self) -> None:
        """When the container is gone. Never raises."""
