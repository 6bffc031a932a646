"""An engine at ssh://: a socket of ours, each connection to which is `docker system dial-stdio` over there.

OpenSSH's own command does it, as for docker's: its configuration, agents and jump hosts count. All connections share
one login. Host keys are always checked.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from triptych.connections import EngineCredentials
from triptych.errors import ConfigError, ContainerError
from triptych.running.transport import patience
from triptych.running.transport.private_files import write_private

LINGERS_S = 60
"""So long OpenSSH keeps a login that no connection uses: that of a worker that was killed."""
_LOGIN_S = 60
_REMOTE = ("docker", "system", "dial-stdio")
_LONGEST_SOCKET = 107
"""Bytes of a socket's path in Linux (sun_path of unix(7), with its zero byte)."""
_TEMPORARY = 17
"""Characters that OpenSSH puts behind a control socket's name while it makes it."""
_ALIAS = "engine"
"""Under which a host's key is looked up that the connection brings along: whatever its host's name and port."""
_NO_ENGINE = "failed to open the raw stream|cannot connect to the docker daemon"
_REASONS = {
    "identification has changed": "its host key is not the one that is known. If that is meant, correct it: {known}",
    "host key verification failed": "its host key is not known. Check it with its operator, then give it: {known}",
    "error in libcrypto|invalid format|incorrect passphrase|load key": (
        "private_key cannot be read. Give it whole, as ssh-keygen wrote it, and, if it has one, private_key_passphrase"
    ),
    r"permission denied \(|too many authentication failures": (
        "it refuses the login. Give the private_key of a user who may, as login of the connection or in docker_url"
    ),
    "connect: permission denied|permission denied while": (
        "its user may not use the engine's socket over there. Let it be of the group that may"
    ),
    "not found|dial-stdio": "the command `docker` is missing over there, or older than 18.09. Install it for its user",
}
"""What OpenSSH and docker's command say when trying again does not help, and what to do."""


@dataclass
class Tunnel:
    """A socket that leads to the engine while its context lasts."""

    label: str
    socket: Path
    errors: Path
    known: str

    def failure(self) -> ConfigError | ContainerError | None:
        """Why nothing answers, by what OpenSSH and the command over there have said; None where they said nothing."""
        said = self.errors.read_text(encoding="utf-8", errors="replace").strip()
        if re.search(_NO_ENGINE, said, re.IGNORECASE) and "permission denied" not in said:
            return ContainerError(f"{self.label}: no engine answers over there. Start it, or set DOCKER_HOST there.")
        for pattern, reason in _REASONS.items():
            if re.search(pattern, said, re.IGNORECASE):
                return ConfigError(f"{self.label}: {reason.format(known=self.known)}.")
        if said:
            last = said.splitlines()[-1].removeprefix("ssh: ").rstrip(".\r")
            return ContainerError(f"{self.label} cannot be reached: {last}.")
        return None


@contextmanager
def open_tunnel(url: str, credentials: EngineCredentials, conn_id: str | None, folder: Path) -> Iterator[Tunnel]:
    """Log in, and listen in `folder`; ConfigError where the login is refused, or the host's key is not the known one.

    ContainerError where nobody answers.
    """
    ssh = shutil.which("ssh")
    if ssh is None:
        msg = f"{url}: the command `ssh` is missing here. Install OpenSSH's client on every worker."
        raise ConfigError(msg)
    path = folder / "engine.sock"
    if len(os.fsencode(path)) + _TEMPORARY > _LONGEST_SOCKET:
        msg = f"[triptych] scratch: {folder.parent} is too long a path for sockets, which an engine at ssh:// needs."
        raise ConfigError(msg)
    environment = dict(os.environ)
    options = [*_options(credentials, folder, environment), "-S", str(folder / "ssh.sock")]
    target = _target(urlsplit(url), credentials)
    known = "host_key of the connection" if conn_id and credentials.host_key else "host_key of a connection"
    tunnel = Tunnel(f"The engine at {url}", path, folder / "said", f"{known}, or a line in known_hosts")
    write_private(tunnel.errors, "")
    with ExitStack() as stack:
        stack.callback(_quietly, [ssh, *options, "-O", "exit", *target], environment)
        _log_in([ssh, *options, "-M", "-N", "-f", f"-oControlPersist={LINGERS_S}", *target], environment, tunnel)
        command = [ssh, *options, "-oControlMaster=no", "-T", *target, *_REMOTE]
        stack.enter_context(_Relay(path, command, environment, tunnel.errors))
        yield tunnel


def _options(credentials: EngineCredentials, folder: Path, environment: dict[str, str]) -> list[str]:
    """Of OpenSSH's command; what is said here goes before all configuration. Secrets are files in `folder`."""
    options = ["StrictHostKeyChecking=yes", "ClearAllForwardings=yes", "ForwardAgent=no", "RequestTTY=no"]
    options += ["PasswordAuthentication=no", "KbdInteractiveAuthentication=no", "UpdateHostKeys=no"]
    options += [f"ConnectTimeout={patience.REACHED_S}", "LogLevel=ERROR"]
    options += [f"ServerAliveInterval={patience.SILENT_S // 4}", "ServerAliveCountMax=3"]
    if credentials.host_key:
        lines = "".join(f"{_ALIAS} {key}\n" for key in credentials.host_key.splitlines() if key.strip())
        known = write_private(folder / "known_hosts", lines)
        options += [f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=none", f"HostKeyAlias={_ALIAS}"]
    if credentials.private_key:
        key = write_private(folder / "key", credentials.private_key.rstrip("\r\n") + "\n")
        options += [f"IdentityFile={key}", "IdentitiesOnly=yes"]
    if credentials.private_key_passphrase:
        # Neither a command line nor an environment, which others of this user could read, ever has it.
        phrase = write_private(folder / "passphrase", credentials.private_key_passphrase + "\n")
        asked = write_private(folder / "ask", '#!/bin/sh\nexec cat "${0%/*}/passphrase"\n', 0o700)
        assert phrase.parent == asked.parent
        environment |= {"SSH_ASKPASS": str(asked), "SSH_ASKPASS_REQUIRE": "force"}
    else:
        options.append("BatchMode=yes")
    return [f"-o{option}" for option in options]


def _target(url: SplitResult, credentials: EngineCredentials) -> list[str]:
    """Options and host of `ssh://USER@HOST:PORT`; ConfigError for a URL that is none."""
    try:
        port = url.port
    except ValueError:
        port = -1
    if not url.hostname or port == -1 or url.password is not None or url.path.strip("/"):
        msg = "[triptych] docker_url must be ssh://USER@HOST:PORT, of which user and port may be left out, and no more."
        raise ConfigError(msg)
    user = url.username or credentials.login
    return [*(("-p", str(port)) if port else ()), *(("-l", user) if user else ()), "--", url.hostname]


def _log_in(command: list[str], environment: Mapping[str, str], tunnel: Tunnel) -> None:
    """It goes on in the background, with what it says to the tunnel's file: a pipe would stay open with it."""
    with tunnel.errors.open("ab") as errors:
        try:
            done = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=_LOGIN_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            msg = f"{tunnel.label} does not let anybody in within {_LOGIN_S} s."
            raise ContainerError(msg) from error
    if done.returncode:
        raise tunnel.failure() or ContainerError(f"{tunnel.label} cannot be reached.")


def _quietly(command: list[str], environment: Mapping[str, str]) -> None:
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False)


class _Relay:
    """Listens, and gives each connection to a command of its own as input and output."""

    def __init__(self, path: Path, command: list[str], environment: Mapping[str, str], errors: Path) -> None:
        self._command, self._environment, self._errors = command, environment, errors
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()
        self._running: list[subprocess.Popen[bytes]] = []
        self._thread = threading.Thread(target=self._accept, name="engine by ssh", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for each in self._running:
            each.terminate()
        for each in self._running:
            each.wait()

    def _accept(self) -> None:
        with suppress(OSError):  # It was shut down.
            while True:
                connection, _ = self._listener.accept()
                with connection, self._errors.open("ab") as errors:
                    # In a session of its own: Ctrl-C is for us, who then remove the container by it.
                    begun = subprocess.Popen(
                        self._command,
                        env=self._environment,
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=errors,
                        start_new_session=True,
                    )
                self._running = [each for each in self._running if each.poll() is None]
                self._running.append(begun)
