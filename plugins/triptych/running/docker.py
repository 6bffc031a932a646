"""Runs blocks in containers: one warm container per session, one shell loop inside it, one line per unit."""

from __future__ import annotations

import logging
import secrets
import shlex
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from docker.errors import APIError

from triptych.blocks import Block, Role
from triptych.errors import ChunkError, ContainerError
from triptych.running.capacity import check_capacity
from triptych.running.container import GIB, Container, create_container
from triptych.running.images import connected, known_image, present_image
from triptych.running.interpreter import command
from triptych.running.lines import LineLog
from triptych.running.reaper import reap
from triptych.running.sharing import CODE, OURS, WORK, Sharing, create_sharing
from triptych.running.spec import RunSpec, Session, Unit, UnitError, Usage
from triptych.running.time_limit import time_limit
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient

_log = logging.getLogger(__name__)


@contextmanager
def docker_session(spec: RunSpec, settings: Settings) -> Iterator[Session]:
    """A session whose container is gone when the context ends, however it ends."""
    with connected(settings.docker_url) as client:
        reap(client)
        check_capacity(client, spec.block)
        digest = present_image(client, spec.block)
        if spec.image_digest and digest != spec.image_digest:
            _log.warning(
                "%s is %s on this engine, and was %s when the job started. Name the image by its digest to have the "
                "same one everywhere.",
                *(spec.block.image, digest, spec.image_digest),
            )
        session = DockerSession(client, spec, settings)
        try:
            yield session
        finally:
            session.close()


def docker_images(blocks: Mapping[Role, Block], settings: Settings, here: Collection[Role]) -> dict[Role, str]:
    """As `checked_images`, of the configured engine."""
    with connected(settings.docker_url) as client:
        for role, block in blocks.items():
            if role in here:
                check_capacity(client, block)
        return {role: known_image(client, block) for role, block in blocks.items()}


@dataclass(frozen=True)
class Marker:
    """What the loop says when a unit ends; -1 where its kernel does not tell.

    `oom_kills` and the CPU time count from the container's start, as does the peak. The CPU time stands in
    microseconds (cgroup 2) or in nanoseconds (cgroup 1).
    """

    exit_code: int
    oom_kills: int
    cpu_us: int
    cpu_ns: int
    peak_memory_bytes: int

    @property
    def cpu_seconds(self) -> float:
        """Since the container's start; 0 where no kernel tells."""
        return self.cpu_us / 1e6 if self.cpu_us >= 0 else max(self.cpu_ns, 0) / 1e9


class Loop:
    """A container that runs units one after the other; `nonce` begins the lines that are the loop's own."""

    def __init__(self, container: Container, sharing: Sharing, nonce: str) -> None:
        self.container = container
        self.sharing = sharing
        self._nonce = nonce
        self._blocks = container.output()
        self._last = Marker(0, 0, 0, 0, 0)

    @classmethod
    def started(cls, client: APIClient, spec: RunSpec, settings: Settings) -> Loop:
        """In a new container of the block's image; ContainerError when the engine refuses."""
        block = spec.block
        spec.work.chmod(0o755)  # The container's user is another.
        nonce = secrets.token_hex(16)
        script = ["/bin/sh", f"{OURS}/loop.sh", nonce, *command(block, str(CODE), str(OURS))]
        try:
            create = partial(create_container, client, spec, settings, script)
            container_id, sharing = create_sharing(client, spec, settings, create)
            container = Container.started(client, container_id, lambda: sharing.fill(container_id))
        except APIError as error:
            msg = f"The engine refused to start {block.tag} from {block.image}: {error.explanation or error}."
            raise ContainerError(msg) from error
        return cls(container, sharing, nonce)

    def follow(self, unit: Unit, output: LineLog) -> Marker | None:
        """Start the unit and show its log; its marker, or None when the container ended first."""
        try:
            self.container.send(f"{WORK / unit.folder.name}\n".encode())
            for line in script_lines((output.lines(data) for data in self._blocks), self._nonce):
                if line.startswith(self._nonce):
                    return Marker(*map(int, line.split()[1:]))
                output.show(line)
        except OSError:
            pass  # The container is gone: the caller asks the engine why.
        output.finish()
        return None

    def since_last(self, marker: Marker) -> tuple[bool, float]:
        """Whether the unit of this marker was out of memory, and its CPU seconds."""
        before, self._last = self._last, marker
        return marker.oom_kills > before.oom_kills, marker.cpu_seconds - before.cpu_seconds


class DockerSession:
    """Feeds folders to the loop in its container, which is a new one after it was ended in the middle of a unit."""

    def __init__(self, client: APIClient, spec: RunSpec, settings: Settings) -> None:
        self._client, self._spec, self._settings = client, spec, settings
        self._loop: Loop | None = None

    def run(self, unit: Unit) -> Usage:
        """As `Session.run`; the peak of memory is that of the container so far."""
        started = time.monotonic()
        _lay_out(unit)
        loop = self._loop = self._loop or Loop.started(self._client, self._spec, self._settings)
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
        if was_out_of_memory:
            raise UnitError(self._out_of_memory(marker.exit_code, output), usage, marker.exit_code)
        if marker.exit_code:
            msg = f"exit code {marker.exit_code}.{output.tail()}"
            raise UnitError(msg, usage, marker.exit_code)
        try:
            loop.sharing.fetch(loop.container.id, unit)
        except ChunkError as error:
            raise UnitError(str(error), usage, marker.exit_code) from error
        return usage

    def close(self) -> None:
        """Remove the container, when there is one."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.container.remove()

    def _ended(self, loop: Loop, output: LineLog, usage: Usage, *, timed_out: bool) -> UnitError:
        """Why the container ended in the middle of a unit; the next unit has a new one."""
        ending = loop.container.ending()
        self.close()
        if timed_out:
            reason = f"ran longer than its timeout of {self._spec.timeout_s:g} s.{output.tail()}"
        elif ending.out_of_memory:
            reason = self._out_of_memory(ending.exit_code, output)
            # No kernel tells a dead container's CPU time; its memory had reached the limit.
            limit = self._spec.block.min_memory_gib
            usage = replace(usage, peak_memory_bytes=int(limit * GIB) if limit else None)
        else:
            code = "unknown" if ending.exit_code is None else ending.exit_code
            reason = f"its container was ended from outside (exit code {code}).{output.tail()}"
        return UnitError(reason, usage, ending.exit_code)

    def _out_of_memory(self, code: int | None, output: LineLog) -> str:
        limit = self._spec.block.min_memory_gib
        shown = f"its limit of {limit:g} GiB" if limit else "the machine's memory"
        return (
            f"ran out of memory: it went beyond {shown} (exit code {code}). Raise "
            f"device_requests.min_memory in its manifest, or make chunks smaller.{output.tail()}"
        )


def _lay_out(unit: Unit) -> None:
    """Write the unit's variables for the loop, and let the container's user, who is another, into its two folders."""
    variables = unit.variables(WORK / unit.folder.name)
    lines = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items())
    (unit.folder / "env.sh").write_text(lines)
    for folder in ("in", "out"):
        (unit.folder / folder).chmod(0o777)


def script_lines(groups: Iterable[Iterable[str]], marker: str) -> Iterator[str]:
    """All lines but an empty one right before a marker: the loop writes it, so that markers begin a line."""
    held = False
    for line in chain.from_iterable(groups):
        if held and not line.startswith(marker):
            yield ""
        held = not line
        if line:
            yield line
