"""Runs blocks in containers: one warm container per session, one shell loop inside it, one line per unit."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from triptych.blocks import Block, Isolation, Role
from triptych.errors import ChunkError, ContainerError, ImageError
from triptych.running.capacity import check_capacity
from triptych.running.container import GIB, Ending
from triptych.running.gpus import held_gpus
from triptych.running.images import frozen_image, known_image, own_volumes, present_image
from triptych.running.interpreter import command
from triptych.running.lines import LineLog
from triptych.running.loop import REFUSED, Loop, MarkerError
from triptych.running.reaper import reap
from triptych.running.restrictions import restriction
from triptych.running.rights.private_folders import strip_setuid
from triptych.running.sharing import CODE, OURS, WORK
from triptych.running.spec import ContainerEndedError, InteractiveSession, RunSpec, Unit, UnitError, Usage
from triptych.running.time_limit import time_limit
from triptych.running.transport import answering, command_options, connected
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient


@contextmanager
def docker_session(spec: RunSpec, settings: Settings) -> Iterator[InteractiveSession]:
    """A session whose container is gone when the context ends, however it ends."""
    with connected(settings) as client:
        reap(client)
        with answering(settings.docker_url):
            block = spec.block
            check_capacity(client, block, settings)
            digest = spec.image_digest
            image = frozen_image(client, block, digest) if digest else present_image(client, block)
            # What is written to a volume could not be emptied.
            is_kept = block.isolation is Isolation.PACK and (block.writable_root or not own_volumes(client, image))
        with held_gpus(block, settings, spec.stop) as gpus:
            session = DockerSession(client, replace(spec, gpus=gpus), settings, image, is_kept=is_kept)
            try:
                session.start()  # Before a unit's time is taken: by what units take later jobs are shared out.
                yield session
            finally:
                session.close()
                if spec.cache:
                    strip_setuid(spec.cache.own)


def docker_images(blocks: Mapping[Role, Block], settings: Settings, here: Collection[Role]) -> dict[Role, str]:
    """As `checked_images`, of the configured engine."""
    with connected(settings) as client, answering(settings.docker_url):
        for role, block in blocks.items():
            if role in here:
                check_capacity(client, block, settings)
        return {role: known_image(client, block) for role, block in blocks.items()}


class DockerSession:
    """Feeds folders to the loop in its container, which is replaced when anything but the loop is left in it.

    Each unit has a new one where `is_kept` is false, and where nothing of the last can be emptied from outside.
    """

    def __init__(self, client: APIClient, spec: RunSpec, settings: Settings, image: str, *, is_kept: bool) -> None:
        self._is_kept = is_kept
        self._client, self._spec, self._settings, self._image = client, spec, settings, image
        self._loop: Loop | None = None

    @property
    def command(self) -> Sequence[str]:
        """As `Session.command`."""
        return command(self._spec.block, str(CODE), str(OURS))

    def start(self) -> None:
        """Have a container for the next unit; ContainerError where the engine refuses."""
        with answering(self._settings.docker_url):
            self._loop = self._loop or Loop.started(self._client, self._spec, self._settings, self._image)

    def run(self, unit: Unit) -> Usage:
        """As `Session.run`; the peak of memory is that of the container so far."""
        started = time.monotonic()
        with self._brought(unit) as loop:
            return self._follow(loop, unit, started)

    def shell(self, unit: Unit) -> int:
        """As `Session.shell`."""
        with self._brought(unit) as loop:
            loop.is_idle = False
            with command_options(self._settings) as options:
                code = loop.container.shell(options, WORK / unit.folder.name, self._spec.secrets)
            self._fetch(loop, unit)
        return code

    @contextmanager
    def _brought(self, unit: Unit) -> Iterator[Loop]:
        """The loop, in whose container the unit is meanwhile; replaced where something of the unit is left in it."""
        _lay_out(unit)
        self.start()
        loop = self._loop
        assert loop is not None  # Started.
        try:
            with answering(self._settings.docker_url):
                loop.sharing.bring(loop.container.id, unit)
            yield loop
        finally:
            if not (loop.is_idle and loop.sharing.empty()):
                self.close()

    def close(self) -> None:
        """Remove the container, when there is one."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.close()

    def _follow(self, loop: Loop, unit: Unit, started: float) -> Usage:
        """Run a unit that is in the container, and have its results out of it when nothing of it lives any more."""
        output = LineLog(unit.log)
        end = loop.container.kill
        try:
            with self._spec.stop.register(end), time_limit(self._spec.timeout_s, end) as expired:
                marker = loop.follow(unit, output)
            if marker is None:
                raise self._ended(loop, output, Usage(time.monotonic() - started), timed_out=expired.is_set())
            if self._is_kept and not loop.sharing.is_for_one_unit and not marker.is_anything_left:
                loop.check_idle()
        except MarkerError as error:
            msg = f"{error}{output.tail()}"
            raise UnitError(msg, Usage(time.monotonic() - started)) from error
        was_out_of_memory, cpu_seconds = loop.since_last(marker)
        peak = marker.peak_memory_bytes if marker.peak_memory_bytes >= 0 else None
        usage = Usage(time.monotonic() - started, cpu_seconds, peak)
        try:
            if was_out_of_memory:
                raise ChunkError(self._out_of_memory(marker.exit_code, output))
            if marker.exit_code:
                met = restriction(self._spec, loop.container.user, output.last)
                msg = f"exit code {marker.exit_code}.{met}{output.tail()}"
                raise ChunkError(msg)
            self._fetch(loop, unit)
        except ChunkError as error:
            raise UnitError(str(error), usage, marker.exit_code) from error
        return usage

    def _fetch(self, loop: Loop, unit: Unit) -> None:
        if not (loop.is_idle or loop.end()):
            msg = f"The engine at {self._settings.docker_url} does not end the container of {self._spec.block.tag}."
            raise ContainerError(msg)
        with answering(self._settings.docker_url):
            loop.sharing.fetch(loop.container.id, unit)

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
