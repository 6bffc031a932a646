"""A Docker engine of the tests' own, which they may kill: its data, sockets and processes lie in one folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_START_S = 90.0
_POLL_S = 0.2


@dataclass(frozen=True)
class EngineTls:
    """TCP with TLS: a socket that listens in our own network, and the PEM files of the engine's side."""

    listener: socket.socket
    authority: Path
    certificate: Path
    key: Path

    def passing(self) -> list[str]:
        """Give it the socket as systemd would (sd_listen_fds(3)): it has no port here, in a network of its own."""
        script = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execvpe(sys.argv[2], sys.argv[2:], "
        script += "{**os.environ, 'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'})"
        return [sys.executable, "-c", script, str(self.listener.fileno())]

    def options(self) -> list[str]:
        """Of dockerd."""
        files = [f"--tlscacert={self.authority}", f"--tlscert={self.certificate}", f"--tlskey={self.key}"]
        return ["--host=fd://", "--tlsverify", *files]


class OwnEngine:
    """`dockerd` without a bridge: containers have no network. `group` (a gid) may use the socket.

    With `first_uid`, a container's users are, here, those from that one on (`--userns-remap`): its root is `first_uid`.
    With `tls` it listens there, too. A folder that is `hidden` is empty for it, as an engine elsewhere would see it.
    """

    def __init__(
        self,
        folder: Path,
        group: int | None = None,
        first_uid: int | None = None,
        tls: EngineTls | None = None,
        hidden: Path | None = None,
    ) -> None:
        self.folder = folder
        self._tls, self._hidden = tls, hidden
        self._first_uid = first_uid
        self.socket = folder / "docker.sock"
        self.url = f"unix://{self.socket}"
        self._group = group
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "dockerd.log"

    @property
    def pid(self) -> int:
        """Of dockerd, which runs."""
        assert self._process is not None, "the engine does not run"
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        # In a network of its own: an engine without a bridge removes `docker0`, whosever it is.
        command = ["unshare", "--net", *self._mapping(), *self._hiding(), *(self._tls.passing() if self._tls else ())]
        command += ["dockerd", f"--data-root={self.folder / 'data'}", f"--exec-root={self.folder / 'run'}"]
        command += ["--userns-remap=daemon"] * (self._first_uid is not None)
        command += [f"--host={self.url}", f"--pidfile={self.folder / 'dockerd.pid'}", "--bridge=none"]
        command += ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--shutdown-timeout=5"]
        if self._group is not None:
            command.append(f"--group={self._group}")
        if self._tls is not None:
            command += self._tls.options()
        # Of a dockerd that was killed: it refuses to start when the pid in it lives, as another's may by now.
        (self.folder / "dockerd.pid").unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[self._tls.listener.fileno()] if self._tls else [],
            )
        waited = threading.Event()
        for _ in range(int(_START_S / _POLL_S)):
            if self._answers():
                return
            if self._process.poll() is not None:
                break
            waited.wait(_POLL_S)
        raise RuntimeError(f"The engine of the tests does not start:\n{self._log.read_text()[-3000:]}")

    def _mapping(self) -> list[str]:
        """What lets dockerd find the users that are its containers', where they are mapped: nobody else sees them."""
        if self._first_uid is None:
            return []
        listed = self.folder / "subordinate"
        listed.write_text(f"daemon:{self._first_uid}:65536\n")
        mount = 'for each in subuid subgid; do touch /etc/$each; mount --bind "$0" /etc/$each; done; exec "$@"'
        return ["--mount", "sh", "-euc", mount, str(listed)]

    def _hiding(self) -> list[str]:
        if self._hidden is None:
            return []
        return ["--mount", "sh", "-euc", 'mount -t tmpfs none "$0"; exec "$@"', str(self._hidden)]

    def kill(self) -> None:
        """SIGKILL to dockerd and its containerd, which the kernel ends with it; the containers' shims live on."""
        assert self._process is not None, "the engine does not run"
        self._process.kill()
        self._process.wait()
        self._process = None
        # Ended here for certain: a dockerd that starts while it dies takes it for a live one, and waits in vain.
        pid_file = self.folder / "run" / "containerd" / "containerd.pid"
        containerd = int(pid_file.read_text())
        with suppress(ProcessLookupError):
            os.kill(containerd, signal.SIGKILL)
        waited = threading.Event()
        while Path(f"/proc/{containerd}/exe").is_symlink() and containerd in _processes_of(self.folder):
            waited.wait(0.02)
        pid_file.unlink()

    def docker(self, *arguments: str) -> str:
        """What `docker ARGUMENTS` prints, on this engine."""
        command = ["docker", "--host", self.url, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def copy_image(self, image: str) -> None:
        """From the machine's engine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(["docker", "--host", self.url, "load", "--quiet"], stdin=saved.stdout, check=True)
        if saved.returncode:
            raise RuntimeError(f"`docker save {image}` ended with {saved.returncode}.")

    def stop(self) -> None:
        """End it and all that it has started, and remove its data."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self._process.kill()
            self._process.wait()
            self._process = None
        for pid in _processes_of(self.folder):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for mount in _mounts_below(self.folder):
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        asked = subprocess.run(["docker", "--host", self.url, "version"], capture_output=True, check=False)
        return asked.returncode == 0


@contextmanager
def own_engine(folder: Path, images: Sequence[str], **options: Any) -> Iterator[OwnEngine]:
    """An engine with these images of the machine's, in `folder`, whose path is short enough for a socket's name.

    `options` are OwnEngine's.
    """
    folder.mkdir(parents=True)
    engine = OwnEngine(folder, **options)
    try:
        engine.start()
        for image in images:
            engine.copy_image(image)
        yield engine
    finally:
        engine.stop()


def _processes_of(folder: Path) -> list[int]:
    """Those whose command line names the folder: containerd and shims."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if os.fsencode(f"{folder}/run") in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def _mounts_below(folder: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)
