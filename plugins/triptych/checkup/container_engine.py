"""The container engine that a worker here would use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triptych.checkup.findings import Finding, Standing
from triptych.settings import Runner, Settings

GIB = 1 << 30
_LIMITS = {"MemoryLimit": "memory", "CpuCfsQuota": "cores", "PidsLimit": "processes"}
"""What `docker info` calls a limit that its kernel can hold a container to."""


def container_engine(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, what it has, and which limits of a manifest it cannot keep."""
    if settings.runner is Runner.PROCESS:
        remedy = "Anywhere but on your own machine, with code that you trust, take [triptych] runner = docker."
        yield Finding("engine", Standing.WARNING, "[triptych] runner = process: nothing isolates apps.", remedy)
        return
    # Here, since the command starts without Docker's client.
    from triptych.running.transport import answering, connected, is_in_the_clear

    with connected(settings) as client, answering(settings.docker_url):
        info = client.info()
    yield Finding("engine", Standing.OK, _told(settings.docker_url, info))
    if is_in_the_clear(settings):
        said = f"{settings.docker_url} is neither secret nor kept to us: who reaches it is root there."
        remedy = (
            "Let dockerd take --tlsverify, and name its certificates by [triptych] docker_url_conn_id; or use ssh://."
        )
        yield Finding("transport", Standing.WARNING, said, remedy)
    lacking = [name for key, name in _LIMITS.items() if info.get(key) is False]
    if lacking:
        said = f"{settings.docker_url} cannot limit {' and '.join(lacking)}: manifests ask for it in vain."
        yield Finding("limits", Standing.WARNING, said, "Turn on these cgroup controllers for the engine's kernel.")
    if settings.docker_files == "archive":
        said = "[triptych] docker_files = archive: each chunk has a container of its own, and its files are copied."
        yield Finding("files", Standing.WARNING, said, "Where the engine is on this machine, leave it at auto.")


def _told(url: str, info: Mapping[str, Any]) -> str:
    cores, memory = info.get("NCPU", "?"), (info.get("MemTotal") or 0) / GIB
    version, name = info.get("ServerVersion", "?"), info.get("Name", "?")
    return f"{url}: version {version} on {name}, {cores} cores, {memory:.1f} GiB of memory."
