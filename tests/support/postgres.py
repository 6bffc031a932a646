"""A PostgreSQL of the tests' own: an unprivileged user's, on a free port, stopped by its process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_START_S = 60.0
_POLL_S = 0.2
NOBODY = 65534


def postgres_folder() -> Path | None:
    """Where its programs are, by Debian's layout or the PATH; None where it is not installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = shutil.which("initdb")
    if installed:
        return installed[-1].parent
    return Path(found).resolve().parent if found else None


class Postgres:
    """One server with an empty database `airflow`, which may be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._data = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self.url = f"postgresql+psycopg2://airflow@127.0.0.1:{self._port}/airflow"
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """The data folder, with the database."""
        programs = _programs()
        self._data.mkdir(parents=True)
        if os.getuid() == 0:
            os.chown(self._data, NOBODY, NOBODY)
        made = [str(programs / "initdb"), "-D", str(self._data), "-U", "airflow", "-A", "trust", "--no-sync"]
        subprocess.run([*_unprivileged(), *made], check=True, capture_output=True, cwd="/")
        single = [str(programs / "postgres"), "--single", "-D", str(self._data), "postgres"]
        subprocess.run(
            [*_unprivileged(), *single], input=b"create database airflow\n", check=True, capture_output=True, cwd="/"
        )

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = [str(_programs() / "postgres"), "-D", str(self._data), "-p", str(self._port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        command += ["-c", "max_connections=200"]
        # The idle workers of a LocalExecutor whose scheduler was killed hold its connection, and with it the lock on
        # the pools, for as long as they live: no scheduler queues anything then (Airflow 3.3.2; see operate.md).
        command += ["-c", "idle_in_transaction_session_timeout=20s"]
        with (self._data.parent / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_unprivileged(), *command], cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        waited = threading.Event()
        for _ in range(int(_START_S / _POLL_S)):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return
            waited.wait(_POLL_S)
        raise RuntimeError(f"PostgreSQL does not start: {self._data.parent / 'postgres.log'}")

    def stop(self) -> None:
        """At once, as `pg_ctl stop -m immediate`: connections are cut, and the next start recovers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None


def _programs() -> Path:
    folder = postgres_folder()
    if folder is None:
        raise FileNotFoundError("There is no PostgreSQL here: apt-get install --no-install-recommends postgresql.")
    return folder


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.getuid():
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@contextmanager
def running_postgres(folder: Path) -> Iterator[Postgres]:
    """A server with its data in `folder`, whose parents others may enter."""
    server = Postgres(folder)
    server.make()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def written_by_postgres(made: str, copies: Mapping[str, str]) -> dict[str, bytes]:
    """What each of these statements, whose `{}` is a path, writes into it, behind the statements that make tables.

    PostgreSQL runs alone, without a server, once for all.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        Postgres(folder / "data").make()
        target = folder / "files"
        target.mkdir()
        if os.getuid() == 0:
            os.chown(target, NOBODY, NOBODY)
        asked = [made, *(copy.format(target / file) for file, copy in copies.items())]
        statements = [each.strip() for text in asked for each in text.split(";\n")]
        # With -j a statement ends at a semicolon and an empty line.
        script = "".join(f"{each};\n\n" for each in statements if each)
        single = [str(_programs() / "postgres"), "--single", "-j", "-D", str(folder / "data"), "airflow"]
        done = subprocess.run([*_unprivileged(), *single], input=script.encode(), capture_output=True, cwd="/")
        if missing := [file for file in copies if not (target / file).exists()]:
            raise RuntimeError(f"PostgreSQL wrote no {', '.join(missing)}: {done.stderr.decode()[-2000:]}")
        return {file: (target / file).read_bytes() for file in copies}
