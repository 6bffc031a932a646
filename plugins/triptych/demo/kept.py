"""What `make up` finds again: its folder with Airflow's database, logs and jobs, its port and its password."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from triptych.errors import ConfigError

_FILE = "kept.json"
_LOCK = "kept.lock"


@dataclass(frozen=True)
class Kept:
    """`is_new` tells whether this is its first start."""

    port: int
    password: str
    is_new: bool


@contextmanager
def kept_home(home: Path) -> Iterator[Kept]:
    """The folder is ours while the context lasts; it is made, of its owner alone, the first time.

    ConfigError when another `make up` uses it, when something else has its port, and when it cannot be used.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(home / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"{home}: {error.strerror}. Airflow's database and logs are to lie there."
        raise ConfigError(msg) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            msg = f"Airflow runs from {home} already: stop it with Ctrl-C where `make up` was called."
            raise ConfigError(msg) from None
        yield _read(home / _FILE)
    finally:
        os.close(lock)


def free_port(wanted: int = 0) -> int:
    """That port, at 127.0.0.1, or any that is free; OSError when something listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # What ended a moment ago holds it no more.
        probe.bind(("127.0.0.1", wanted))
        return int(probe.getsockname()[1])


def _read(path: Path) -> Kept:
    if not path.exists():
        made = Kept(free_port(), secrets.token_urlsafe(12), is_new=True)
        path.touch(mode=0o600)
        path.write_text(json.dumps({**asdict(made), "is_new": False}))
        return made
    try:
        kept = Kept(**json.loads(path.read_text()))
    except (ValueError, TypeError):
        msg = f"{path}: is not what `make up` wrote there. Remove the file: port and password will be new ones."
        raise ConfigError(msg) from None
    try:
        free_port(kept.port)
    except OSError:
        msg = f"Port {kept.port} is taken by another program. Stop that, or remove {path}: the port will be a new one."
        raise ConfigError(msg) from None
    return kept
