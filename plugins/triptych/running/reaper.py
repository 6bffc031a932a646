"""Removes containers whose worker died before it could do so itself."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from docker.errors import APIError

from triptych.running.scratch import is_dead, this_process

if TYPE_CHECKING:
    from docker import APIClient


def owner_labels() -> dict[str, str]:
    """Labels that say which process of which host a container belongs to."""
    return {"triptych.host": socket.gethostname(), "triptych.owner": this_process()}


def reap(client: APIClient) -> int:
    """Remove this host's containers whose owner is gone; returns how many."""
    gone = 0
    wanted = {"label": f"triptych.host={socket.gethostname()}"}
    for container in client.containers(all=True, filters=wanted):
        if is_dead(container["Labels"].get("triptych.owner", "")):
            with suppress(APIError):
                client.remove_container(container["Id"], force=True, v=True)
                gone += 1
    return gone
