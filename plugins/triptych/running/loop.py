"""The shell loop in a container: one line starts a unit, a marker on both of its outputs ends it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from docker.errors import APIError

from triptych.errors import ContainerError
from triptych.running.container import Container, create_container
from triptych.running.interpreter import command
from triptych.running.lines import LineLog, MarkedLines
from triptych.running.rights.users import container_user
from triptych.running.sharing import CODE, OURS, WORK, Sharing, create_sharing
from triptych.running.spec import RunSpec, Unit
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types import Mount

REFUSED = 113
"""The loop's exit code, before any unit, when it cannot work in this image; it has said why."""
_OUTPUT, _ERRORS = 1, 2
"""The numbers of a container's streams in what the engine sends."""


@dataclass(frozen=True)
class Marker:
    """What the loop says when a unit ends; -1 where its kernel does not tell.

    `oom_kills` and the CPU time count from the container's start, as does the peak. The CPU time stands in
    microseconds (cgroup 2) or in nanoseconds (cgroup 1). `left` is 1
    when a process would not die.
    """

    exit_code: int
    oom_kills: int
    cpu_us: int
    cpu_ns: int
    peak_memory_bytes: int
    left: int

    @property
    def cpu_seconds(self) -> float:
        """Since the container's start; 0 where no kernel tells."""
        return self.cpu_us / 1e6 if self.cpu_us >= 0 else max(self.cpu_ns, 0) / 1e9

    @property
    def is_anything_left(self) -> bool:
        """Whether the container must be replaced."""
        return bool(self.left)


class Loop:
    """A container that runs units one after the other."""

    def __init__(self, container: Container, sharing: Sharing) -> None:
        self.container = container
        self.sharing = sharing
        self._pieces = container.output()
        self._last = Marker(0, 0, 0, 0, 0, 0)

    @classmethod
    def started(cls, client: APIClient, spec: RunSpec, settings: Settings, image: str) -> Loop:
        """In a new container of the image; ContainerError when the engine refuses."""
        block = spec.block
        script = ["/bin/sh", f"{OURS}/loop.sh", *command(block, str(CODE), str(OURS))]
        try:

            def create(mounts: list[Mount], has_mounts: bool) -> str:
                user = container_user(client, image, block, settings, has_mounts=has_mounts)
                return create_container(client, spec, settings, image, script, mounts, user=user)

            container_id, sharing = create_sharing(client, spec, settings, create)
            container = Container.started(client, container_id, lambda: sharing.fill(container_id))
        except APIError as error:
            msg = f"The engine refused to start {block.tag} from {image}: {error.explanation or error}."
            raise ContainerError(msg) from error
        return cls(container, sharing)

    def follow(self, unit: Unit, output: LineLog) -> Marker | None:
        """Start the unit and show its log; its marker, or None when the container ended first."""
        nonce = secrets.token_hex(16)
        streams = {_OUTPUT: MarkedLines(nonce), _ERRORS: MarkedLines(nonce)}
        try:
            self.container.send(f"{nonce} {WORK / unit.folder.name}\n".encode())
            for number, data in self._pieces:
                for line in streams[number].lines(data):
                    output.show(line)
                if all(stream.last is not None for stream in streams.values()):
                    return _marker(streams[_OUTPUT])
        except OSError:
            pass  # The container is gone: the caller asks the engine why.
        for line in chain.from_iterable(stream.rest() for stream in streams.values()):
            output.show(line)
        return None

    def since_last(self, marker: Marker) -> tuple[bool, float]:
        """Whether the unit of this marker was out of memory, and its CPU seconds."""
        before, self._last = self._last, marker
        return marker.oom_kills > before.oom_kills, marker.cpu_seconds - before.cpu_seconds


def _marker(stream: MarkedLines) -> Marker:
    assert stream.last is not None  # Both streams' have come.
    return Marker(*map(int, stream.last.split()[1:]))
