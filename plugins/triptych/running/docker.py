"""Runs blocks in containers: one warm container per session, one shell loop inside it, one line per unit."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from triptych.blocks import Block, Role
from triptych.errors import ChunkError, ContainerError, ImageError
from triptych.running.capacity import check_capacity
from triptych.running.container import GIB, Ending
from triptych.running.images import answering, connected, frozen_image, known_image, present_image
from triptych.running.lines import LineLog
from triptych.running.loop import REFUSED, Loop
from triptych.running.reaper import reap
from triptych.running.rights.private_folders import strip_setuid
from triptych.running.sharing import WORK
from triptych.running.spec import ContainerEndedError, RunSpec, Session, Unit, UnitError, Usage
from triptych.running.time_limit import time_limit
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient


@contextmanager
def docker_session(spec: RunSpec, settings: Settings) -> Iterator[Session]:
    """A session whose container is gone when the context ends, however it ends."""
    with connected(settings.docker_url) as client:
        reap(client)
        with answering(settings.docker_url):
            check_capacity(client, spec.block)
            digest = spec.image_digest
            image = frozen_image(client, spec.block, digest) if digest else present_image(client, spec.block)
        session = DockerSession(client, spec, settings, image)
        try:
            yield session
        finally:
            session.close()
            strip_setuid(spec.cache.own)


def docker_images(blocks: Mapping[Role, Block], settings: Settings, here: Collection[Role]) -> dict[Role, str]:
    """As `checked_images`, of the configured engine."""
    with connected(settings.docker_url) as client, answering(settings.docker_url):
        for role, block in blocks.items():
            if role in here:
                check_capacity(client, block)
        return {role: known_image(client, block) for role, block in blocks.items()}


class DockerSession:
    """Feeds folders to the loop in its container, which is a new one after it was ended in the middle of a unit."""

    def __init__(self, client: APIClient, spec: RunSpec, settings: Settings, image: str) -> None:
        self._client, self._spec, self._settings, self._image = client, spec, settings, image
        self._loop: Loop | None = None

    def run(self, unit: Unit) -> Usage:
        """As `Session.run`; the peak of memory is that of the container so far."""
        started = time.monotonic()
        _lay_out(unit)
        with answering(self._settings.docker_url):
            loop = self._loop = self._loop or Loop.started(self._client, self._spec, self._settings, self._image)
            loop.sharing.bring(loop.container.id, unit)
        output = LineLog(unit.log)
        end = loop.container.kill
        with self._spec.stop.register(end), time_limit(self._spec.timeout_s, end) as expired:
            marker = loop.follow(unit, output)
        if marker is None:
            raise self._ended(loop, output, Usage(time.monotonic() - started), timed_out=expired.is_set())
        was_out_of_memory, cpu_seconds = loop.since_last(marker)
        peak = marker.peak_memory_bytes if marker.peak_memory_bytes >= 0 else None
        usage = Usage(time.monotonic() - started, cpu_seconds, peak)
        try:
            if was_out_of_memory:
                raise ChunkError(self._out_of_memory(marker.exit_code, output))
            if marker.exit_code:
                msg = f"exit code {marker.exit_code}.{output.tail()}"
                raise ChunkError(msg)
            with answering(self._settings.docker_url):
                loop.sharing.fetch(loop.container.id, unit)
        except ChunkError as error:
            raise UnitError(str(error), usage, marker.exit_code) from error
        finally:
            if marker.is_anything_left:
                self.close()
        return usage

    def close(self) -> None:
        """Remove the container, when there is one."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.container.remove()

    def _ended(self, loop: Loop, output: LineLog, usage: Usage, *, timed_out: bool) -> ChunkError | ContainerError:
        """Why the container ended in the middle of a unit; the next unit has a new one."""
        ending = loop.container.ending()
        self.close()
        if timed_out:
            reason = f"ran longer than its timeout of {self._spec.timeout_s:g} s.{output.tail()}"
            return UnitError(reason, usage, ending.exit_code if ending else None)
        if ending is None:
            return ContainerError(
                f"The connection to the engine at {self._settings.docker_url}, or the engine itself, was lost while "
                f"{self._spec.block.tag} ran."
            )
        if ending.exit_code == REFUSED:
            return ImageError(
                f"{self._spec.block.tag} cannot run in {self._spec.block.image} ({self._image}).{output.tail()}"
            )
        return self._failed(ending, output, usage)

    def _failed(self, ending: Ending, output: LineLog, usage: Usage) -> UnitError:
        """The unit's own failure, which ended its container."""
        if not ending.out_of_memory:
            reason = f"its container was ended from outside (exit code {ending.exit_code}).{output.tail()}"
            return ContainerEndedError(reason, usage, ending.exit_code)
        # No kernel tells a dead container's CPU time; its memory had reached the limit.
        limit = self._spec.block.min_memory_gib
        usage = replace(usage, peak_memory_bytes=int(limit * GIB) if limit else None)
        return UnitError(self._out_of_memory(ending.exit_code, output), usage, ending.exit_code)

    def _out_of_memory(self, code: int, output: LineLog) -> str:
        limit = self._spec.block.min_memory_gib
        shown = f"its limit of {limit:g} GiB" if limit else "the machine's memory"
        return (
            f"ran out of memory: it went beyond {shown} (exit code {code}). Raise "
            f"device_requirements.min_memory in its manifest, or make chunks smaller.{output.tail()}"
        )


def _lay_out(unit: Unit) -> None:
    """Write the unit's variables for the loop, and let the container's user, who is another, into its two folders."""
    variables = unit.variables(WORK / unit.folder.name)
    lines = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items())
    (unit.folder / "env.sh").write_text(lines)
    for folder in ("in", "out"):
        (unit.folder / folder).chmod(0o777)
