"""Removes containers that nobody needs any more, whosever they were: by their engine's clock and its word.

No process is asked for by name: pids and host names repeat in other namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, NotFound

from triptych.harmless import harmless_logger

if TYPE_CHECKING:
    from docker import APIClient

EXPIRES = "triptych.expires"
"""The label of each container of ours: when, by the clock of its engine, nobody waits for it any more."""
LEFTOVER_S = 600.0
"""One that has ended, or was never started, for so long is nobody's: its worker asks why within a minute."""
_log = harmless_logger(__name__)


def expiry_label(client: APIClient, seconds: float) -> dict[str, str]:
    """The label of a container that is needed for `seconds` from now; it may be there a while longer."""
    return {EXPIRES: (engine_time(client) + timedelta(seconds=seconds + LEFTOVER_S)).isoformat()}


def engine_time(client: APIClient) -> datetime:
    """What the engine's own clock says; ours may be another."""
    return datetime.fromisoformat(client.info()["SystemTime"])


def reap(client: APIClient, leftover_s: float = LEFTOVER_S, labels: Sequence[str] = ()) -> int:
    """Remove containers that expired, or that ended or were created `leftover_s` ago and do not run.

    Those with all of `labels`; returns how many. Never raises: what cannot be removed is left for the next one.
    """
    try:
        now = engine_time(client)
        ours = client.containers(all=True, filters={"label": [EXPIRES, *labels]})
    except (DockerException, OSError) as error:
        _log.warning("Containers that nobody needs any more are left for a later job to find: %s", str(error))
        return 0
    return sum(_removed(client, container, now, leftover_s) for container in ours)


def _removed(client: APIClient, container: Mapping[str, Any], now: datetime, leftover_s: float) -> bool:
    """Whether the container's time was over, and it is gone by our doing."""
    try:
        if not any(end <= now for end in _ends(client, container, leftover_s)):
            return False
        client.remove_container(container["Id"], force=True, v=True)
    except NotFound:
        return False  # Somebody else was faster.
    except ValueError:
        return False  # Its label is nothing of ours.
    except (DockerException, OSError) as error:
        if not (isinstance(error, APIError) and error.status_code == HTTPStatus.CONFLICT):  # Somebody else is at it.
            _log.warning("Container %s is left for a later job to remove: %s", container["Id"][:12], str(error))
        return False
    return True


def _ends(client: APIClient, container: Mapping[str, Any], leftover_s: float) -> Iterator[datetime]:
    """The moments, any of which ends the need for it."""
    yield datetime.fromisoformat(container["Labels"][EXPIRES])
    age = timedelta(seconds=leftover_s)
    if container["State"] == "created":
        yield datetime.fromtimestamp(container["Created"], UTC) + age
    elif container["State"] in ("exited", "dead"):
        state = client.inspect_container(container["Id"])["State"]
        yield datetime.fromisoformat(state["FinishedAt"]) + age
