"""A worker's machine: namespaces of its own for network, mounts, processes and host name, with its own Docker engine.

What of this machine it sees: the checkout without `include/`, Python, and by its cable the ports of Airflow's API
server, Redis and the store: no database. Its disk is one folder, which nobody else sees from inside, but for what is
mounted there: a folder that all machines share.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.workers.blocks import APP
from triptych.airflow.rest import poll
from triptych.settings import PROJECT

DISK = Path("/mnt")
"""Where the machine has its folder; here it is `Machine.disk`."""
SHARED = DISK / "shared"
"""The same folder on every machine, as NFS would have it; here it is `Machine.shared`."""
_START_S = 400.0
_CABLE = Path(__file__).with_name("cable.py")
_GROUPS = Path("/sys/fs/cgroup")
_BOOT = r"""
host=$1 disk=$2 shared=$3 hidden=$4 include=$5 group=$6 python=$7
shift 7
hostname "$host"
mount --make-rprivate /
mount --bind "$disk" /mnt
mount --bind "$shared" /mnt/shared
mount -t tmpfs tmpfs "$hidden"
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$include"
printf '127.0.0.1 %s.workers %s localhost\n' "$host" "$host" >/mnt/hosts
mount --bind /mnt/hosts /etc/hosts
dockerd --data-root=/mnt/docker --exec-root=/run/docker --pidfile=/run/docker.pid --host=unix:///mnt/docker.sock \
  --bridge=none --iptables=false --ip6tables=false --ip-forward=false --shutdown-timeout=5 --cgroup-parent="$group" \
  >/mnt/dockerd.log 2>&1 &
until docker --host unix:///mnt/docker.sock version >/dev/null 2>&1; do kill -0 $!; sleep 0.2; done
docker --host unix:///mnt/docker.sock load --quiet --input /mnt/image.tar
cd /mnt/home
"$python" -m airflow "$@" >/mnt/worker.log 2>&1 &
echo $! >/mnt/worker.pid
wait $!
"""

_CONNECTS = """
import contextlib, socket, sys
for port in sys.argv[1:]:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 20):
        print(port)
"""


@dataclass(frozen=True)
class Kind:
    """How a worker is started, and how it says that it takes tasks, and that it got one."""

    command: Sequence[str]
    """Arguments of `airflow`, in which `{slots}`, `{queues}` and `{name}` stand for the machine's own."""
    ready: tuple[str, str]
    """A file of its disk, and what stands in it from then on."""
    received: str
    """In its log."""


CELERY = Kind(
    ("celery", "worker", "--concurrency", "{slots}", "--queues", "{queues}", "--skip-serve-logs"),
    ("worker.log", " ready."),
    "] received",
)
EDGE = Kind(
    (
        *("edge", "worker", "--concurrency", "{slots}", "--queues", "{queues}"),
        *("--edge-hostname", "{name}", "--pid", f"{DISK}/edge.pid"),
    ),
    ("edge.pid", ""),  # Written once it is registered.
    "Received job: ",
)


@dataclass(frozen=True)
class Plugged:
    """What every machine of a cluster gets: Airflow's settings, the ports by cable, an image."""

    env: Mapping[str, str]
    ports: Sequence[int]
    image: bytes
    """As an engine saves it."""
    slots: int = 2
    """Tasks at once."""
    kind: Kind = CELERY


class Machine:
    """One worker; `host` is its host name, which another may have too; `queues` are those that it takes tasks of.

    `version` is what its Triptych says of itself, the checkout's own by default.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        plugged: Plugged,
        host: str | None = None,
        queues: Sequence[str] = ("default",),
        version: str | None = None,
    ) -> None:
        self.name = name
        self.host = host or name
        self._version = version
        self.disk = folder / name
        self.shared = folder.parent / "shared"
        self._hidden = folder
        self._plugged = plugged
        self._queues = queues
        self._group = f"triptych-workers-{os.getpid()}-{name}"
        self._cable: subprocess.Popen[str] | None = None
        self._boot: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Switch it on; `wait_until_ready` says when it takes tasks."""
        for each in ("home/logs", "scratch", "none", SHARED.name):
            (self.disk / each).mkdir(parents=True)
        self.shared.mkdir(exist_ok=True)
        (self.disk / "scratch-cache").mkdir(mode=0o700)
        self._cache.mkdir(parents=True)  # As the worker would: a hold may be there before it.
        (self.disk / "image.tar").write_bytes(self._plugged.image)
        if self._version:
            self._install(self._version)
        self._cable = subprocess.Popen(
            [sys.executable, str(_CABLE), *map(str, self._plugged.ports)], stdout=subprocess.PIPE, text=True
        )
        assert self._cable.stdout is not None
        network = self._cable.stdout.readline().strip()
        assert network, "the cable of this machine did not come up"
        command = ["nsenter", f"--net={network}", "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork"]
        command += ["--mount-proc", "--kill-child=KILL", "bash", "-euc", _BOOT, "boot", self.host, str(self.disk)]
        command += [str(self.shared), str(self._hidden), str(PROJECT / "include"), f"/{self._group}", sys.executable]
        own = {"slots": self._plugged.slots, "queues": ",".join(self._queues), "name": self.told_as}
        command += [word.format(**own) for word in self._plugged.kind.command]
        with (self.disk / "boot.log").open("wb") as log:
            self._boot = subprocess.Popen(
                command, env=self._env(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def _env(self) -> dict[str, str]:
        own = {
            "AIRFLOW_HOME": f"{DISK}/home",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:9/none",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": f"{DISK}/home/logs",
            "AIRFLOW__CORE__PLUGINS_FOLDER": f"{DISK}/none",
            "AIRFLOW__TRIPTYCH__INCLUDE": f"{DISK}/none",
            "AIRFLOW__TRIPTYCH__SCRATCH": f"{DISK}/scratch",
            "AIRFLOW__TRIPTYCH__DOCKER_URL": f"unix://{DISK}/docker.sock",
            "HOME": f"{DISK}/home",
            "HOSTNAME": self.told_as,  # By which an edge worker calls itself.
        }
        if self._version:
            own["PYTHONPATH"] = f"{DISK}/package:{self._plugged.env['PYTHONPATH']}"
        return {**self._plugged.env, **own}

    def _install(self, version: str) -> None:
        """The checkout's package, which says that it is of this version."""
        package = self.disk / "package" / "triptych"
        shutil.copytree(PROJECT / "plugins" / "triptych", package, ignore=shutil.ignore_patterns("__pycache__"))
        said = (package / "__init__.py").read_text()
        (package / "__init__.py").write_text(re.sub("(?m)^__version__ = .*$", f'__version__ = "{version}"', said))

    # What is done to it.

    def cut(self) -> None:
        """Cut its network: from now on nothing that it asks is answered."""
        self._signal_cable(signal.SIGSTOP)

    def mend(self) -> None:
        """Its network is back."""
        self._signal_cable(signal.SIGCONT)

    def deafen(self) -> None:
        """From now on nothing that it newly asks Airflow's API server is answered; it still gets tasks."""
        self._signal_cable(signal.SIGUSR1)

    def kill(self) -> None:
        """Power off: every process of it dies at once, engine and containers too."""
        os.kill(self._init(), signal.SIGKILL)
        self._ended()

    def hold(self) -> None:
        """A chunk that begins there after one of its job has ended there stays open, until `let_go`."""
        (self._cache / "hold").touch(exist_ok=False)

    def let_go(self) -> None:
        """Chunks end again."""
        (self._cache / "hold").unlink()

    def drain(self) -> None:
        """SIGTERM to Celery: it takes no more tasks, and ends with those that it has."""
        inside = ["nsenter", f"--target={self._init()}", "--pid", "--mount"]
        subprocess.run([*inside, "bash", "-c", "kill -TERM $(cat /mnt/worker.pid)"], check=True)

    def stop(self) -> None:
        """Power off, whatever state it is in, and remove what the kernel keeps of its containers."""
        if self._boot is not None and self._boot.poll() is None:
            with suppress(ProcessLookupError, IndexError):
                os.kill(self._init(), signal.SIGKILL)
            self._ended()
        if self._cable is not None:
            self._cable.kill()
            self._cable.communicate()
            self._cable = None
        for folder in sorted(_GROUPS.glob(f"*/{self._group}/**/"), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        for folder in sorted(_GROUPS.glob(f"{self._group}/**/"), reverse=True):
            with suppress(OSError):
                folder.rmdir()

    def triptych(self, *arguments: str) -> str:
        """What the command prints there, with the worker's settings, however it ends."""
        inside = ["nsenter", f"--target={self._init()}", "--mount", "--uts", "--net", "--pid", f"--wdns={DISK}"]
        command = [*inside, sys.executable, "-m", "triptych", *arguments]
        return subprocess.run(command, env=self._env(), capture_output=True, text=True, check=False).stdout

    # What is seen of it from here.

    @property
    def told_as(self) -> str:
        """What Airflow, and so the records, call it: its full name."""
        return f"{self.host}.workers"

    @property
    def is_on(self) -> bool:
        """Whether it runs; one that was drained has switched itself off."""
        return self._boot is not None and self._boot.poll() is None

    def wait_until_ready(self) -> None:
        """Until it says that it takes tasks."""

        def is_ready() -> bool:
            assert self.is_on, f"the machine {self.name} has ended:\n{self.said()}"
            name, text = self._plugged.kind.ready
            return (self.disk / name).exists() and text in (self.disk / name).read_text(errors="replace")

        assert poll(is_ready, _START_S, 0.2), f"the machine {self.name} takes no tasks:\n{self.said()}"

    @property
    def taken(self) -> int:
        """How many tasks were handed to it."""
        return self.log().count(self._plugged.kind.received)

    def reached(self, ports: Sequence[int]) -> list[int]:
        """Which of these ports of its own loopback take a connection: those to which its cable leads."""
        inside = ["nsenter", f"--target={self._init()}", "--net", sys.executable, "-c", _CONNECTS, *map(str, ports)]
        told = subprocess.run(inside, capture_output=True, text=True, check=True).stdout
        return sorted(map(int, told.split()))

    def log(self) -> str:
        """What its worker has written so far."""
        log = self.disk / "worker.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def said(self) -> str:
        """The ends of its logs."""
        logs = [self.disk / name for name in ("boot.log", "dockerd.log", "worker.log")]
        return "\n".join(f"{each.name}: {each.read_text(errors='replace')[-1500:]}" for each in logs if each.exists())

    def containers(self) -> list[dict[str, str]]:
        """On its engine, whatever their state; nothing where it is off."""
        if not self.is_on:
            return []
        command = ["docker", "--host", f"unix://{self.disk}/docker.sock", "ps", "--all", "--format", "{{json .}}"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return [json.loads(line) for line in told.splitlines()]

    def scratch(self) -> list[str]:
        """What attempts have left, or have open, in its scratch folder."""
        return sorted(path.name for path in (self.disk / "scratch").iterdir())

    def open_chunks(self, run_id: str) -> list[int]:
        """Chunks of this run that have begun there, and not ended."""
        return sorted((Counter(self._chunks(run_id, "begun")) - Counter(self.ended_chunks(run_id))).elements())

    def held_chunks(self, run_id: str) -> list[int]:
        """Chunks of this run that have been held open there."""
        return self._chunks(run_id, "held")

    def ended_chunks(self, run_id: str) -> list[int]:
        """Chunks of this run whose app has ended there, in order; whether they count is another matter."""
        return self._chunks(run_id, "ended")

    def _chunks(self, run_id: str, what: str) -> list[int]:
        """By what the app writes into the machine's cache, each line in one go."""
        log = self._cache / run_id
        lines = map(str.split, log.read_text().splitlines() if log.exists() else ())
        return [int(number) for told, number in lines if told == what]

    @property
    def _cache(self) -> Path:
        """The app's USER_CACHE_DIR there."""
        return self.disk / "scratch-cache" / "apps" / APP

    def _init(self) -> int:
        """The pid, here, of the first process of its namespace."""
        assert self._boot is not None, f"the machine {self.name} was not switched on"
        children = Path(f"/proc/{self._boot.pid}/task/{self._boot.pid}/children").read_text()
        return int(children.split()[0])

    def _ended(self) -> None:
        assert self._boot is not None, f"the machine {self.name} was not switched on"
        self._boot.wait(60)

    def _signal_cable(self, number: signal.Signals) -> None:
        assert self._cable is not None, f"the machine {self.name} has no cable"
        self._cable.send_signal(number)
