"""Workers that are attacked: `triptych run` as root, as another user, and on an engine that only takes copies.

An attack is an app (`write_app`) and what must hold when it has run. `Worker.bait` is what it would like to have.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from tests.support.command_line import CommandLine, Ended, command_line
from tests.support.include_folders import write_app
from triptych.settings import PROJECT

MODES = ("root", "user", "archive")
"""A root worker with bind mounts, one that is not root with bind mounts, and one that copies, as whoever runs this."""
IMAGE = "python:3.11-slim"
USER = 4321
"""Of the worker that is not root; no other process is this user's."""
SOCKET = Path("/var/run/docker.sock")


@dataclass(frozen=True)
class Bait:
    """A file that the worker may read, and that no app gets: what is in it is nowhere else."""

    path: Path
    content: str


@dataclass(frozen=True)
class Attacked:
    """What a job of a hostile app has come to."""

    ended: Ended
    output: Path
    workspace: Path

    @property
    def files(self) -> dict[str, bytes]:
        """The output, by name; without the list of it."""
        found = (path for path in self.output.rglob("*") if path.is_file())
        named = {str(path.relative_to(self.output)): path.read_bytes() for path in found}
        return {name: data for name, data in named.items() if not name.startswith("_triptych/")}

    def told(self, *words: str) -> list[str]:
        """Where one of the words stands in what left the container through us: output, workspace, what was printed."""
        paths = [path for top in (self.output, self.workspace) for path in top.rglob("*") if path.is_file()]
        found = [str(path) for path in paths if any(word.encode() in path.read_bytes() for word in words)]
        return found + ["the command"] * any(word in self.ended.text for word in words)


class Worker:
    """One mode's worker, with folders of its own below `home`; its jobs run one after the other."""

    def __init__(self, mode: str, home: Path, uid: int, command: CommandLine) -> None:
        self.mode, self.home, self.uid = mode, home, uid
        self.command = command
        self.cache = home / "cache"
        self.scratch = home / "scratch"
        self.apps = set[str]()

    @property
    def has_mounts(self) -> bool:
        """Whether containers see folders of this machine."""
        return self.mode != "archive"

    def bait(self) -> Bait:
        """A new file, which only the worker's user may read, in a folder that only it may enter."""
        folder = self.home / "private"
        folder.mkdir(mode=0o700, exist_ok=True)
        bait = Bait(folder / secrets.token_hex(4), f"bait-{secrets.token_hex(16)}")
        bait.path.write_text(bait.content)
        bait.path.chmod(0o600)
        for path in (folder, bait.path):
            os.chown(path, self.uid, self.uid if self.uid else -1)
        return bait

    def attack(
        self,
        script: str,
        *options: str,
        name: str = "",
        source: str = "one\n",
        entrypoint: str = "main.py",
        manifest: Mapping[str, Any] | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> Attacked:
        """Run the script as an app over a source of this text; `options` go to `triptych run`.

        One chunk per line, all in one pack, unless the template has another partitioner. The workspace is kept.
        """
        name = name or f"attack-{secrets.token_hex(4)}"  # No other session's: volumes are the engine's.
        self.apps.add(name)
        asked = {"partitioner": "rows", "params": {"partitioner": {"items_per_chunk": 1}}, **(template or {})}
        write_app(self.home / "include", script, name=name, entrypoint=entrypoint, manifest=manifest, template=asked)
        text, output = self.home / f"{name}.txt", self.home / "out" / name
        text.write_text(source)
        chunks = max(1, source.count("\n"))
        launch = ["run", name, "--keep", "--verbose", "--workers", "1", "--retries", "0"]
        launch += ["--source", str(text), "--destination", str(output), "-p", f"config.chunksPerTask={chunks}"]
        return Attacked(self.command(*launch, *options), output, self.home / "workspace" / name)


@contextmanager
def attacked_worker(mode: str, env: Mapping[str, str]) -> Iterator[Worker]:
    """A worker of this mode, in a new folder that other users may pass through; `env` is its own configuration."""
    is_another = mode == "user" and os.getuid() == 0
    uid = USER if is_another else os.getuid()
    home = Path(tempfile.mkdtemp(prefix="attacks-"))
    try:
        home.chmod(0o711)
        for name in ("include", "out", "workspace"):
            (home / name).mkdir()
        for path in (home, *home.iterdir()):
            os.chown(path, uid, -1)
        settings = {
            "HOME": str(home),
            "USER": "attacked",
            "AIRFLOW__TRIPTYCH__WORKSPACE": (home / "workspace").as_uri(),
            "AIRFLOW__TRIPTYCH__SCRATCH": str(home / "scratch"),
            "AIRFLOW__TRIPTYCH__CACHE": str(home / "cache"),
            "AIRFLOW__TRIPTYCH__DOCKER_FILES": "archive" if mode == "archive" else "bind",
            "TRIPTYCH_INCLUDE": f"{home / 'include'}:{PROJECT / 'include'}",
        }
        with command_line({**settings, **env}, home, _as_user(uid) if is_another else ()) as command:
            worker = Worker(mode, home, uid, command)
            try:
                yield worker
            finally:
                if not worker.has_mounts:
                    _remove_caches(worker.apps, env.get("AIRFLOW__TRIPTYCH__DOCKER_URL"))
    finally:
        shutil.rmtree(home)


def _remove_caches(apps: Iterable[str], url: str | None) -> None:
    """The volumes that these apps had as their caches, on the machine's engine or on the one at `url`."""
    with closing(docker.APIClient(url, version="auto")) as client:
        for app in apps:
            client.remove_volume(f"triptych-cache-{app}", force=True)


def _as_user(uid: int) -> Sequence[str]:
    """What runs a command as this user, with the engine's socket by its group, and nothing else.

    It may read everything: where root has made the checkout and its Python, they may lie in root's home.
    """
    engine = SOCKET.stat().st_gid
    return (
        *("setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={engine}"),
        *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
        *("--bounding-set=-all,+dac_read_search", "--no-new-privs"),
    )
