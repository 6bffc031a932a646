"""An sshd of the tests' own on a loopback port: its keys and configuration lie in one folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START_S = 60.0
_POLL_S = 0.05


@dataclass(frozen=True)
class OwnSshd:
    """Where it listens, its host key as known_hosts has it, and the private key of a user who may log in."""

    port: int
    host_key: str
    private_key: str
    log: Path


@contextmanager
def own_sshd(folder: Path, variables: dict[str, str]) -> Iterator[OwnSshd]:
    """For root, with these variables for what is run there."""
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    host = make_key(folder / "host")
    make_key(folder / "user")
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = int(asked.getsockname()[1])
    lines = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}", f"PidFile {folder / 'pid'}"]
    lines += [f"AuthorizedKeysFile {folder / 'authorized'}", "PasswordAuthentication no", "UsePAM no", "StrictModes no"]
    lines += ["KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "PrintMotd no"]
    lines += ["SetEnv " + " ".join(f"{name}={value}" for name, value in variables.items())]
    (folder / "config").write_text("\n".join([*lines, ""]))
    Path("/run/sshd").mkdir(exist_ok=True)  # Its privilege separation wants the folder.
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program is not None, "no sshd here: apt-get install openssh-server"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(folder / "config")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, port, folder / "log")
        kind, data = host.split()[:2]
        yield OwnSshd(port, f"{kind} {data}", (folder / "user").read_text(), folder / "log")
    finally:
        process.terminate()
        process.wait()


def make_key(path: Path, passphrase: str = "") -> str:
    """A new key in the file, its public half in `<file>.pub`, which is returned, too."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path)]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    return path.with_name(f"{path.name}.pub").read_text()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    waited = threading.Event()
    for _ in range(int(_START_S / _POLL_S)):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        waited.wait(_POLL_S)
    raise RuntimeError(f"The sshd of the tests does not start:\n{log.read_text()[-2000:]}")
