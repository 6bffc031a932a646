"""How many processes live in a container, as the kernel or the engine says: nothing in the container is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import APIError

if TYPE_CHECKING:
    from docker import APIClient

_CGROUPS = Path("/sys/fs/cgroup")


class Census:
    """Of one container: read from its cgroup where that is on this machine, else asked of its engine."""

    def __init__(self, client: APIClient, container_id: str) -> None:
        self._client, self._container = client, container_id
        self._processes: Path | None = None
        self._is_looked_for = False

    def living(self) -> int:
        """How many processes live; 0 when the container has ended."""
        if not self._is_looked_for:
            self._processes, self._is_looked_for = self._local_list(), True
        if self._processes is None:
            return self._engines_count()
        try:
            return len(self._processes.read_text(encoding="ascii").split())
        except OSError:
            return 0  # The cgroup went with its last process.

    def _local_list(self) -> Path | None:
        """The kernel's list of the container's processes; None where its engine is on another machine."""
        pid = self._client.inspect_container(self._container)["State"]["Pid"]
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        for line in lines:
            _, controllers, path = line.split(":", 2)
            # A process of that number may be anybody's; only the container's own has its id in there.
            if self._container not in path:
                continue
            processes = _CGROUPS / controllers.split(",")[0] / path.lstrip("/") / "cgroup.procs"
            if processes.is_file():
                return processes
        return None

    def _engines_count(self) -> int:
        try:
            return len(self._client.top(self._container)["Processes"] or ())
        except APIError:
            return 0  # It does not run any more.
