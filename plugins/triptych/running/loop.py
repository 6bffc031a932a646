"""The shell loop in a container: one line starts a unit, a marker on both of its outputs ends it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from docker.errors import APIError

from triptych.errors import ChunkError, ContainerError
from triptych.running.census import Census
from triptych.running.container import Container, create_container
from triptych.running.interpreter import command
from triptych.running.lines import LineLog, MarkedLines
from triptych.running.rights.secret_lines import secret_lines
from triptych.running.rights.users import container_user
from triptych.running.sharing import CODE, OURS, WORK, Sharing, create_sharing
from triptych.running.spec import RunSpec, Unit
from triptych.running.time_limit import time_limit
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient
    from docker.types import Mount

REFUSED = 113
"""The loop's exit code, before any unit, when it cannot work in this image; it has said why."""
ANSWER_S = 30.0
"""A loop that waits for its next line answers a call at once; this is for a machine that is very busy."""
LOOPS_OWN = 2
"""Processes of a container in which nothing runs: its init, and the loop."""
_HIGHEST_EXIT_CODE = 255
_OUTPUT, _ERRORS = 1, 2
"""The numbers of a container's streams in what the engine sends."""


@dataclass(frozen=True)
class Marker:
    """What the loop says when a unit ends; -1 where its kernel does not tell.

    `oom_kills` and the CPU time count from the container's start, as does the peak. The CPU time stands in
    microseconds (cgroup 2) or in nanoseconds (cgroup 1). `left` is 1 when a process would not die, or left something in
    the kernel that no process holds.
    """

    exit_code: int
    oom_kills: int
    cpu_us: int
    cpu_ns: int
    peak_memory_bytes: int
    left: int

    @classmethod
    def of(cls, line: str) -> Marker:
        """From the line that ended a unit; MarkerError where no loop of ours can have written it."""
        try:
            numbers = [int(word) for word in line.split()[1:]]
            marker = cls(*numbers)
        except (ValueError, TypeError) as error:
            raise MarkerError from error
        if not 0 <= marker.exit_code <= _HIGHEST_EXIT_CODE or min(numbers) < -1:
            raise MarkerError
        return marker

    @property
    def cpu_seconds(self) -> float:
        """Since the container's start; 0 where no kernel tells."""
        return self.cpu_us / 1e6 if self.cpu_us >= 0 else max(self.cpu_ns, 0) / 1e9

    @property
    def is_anything_left(self) -> bool:
        """Whether the container must be replaced."""
        return bool(self.left)


class MarkerError(ChunkError):
    """What a script said of itself was to look like the loop's word: nothing that it says is believed."""

    def __init__(self) -> None:
        super().__init__("its end was announced, and not by the loop that runs it: it, or what it left, forged that.")


class Loop:
    """A container that runs units one after the other."""

    def __init__(self, container: Container, sharing: Sharing, census: Census) -> None:
        self.container = container
        self.sharing = sharing
        self.is_idle = False
        """Whether it waits for a unit, with nothing of the last one in it but what can be emptied."""
        self._census = census
        self._pieces = container.output()
        self._streams: dict[int, MarkedLines] = {}
        self._last = Marker(0, 0, 0, 0, 0, 0)

    @classmethod
    def started(cls, client: APIClient, spec: RunSpec, settings: Settings, image: str) -> Loop:
        """In a new container of the image; ContainerError when the engine refuses."""
        block = spec.block
        first = secret_lines(spec.secrets)
        script = ["/bin/sh", f"{OURS}/loop.sh", *command(block, str(CODE), str(OURS))]
        try:

            def create(mounts: list[Mount], has_mounts: bool) -> str:
                user = container_user(client, image, block, settings, has_mounts=has_mounts)
                return create_container(client, spec, settings, image, script, mounts, user=user)

            container_id, sharing = create_sharing(client, spec, settings, create)
            try:
                container = Container.started(client, container_id, lambda: sharing.fill(container_id), first)
            except BaseException:
                sharing.close()
                raise
        except APIError as error:
            msg = f"The engine refused to start {block.tag} from {image}: {error.explanation or error}."
            raise ContainerError(msg) from error
        return cls(container, sharing, Census(client, container_id))

    def follow(self, unit: Unit, output: LineLog) -> Marker | None:
        """Start the unit and show its log; its marker, or None when the container ended first.

        MarkerError for a marker that is none. Only `check_idle` tells whether it was the loop's own.
        """
        nonce = secrets.token_hex(16)
        self.is_idle = False
        self._streams = {_OUTPUT: MarkedLines(nonce), _ERRORS: MarkedLines(nonce)}
        try:
            self.container.send(f"{nonce} {WORK / unit.folder.name}\n".encode())
            for number, data in self._pieces:
                for line in self._streams[number].lines(data):
                    output.show(line)
                if all(stream.last is not None for stream in self._streams.values()):
                    return Marker.of(self._streams[_OUTPUT].last or "")
        except OSError:
            pass  # The container is gone: the caller asks the engine why.
        for line in chain.from_iterable(stream.rest() for stream in self._streams.values()):
            output.show(line)
        return None

    def check_idle(self) -> None:
        """See that after the marker nothing lives but the loop, and nothing was written but its answer to a call.

        MarkerError where the marker was forged: its forger lives, or more comes after it, such as the loop's own.
        """
        nonce = secrets.token_hex(16)
        if self._census.living() > LOOPS_OWN or not self._has_answered(nonce):
            raise MarkerError
        self.is_idle = all(stream.after == f"{nonce}\n".encode() for stream in self._streams.values())
        if not self.is_idle:
            raise MarkerError

    def _has_answered(self, nonce: str) -> bool:
        """Whether both streams got a line after the marker, when the loop was called."""
        try:
            with time_limit(ANSWER_S, self.container.kill):
                self.container.send(f"{nonce}\n".encode())
                while not all(stream.after.endswith(b"\n") for stream in self._streams.values()):
                    number, data = next(self._pieces)
                    self._streams[number].skip(data)
        except (OSError, StopIteration):
            return False  # The container is gone.
        return True

    def end(self) -> bool:
        """End the container and all that lives in it; False when its engine does not say that it has ended."""
        self.container.kill()
        return self.container.ending() is not None

    def close(self) -> None:
        """Remove the container, and our folders in it. Never raises."""
        self.container.remove()
        self.sharing.close()

    def since_last(self, marker: Marker) -> tuple[bool, float]:
        """Whether the unit of this marker was out of memory, and its CPU seconds."""
        before, self._last = self._last, marker
        return marker.oom_kills > before.oom_kills, marker.cpu_seconds - before.cpu_seconds
