"""Who runs in a container. The one place that decides it: nobody is root unless the operator says so.

| worker | files | user in the container |
| --- | --- | --- |
| root, or any whose files are copied | bind mounts; copies | the image's own, else nobody |
| not root | bind mounts | the worker's own uid and gid |
| not root, on a rootless engine of the same user | bind mounts | 0, which that engine maps to the worker's uid |

An image's own user that is root is nobody, unless `[triptych] root_images` names the image's repository. An engine that
maps users otherwise shares no folders with a worker that is not root: what that one may not remove, nobody would.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from docker.errors import APIError

from triptych.blocks import Block
from triptych.errors import ConfigError
from triptych.running.images import repository
from triptych.running.reaper import LEFTOVER_S, expiry_label
from triptych.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient

NOBODY = "65534:65534"
_ROOT, _INSIDE_ROOTLESS = 0, "0:0"
_NUMBER = re.compile(r"[+-]?[0-9]+", re.ASCII)
"""What Docker reads as a uid; all else is a name in the image's `/etc/passwd`."""
_MOST_PASSWD_BYTES = 1 << 20


def container_user(client: APIClient, image: str, block: Block, settings: Settings, *, has_mounts: bool) -> str:
    """`uid:gid`, or the image's own user, by number; `image` is the digest that the container is made from.

    `has_mounts`: the container sees our folders themselves.
    """
    if has_mounts and os.getuid() != _ROOT:
        is_mapped = "rootless" in _user_mappings(client)
        return _INSIDE_ROOTLESS if is_mapped else f"{os.getuid()}:{os.getgid()}"
    uid, group = _image_user(client, image)
    if uid == _ROOT and repository(str(block.image)) not in map(repository, settings.root_images):
        return NOBODY
    return f"{uid}:{group}" if group else str(uid)


def needs_copies(client: APIClient, settings: Settings) -> bool:
    """Whether this worker and the engine's containers cannot work on the same folders, as their uids do not meet.

    ConfigError where the settings ask for bind mounts all the same.
    """
    if os.getuid() == _ROOT:
        return False
    mappings = _user_mappings(client)
    if not mappings or (mappings == {"rootless"} and _is_own_socket(settings.docker_url)):
        return False
    if settings.docker_files == "bind":
        msg = (
            f"[triptych] docker_files = bind, but the engine at {settings.docker_url} maps users "
            f"({', '.join(sorted(mappings))}), and this worker, user {os.getuid()}, could not remove what containers "
            "leave in its folders. Set docker_files to auto or archive."
        )
        raise ConfigError(msg)
    return True


def _user_mappings(client: APIClient) -> set[str]:
    """`userns` (userns-remap) or `rootless`, where the engine says so; empty where uids mean what they mean here."""
    options = client.info().get("SecurityOptions") or ()
    names = {part.removeprefix("name=") for option in options for part in str(option).split(",")}
    return names & {"userns", "rootless"}


def _is_own_socket(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return parts.scheme == "unix" and Path(f"/{parts.netloc}{parts.path}").stat().st_uid == os.getuid()
    except OSError:
        return False


def _image_user(client: APIClient, image: str) -> tuple[int, str]:
    """Uid and group as the image's USER says; the group is a number, a name or empty. Root where there is no USER."""
    about = client.inspect_image(image)
    user, _, group = str(about["Config"].get("User") or "").partition(":")
    if not user:
        return _ROOT, group
    if _NUMBER.fullmatch(user):
        return int(user), group
    return _uid_of(client, str(about["Id"]), user), group


_known_uids: dict[tuple[str, str], int] = {}
"""By the image's id, whose files never change, and the user's name."""


def _uid_of(client: APIClient, image_id: str, name: str) -> int:
    """What the image's `/etc/passwd` says of the name; root where it says nothing that is plain.

    A name proves nothing: any image may call its root otherwise.
    """
    key = image_id, name
    if key not in _known_uids:
        lines = _passwd(client, image_id).decode("utf-8", "replace").splitlines()
        fields = next((found for line in lines if (found := line.strip().split(":"))[0] == name), [])
        uid = fields[2] if len(fields) > 2 else ""
        _known_uids[key] = int(uid) if _NUMBER.fullmatch(uid) else _ROOT
    return _known_uids[key]


def _passwd(client: APIClient, image_id: str) -> bytes:
    """The image's `/etc/passwd`, read from a container that is never started; empty where it is no plain file."""
    made = client.create_container(image_id, entrypoint=["/"], labels=expiry_label(client, LEFTOVER_S))["Id"]
    try:
        blocks, about = client.get_archive(made, "/etc/passwd")
        if about["size"] > _MOST_PASSWD_BYTES:
            return b""
        with tarfile.open(fileobj=io.BytesIO(b"".join(blocks))) as tar:
            data = tar.extractfile("passwd")
            return data.read() if data else b""
    except (APIError, tarfile.TarError, KeyError):
        return b""  # There is none, or it is no plain file.
    finally:
        client.remove_container(made, force=True, v=True)
