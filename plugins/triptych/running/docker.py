"""Runs blocks in containers: one warm container per session, one shell loop inside it, one line per unit."""

from __future__ import annotations

import os
import secrets
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.types import DeviceRequest
from docker.utils.socket import frames_iter

from triptych.blocks import Block
from triptych.connections import registry_login
from triptych.errors import ChunkError, ContainerError, ImageError
from triptych.running.interpreter import command
from triptych.running.lines import LineLog
from triptych.running.process import unit_variables
from triptych.running.reaper import owner_labels, reap
from triptych.running.sharing import CODE, OURS, OWN_CACHE, SHARED_CACHE, WORK, Sharing, create_sharing
from triptych.running.spec import RunSpec, Session, Unit, Usage
from triptych.settings import Settings

NOBODY = "65534:65534"
_GIB = 2**30


@contextmanager
def docker_session(spec: RunSpec, settings: Settings, log: Callable[[str], None]) -> Iterator[Session]:
    """A session whose container is gone when the context ends, however it ends."""
    client = _connect(settings.docker_url)
    try:
        reap(client)
        digest = _have_image(client, spec.block, log)
        if spec.image_digest and digest != spec.image_digest:
            log(
                f"WARNING: {spec.block.image} is {digest} on this engine, and was {spec.image_digest} when the job "
                "started. Name the image by its digest to have the same one everywhere."
            )
        session = DockerSession(client, spec, settings, log)
        try:
            yield session
        finally:
            session.close()
    finally:
        client.close()


def image_digest(block: Block, settings: Settings, log: Callable[[str], None]) -> str:
    """The digest of the block's image, pulled when it is missing: the registry's, else the engine's own id."""
    client = _connect(settings.docker_url)
    try:
        return _have_image(client, block, log)
    finally:
        client.close()


def _connect(url: str) -> Any:
    try:
        return docker.APIClient(base_url=url, version="auto", timeout=120)
    except DockerException as error:
        msg = (
            f"No Docker engine answers at {url}. Start it, set [triptych] docker_url, or try the job without "
            "containers: `triptych run --runner process`."
        )
        raise ContainerError(msg) from error


def _have_image(client: Any, block: Block, log: Callable[[str], None]) -> str:
    """Pull the image when it is missing or the manifest asks for it; ImageError when it cannot be had."""
    try:
        about = client.inspect_image(block.image)
        if block.force_pull:
            _pull(client, block, log)
            about = client.inspect_image(block.image)
    except ImageNotFound:
        _pull(client, block, log)
        about = client.inspect_image(block.image)
    return str((about.get("RepoDigests") or [about["Id"]])[0])


def _pull(client: Any, block: Block, log: Callable[[str], None]) -> None:
    log(f"Pulling image {block.image} ...")
    try:
        for status in client.pull(block.image, stream=True, decode=True, auth_config=registry_login(block)):
            if "error" in status:
                raise ImageError(_missing_image(block, status["error"]))
    except APIError as error:
        raise ImageError(_missing_image(block, error.explanation or str(error))) from error


def _missing_image(block: Block, reason: Any) -> str:
    return (
        f"{block.folder / 'manifest.json'}: the image {block.image!r} of {block.tag} is not on this engine and cannot "
        f"be pulled: {reason}. Correct platform_config.container, build the image, or name a docker_conn_id."
    )


class DockerSession:
    """Feeds folders to the loop in the container and reads its log up to the marker that ends each unit."""

    def __init__(self, client: Any, spec: RunSpec, settings: Settings, log: Callable[[str], None]) -> None:
        self._client, self._spec, self._settings, self._log = client, spec, settings, log
        self._container: str | None = None
        self._sharing: Sharing | None = None
        self._nonce = ""
        self._stdin: Any = None
        self._frames: Iterator[tuple[int, bytes]] = iter(())
        self._oom_kills = 0
        self._cpu_seconds = 0.0

    def run(self, unit: Unit) -> Usage:
        started = time.monotonic()
        self._lay_out(unit)
        container, sharing = self._running()
        sharing.bring(container, unit)
        output = LineLog(self._log)
        with self._spec.stop.ends(self._kill):
            marker, timed_out = self._follow(unit, output)
        if marker is None:
            self._judge_death(output, timed_out)
        usage = self._judge(marker or [], output, started)
        sharing.fetch(container, unit)
        return usage

    def close(self) -> None:
        """Kill and remove the container; nothing of it is left."""
        container, self._container = self._container, None
        if self._stdin is not None:
            _hang_up(self._stdin)
            self._stdin = None
        if container is not None:
            with suppress(NotFound):
                self._client.remove_container(container, force=True, v=True)

    def _kill(self) -> None:
        with suppress(APIError):
            self._client.kill(self._container)

    def _lay_out(self, unit: Unit) -> None:
        inside = WORK / unit.folder.name
        variables = unit_variables(unit, inside)
        lines = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items())
        (unit.folder / "env.sh").write_text(lines)
        # The container's user is another: the folder above is ours alone, and only these two are shared.
        for folder in ("in", "out"):
            (unit.folder / folder).chmod(0o777)

    def _running(self) -> tuple[str, Sharing]:
        """The container, started when there is none, and its view of our folders."""
        if self._container is None or self._sharing is None:
            block = self._spec.block
            try:
                self._start()
            except APIError as error:
                self.close()
                msg = f"The engine refused to start {block.tag} from {block.image}: {error.explanation or error}."
                raise ContainerError(msg) from error
        assert self._container is not None
        assert self._sharing is not None
        return self._container, self._sharing

    def _start(self) -> None:
        # The container's user is another.
        self._spec.work.chmod(0o755)
        self._nonce = secrets.token_hex(16)
        self._container, self._sharing = create_sharing(
            self._client, self._spec, self._settings, self._create, self._log
        )
        self._sharing.fill(self._container)
        wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        self._stdin = self._client.attach_socket(self._container, params=wanted)
        self._frames = frames_iter(self._stdin, tty=False)  # type: ignore[no-untyped-call]  # docker-py has no annotations
        self._client.start(self._container)
        self._oom_kills, self._cpu_seconds = 0, 0.0

    def _create(self, mounts: list[Any]) -> str:
        block = self._spec.block
        cache = self._spec.cache.variables(str(SHARED_CACHE), str(OWN_CACHE))
        created = self._client.create_container(
            image=block.image,
            entrypoint=["/bin/sh", f"{OURS}/loop.sh", self._nonce, *command(block, str(CODE), str(OURS))],
            command=[],
            user=self._user(),
            environment={"HOME": "/tmp", "PYTHONUNBUFFERED": "1", **cache, **self._spec.secrets},
            stdin_open=True,
            labels={**self._spec.labels, **owner_labels()},
            host_config=self._client.create_host_config(mounts=mounts, **self._host_config()),
        )
        return str(created["Id"])

    def _host_config(self) -> dict[str, Any]:
        block = self._spec.block
        limits: dict[str, Any] = {}
        if block.min_cpu:
            limits["nano_cpus"] = int(block.min_cpu * 1e9)
        if block.min_memory_gib:
            # Swap counts: the limit means what it says.
            limits["mem_limit"] = limits["memswap_limit"] = int(block.min_memory_gib * _GIB)
        if block.gpu:
            limits["device_requests"] = [_gpus(block.gpu)]
        return {
            "network_mode": self._spec.network or self._settings.network,
            "init": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": self._settings.pids_limit,
            **limits,
        }

    def _user(self) -> str | None:
        """The worker's own user; under root the image's, or nobody where the image names none."""
        if os.getuid():
            return f"{os.getuid()}:{os.getgid()}"
        own = self._client.inspect_image(self._spec.block.image)["Config"].get("User")
        return None if own else NOBODY

    def _follow(self, unit: Unit, output: LineLog) -> tuple[list[int] | None, bool]:
        """Start the unit and stream its log; its marker's numbers, or None when the container ended first."""
        timed_out = threading.Event()

        def expire() -> None:
            timed_out.set()
            self._kill()

        timer = threading.Timer(self._spec.timeout_s or threading.TIMEOUT_MAX, expire)
        timer.daemon = True
        timer.start()
        try:
            _send(self._stdin, f"{WORK / unit.folder.name}\n".encode())
            for line in _script_lines((output.lines(data) for _, data in self._frames), self._nonce):
                if line.startswith(self._nonce):
                    return [int(number) for number in line.split()[1:]], timed_out.is_set()
                output.show(line)
        except OSError:
            pass  # The container is gone: the caller asks the engine why.
        finally:
            timer.cancel()
        output.finish()
        return None, timed_out.is_set()

    def _judge(self, marker: list[int], output: LineLog, started: float) -> Usage:
        code, oom_kills, cpu_us, cpu_ns, peak = marker
        cpu_total = cpu_us / 1e6 if cpu_us >= 0 else cpu_ns / 1e9 if cpu_ns >= 0 else 0.0
        used, self._cpu_seconds = cpu_total - self._cpu_seconds, cpu_total
        killed, self._oom_kills = oom_kills > self._oom_kills, max(oom_kills, 0)
        if killed:
            raise ChunkError(self._out_of_memory(code, output))
        if code:
            msg = f"exit code {code}.{output.tail()}"
            raise ChunkError(msg)
        return Usage(time.monotonic() - started, used, peak if peak >= 0 else None)

    def _judge_death(self, output: LineLog, timed_out: bool) -> None:
        """The container ended in the middle of a unit: say why, and let the next unit have a new one."""
        try:
            self._client.wait(self._container, timeout=30)
            state = self._client.inspect_container(self._container)["State"]
        except (DockerException, OSError):
            state = {}
        self.close()
        if timed_out:
            msg = f"ran longer than its timeout of {self._spec.timeout_s:g} s.{output.tail()}"
        elif state.get("OOMKilled"):
            msg = self._out_of_memory(state.get("ExitCode", 137), output)
        else:
            msg = f"its container was ended from outside (exit code {state.get('ExitCode', 'unknown')}).{output.tail()}"
        raise ChunkError(msg)

    def _out_of_memory(self, code: int, output: LineLog) -> str:
        limit = self._spec.block.min_memory_gib
        shown = f"its limit of {limit:g} GiB" if limit else "the machine's memory"
        return (
            f"ran out of memory: it went beyond {shown} (exit code {code}). Raise "
            f"device_requests.min_memory in its manifest, or make chunks smaller.{output.tail()}"
        )


def _script_lines(pieces: Iterable[Iterable[str]], marker: str) -> Iterator[str]:
    """All lines but an empty one right before a marker: the loop writes it, so that markers begin a line."""
    held = False
    for line in chain.from_iterable(pieces):
        if held and not line.startswith(marker):
            yield ""
        held = not line
        if line:
            yield line


def _gpus(gpu: int | tuple[str, ...]) -> Any:
    if isinstance(gpu, int):
        return DeviceRequest(count=gpu, capabilities=[["gpu"]])
    return DeviceRequest(device_ids=list(gpu), capabilities=[["gpu"]])


def _hang_up(stream: Any) -> None:
    """Close an attached stream, the HTTP response that docker-py reads it from, and the socket below both."""
    raw = getattr(stream, "_sock", stream)
    response = getattr(stream, "_response", None)
    if response is not None:
        # urllib3 flushes what is a read-only stream here, closed already when the container ended first.
        with suppress(ValueError):
            response.close()
    stream.close()
    raw.close()


def _send(stream: Any, data: bytes) -> None:
    """Write to the attached stdin; docker-py gives a socket, or a file object around one."""
    raw: socket.socket = getattr(stream, "_sock", stream)
    raw.sendall(data)
