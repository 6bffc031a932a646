"""One container: created under our rules, started with its streams attached, killed, asked why it ended, removed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self

from docker.errors import APIError, DockerException, NotFound
from docker.types import DeviceRequest, LogConfig, Mount

from triptych.blocks import Block
from triptych.errors import ConfigError
from triptych.harmless import harmless_logger
from triptych.running import compat
from triptych.running.reaper import expiry_label
from triptych.running.sharing import HOME, INPUTS, OWN_CACHE, SHARED_CACHE
from triptych.running.spec import SHELL, RunSpec, thread_variables
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient

_log = harmless_logger(__name__)
GIB = 2**30
ENDING_S = 30
"""For a container that is ending to end."""


@dataclass(frozen=True)
class Ending:
    """Why a container is gone, as its engine says."""

    exit_code: int
    out_of_memory: bool


class Container:
    """A started container whose input and output are ours, until `remove`."""

    def __init__(self, client: APIClient, container_id: str, stream: compat.Attached) -> None:
        self.id = container_id
        self._client = client
        self._stream = stream

    @classmethod
    def started(cls, client: APIClient, container_id: str, prepare: Callable[[], None], first: bytes = b"") -> Self:
        """Start a created container after `prepare`; one that does not start is removed. Raises docker's APIError.

        `first` is the beginning of its input.
        """
        try:
            prepare()
            wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            stream = client.attach_socket(container_id, params=wanted)
            container = cls(client, container_id, stream)
        except BaseException:
            _remove(client, container_id)
            raise
        try:
            client.start(container_id)
            with suppress(OSError):  # It has ended already: who follows it sees why.
                container.send(first)
        except BaseException:
            container.remove()
            raise
        return container

    def send(self, data: bytes) -> None:
        """Write to its standard input; OSError when it has ended."""
        compat.send(self._stream, data)

    def output(self) -> Iterator[tuple[int, bytes]]:
        """What it writes, from where the last reader stopped, until it ends: 1 or 2 for the stream, and a piece."""
        return compat.output(self._stream)

    def shell(self, options: Sequence[str], folder: PurePath, secrets: Mapping[str, str]) -> int:
        """A shell in a unit's `folder`, on this process's terminal, by docker's own command; its exit code.

        `options` lead it to the engine. ConfigError where the command is missing. Secrets come by its environment,
        which no list of processes shows.
        """
        docker = shutil.which("docker")
        if docker is None:
            msg = (
                "--shell: a shell in a container needs the command `docker`, and it is not installed here. Without "
                "--shell the chunk runs all the same."
            )
            raise ConfigError(msg)
        terminal = ["-t"] if os.isatty(0) and os.isatty(1) else []
        named = [part for name in secrets for part in ("-e", name)]
        begin = f'. "$0/env.sh"; cd "$0/in"; exec {SHELL}'
        argv = [docker, *options, "exec", "-i", *terminal, *named, self.id, SHELL, "-c", begin, str(folder)]
        return subprocess.run(argv, env={**os.environ, **secrets}, check=False).returncode

    def kill(self) -> None:
        """End it at once; nothing when it has ended. Raises nothing: it is called from timers, too."""
        try:
            self._client.kill(self.id)
        except (DockerException, OSError):
            # Whatever hinders the engine: who reads its output stops waiting, and without an input it ends itself.
            compat.break_off(self._stream)

    def ending(self) -> Ending | None:
        """Wait for its end, ENDING_S at most, and ask the engine why; None where no engine tells."""
        try:
            self._client.wait(self.id, timeout=ENDING_S)
            state = self._client.inspect_container(self.id)["State"]
        except (DockerException, OSError):
            return None
        return Ending(int(state["ExitCode"]), bool(state.get("OOMKilled")))

    def user(self) -> str:
        """Who runs in it, as `uid:gid`; empty where the engine does not tell."""
        try:
            return str(self._client.inspect_container(self.id)["Config"]["User"])
        except (DockerException, OSError):
            return ""

    def remove(self) -> None:
        """Kill and remove it with its volumes, and close its streams. Never raises: no outcome hangs on a clean-up."""
        with suppress(OSError):  # The engine may have hung up before.
            compat.hang_up(self._stream)
        _remove(self._client, self.id)


def create_container(
    client: APIClient,
    spec: RunSpec,
    settings: Settings,
    image: str,
    command: Sequence[str],
    mounts: Sequence[Mount],
    *,
    user: str,
) -> str:
    """The id of a new container that will run `command`, without the image's own entrypoint, rights or network.

    It has an input that ends with our attachment, and a label that says when anybody may remove it.
    """
    caches = spec.cache.variables(str(SHARED_CACHE), str(OWN_CACHE)) if spec.cache else {}
    ours = {**caches, **spec.input_variables(INPUTS)}
    created = client.create_container(
        image=image,
        entrypoint=list(command),
        command=[],
        user=user,
        environment={**_threads(client, image, spec.block), "HOME": str(HOME), "PYTHONUNBUFFERED": "1", **ours},
        stdin_open=True,
        labels={**spec.labels, **expiry_label(client, spec.longest_s)},
        host_config=client.create_host_config(
            mounts=list(mounts),
            **_host_config(spec, settings.pids_limit),
        ),
    )
    return str(created["Id"])


def _host_config(spec: RunSpec, most_processes: int) -> dict[str, Any]:
    block = spec.block
    limits: dict[str, Any] = {}
    if block.min_cpu:
        limits["nano_cpus"] = int(block.min_cpu * 1e9)
    if block.min_memory_gib:
        # Swap counts: the limit means what it says.
        limits["mem_limit"] = limits["memswap_limit"] = int(block.min_memory_gib * GIB)
    if block.gpu:
        limits["device_requests"] = [gpu_request(spec.gpus or block.gpu)]
    return {
        "network_mode": spec.network,
        "init": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": most_processes,
        "read_only": not block.writable_root,
        # We keep the log; the engine would keep all of it too, on its disk. The end of it is left for `docker logs`.
        "log_config": LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
        **limits,
    }


def _threads(client: APIClient, image: str, block: Block) -> dict[str, str]:
    """`thread_variables`, but for those that the image sets itself."""
    wanted = thread_variables(block)
    own = client.inspect_image(image)["Config"].get("Env") or () if wanted else ()
    return {key: value for key, value in wanted.items() if not any(each.startswith(f"{key}=") for each in own)}


def gpu_request(gpu: int | tuple[str, ...]) -> DeviceRequest:
    """So many GPUs, or those of these ids."""
    if isinstance(gpu, int):
        return DeviceRequest(count=gpu, capabilities=[["gpu"]])
    return DeviceRequest(device_ids=list(gpu), capabilities=[["gpu"]])


def _remove(client: APIClient, container_id: str) -> None:
    """Remove it, unless it is gone, or somebody is at it already; what hinders that is told, and left to the reaper."""
    try:
        client.remove_container(container_id, force=True, v=True)
    except NotFound:
        pass
    except (DockerException, OSError) as error:
        if not (isinstance(error, APIError) and error.status_code == HTTPStatus.CONFLICT):
            # As text: a record that is kept would keep the error's frames, and the connection in them.
            _log.warning("Container %s is left for a later job to remove: %s", container_id[:12], str(error))
