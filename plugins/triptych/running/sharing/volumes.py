"""Side inputs on an engine that does not share our files: a named volume for each, filled once, whoever needs it.

Who fills one does so through a container of the volume's name: the engine gives a name to one container at a time, and
others wait until it is gone. It ends, and removes itself, when its input does: that is, at once when its worker dies.
A mark, put last, says that the volume is whole; without one it is filled anew.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from docker.errors import APIError, DockerException, NotFound
from docker.types import Mount
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import Timeout

from triptych.errors import ContainerError
from triptych.harmless import harmless_logger
from triptych.running import compat
from triptych.running.reaper import expiry_label, reap
from triptych.running.sharing.archive import tar_blocks
from triptych.running.sharing.interface import STORED
from triptych.running.spec import MountedInput, RunSpec
from triptych.settings import Settings

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from docker import APIClient

LABEL = "triptych.input"
"""Of each volume: how many bytes the side input has."""
DATA, WHOLE = "data", "whole"
"""What lies in a volume: the file or folder, and the mark."""
WAIT_S = 2
"""A wait for another's container without end would not notice Ctrl-C."""
_READS_ITS_INPUT = ["/bin/sh", "-c", "while read -r line; do :; done"]
_MARK = tarfile.TarInfo(WHOLE).tobuf() + b"\0" * tarfile.BLOCKSIZE * 2
"""The archive with nothing but the mark, an empty file."""
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class VolumeLimits:
    """How many bytes of side inputs an engine keeps that nobody uses, and for how long after they came."""

    bytes: int
    seconds: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of a worker's own cache."""
        return cls(settings.input_cache_bytes, settings.input_cache_s)


class InputVolume:
    """The volume of one side input, as containers see it."""

    def __init__(self, side: MountedInput) -> None:
        self._side = side
        self.key = side.key
        self._name = f"triptych-input-{side.key}"
        self._inside = STORED / side.key

    @property
    def data(self) -> PurePosixPath:
        """Where containers see the file or the folder."""
        return self._inside / DATA

    def mount(self, *, is_read_only: bool = True) -> Mount:
        """For a container to be created; the engine makes a volume that is missing, and keeps one that is in use."""
        labels = {LABEL: str(self._side.size)}
        return Mount(str(self._inside), self._name, "volume", read_only=is_read_only, labels=labels, no_copy=True)

    def fill(self, client: APIClient, container: str, spec: RunSpec, limits: VolumeLimits) -> None:
        """Bring what it holds, unless it is there; `container`, of the same image, has the volume, and need not run.

        Raises docker's APIError; ContainerError when the engine refuses to be given it.
        """
        while not self._is_whole(client, container):
            spec.stop.check()
            with self._filler(client, container, spec) as filler:
                # Another one may have done it between the look and our having the name.
                if filler is not None and not self._is_whole(client, container):
                    remove_unused(client, limits)
                    self._put(client, filler)

    def _is_whole(self, client: APIClient, container: str) -> bool:
        try:
            blocks, _ = client.get_archive(container, str(self._inside / WHOLE))
        except NotFound:
            return False
        with closing(blocks):
            return True

    @contextmanager
    def _filler(self, client: APIClient, container: str, spec: RunSpec) -> Iterator[str | None]:
        """The only container of this name while the context lasts; None once another's is gone, or a while later."""
        try:
            image = client.inspect_container(container)["Image"]
            created = client.create_container(
                image=image,
                entrypoint=_READS_ITS_INPUT,
                command=[],
                name=self._name,
                stdin_open=True,
                labels={**spec.labels, **expiry_label(client, spec.longest_s)},
                host_config=client.create_host_config(
                    mounts=[self.mount(is_read_only=False)],
                    network_mode="none",
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    read_only=True,
                    auto_remove=True,
                ),
            )
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            self._wait(client)
            yield None
            return
        with ExitStack() as stack:
            stack.callback(_remove, client, str(created["Id"]))
            stream = client.attach_socket(created["Id"], params={"stdin": 1, "stream": 1})
            stack.callback(compat.hang_up, stream)
            client.start(created["Id"])
            yield str(created["Id"])

    def _wait(self, client: APIClient) -> None:
        with suppress(NotFound, Timeout, NoConnection):  # It is gone, or still there: the caller looks again.
            client.wait(self._name, timeout=WAIT_S, condition="removed")
        reap(client)

    def _put(self, client: APIClient, filler: str) -> None:
        started = time.monotonic()
        for blocks in (tar_blocks(self._side.path, DATA), _MARK):
            if not client.put_archive(filler, str(self._inside), blocks):
                msg = f"The engine did not take the side input {self._side.name} into its volume {self._name}."
                raise ContainerError(msg)
        seconds = time.monotonic() - started
        size = f"{self._side.size:,}"
        _log.info("Input %s: %s bytes given to the engine in %.1f s.", self._side.name, size, seconds)


def remove_unused(client: APIClient, limits: VolumeLimits) -> int:
    """Remove volumes of side inputs that came too long ago, then the oldest, until the rest is within the limits.

    The engine keeps those that a container has. How many went; never raises for what hinders, which is told.
    """
    volumes: Sequence[Mapping[str, Any]] = client.volumes(filters={"label": [LABEL]}).get("Volumes") or ()
    total = sum(int(volume["Labels"][LABEL]) for volume in volumes)
    oldest, removed = datetime.now(UTC).timestamp() - limits.seconds, 0
    for volume in sorted(volumes, key=_came):
        if total > limits.bytes or _came(volume) < oldest:
            is_removed = _is_removed(client, str(volume["Name"]))
            removed += is_removed
            total -= int(volume["Labels"][LABEL]) if is_removed else 0
    return removed


def _came(volume: Mapping[str, Any]) -> float:
    """When it was made, in seconds since the epoch, by the engine's clock."""
    return datetime.fromisoformat(volume["CreatedAt"]).timestamp()


def _is_removed(client: APIClient, name: str) -> bool:
    try:
        client.remove_volume(name)
    except DockerException as error:
        if not (isinstance(error, APIError) and error.status_code in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND)):
            _log.warning("The volume %s is left for a later job to remove: %s", name, str(error))
        return False
    return True


def _remove(client: APIClient, filler: str) -> None:
    with suppress(NotFound):  # Its input ended, and with it the container.
        try:
            client.remove_container(filler, force=True, v=True)
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:  # The engine is at it already.
                raise
