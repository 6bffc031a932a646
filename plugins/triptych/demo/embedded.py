"""A whole Airflow in one folder, for the demo, the end-to-end tests and the benchmarks: never for a team."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from triptych.airflow.rest import AirflowClient, AirflowError, poll
from triptych.demo.kept import Kept, free_port

USER = "admin"
COMPONENTS = ("api-server", "scheduler", "dag-processor")
TRIGGERER = "triggerer"
OPTIONS = {TRIGGERER: ("--skip-serve-logs",)}
"""Its server of logs has a fixed port; two at once would clash."""
NEEDED = ("metadatabase", "scheduler", "dag_processor")
STOP_S = 15.0


class EmbeddedAirflow:
    """Airflow on SQLite and LocalExecutor at 127.0.0.1, from `__enter__` to `__exit__`.

    `home` becomes AIRFLOW_HOME: database, logs, workspace and scratch. `project` holds `dags/` and
    `plugins/`. `env` comes last, so it can replace any setting, the database included. `launcher` stands before
    each command: `("setpriv", "--reuid=...")` makes it another user's, who must own `home`. `kept` are port and
    password of an earlier one in the same home; by default both are new.
    """

    def __init__(
        self,
        home: Path,
        project: Path,
        env: Mapping[str, str] | None = None,
        launcher: Sequence[str] = (),
        kept: Kept | None = None,
    ) -> None:
        self.home = home.absolute()
        self.project = project.absolute()
        self.port = kept.port if kept else free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = kept.password if kept else secrets.token_urlsafe(12)
        self.client = AirflowClient(self.url, USER, self.password)
        self.env = {**_inherited(), **self._settings(), **(env or {})}
        self._command = (*launcher, sys.executable, "-m", "airflow")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._orphaned: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for folder in ("logs", "workspace", "scratch"):
            (self.home / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        passwords = self.home / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USER: self.password}))
        self._migrate()
        try:
            for component in COMPONENTS:
                self._start(component)
            self._wait_until_healthy()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def log_of(self, component: str) -> Path:
        """Where a component (`migrate`, `api-server`, `scheduler`, `dag-processor`) writes."""
        return self.home / "logs" / f"{component}.log"

    def pid(self, component: str) -> int:
        """The process id of a component that was started; its workers are in the same group."""
        return self._processes[component].pid

    def kill(self, component: str) -> None:
        """End a component at once (SIGKILL), and it alone: its workers live on, until `stop`."""
        process = self._processes.pop(component)
        process.kill()
        process.wait()
        self._orphaned.append(process)

    def restart(self, component: str) -> None:
        """Start one that was killed, has ended, or never ran (a triggerer). Its log goes on; it is not waited for."""
        ended = self._processes.pop(component, None)
        if ended is not None:
            self._orphaned.append(ended)
        self._start(component)

    def ended(self) -> list[str]:
        """The components that have ended by themselves, as a scheduler does that has lost its database."""
        return [name for name, process in self._processes.items() if process.poll() is not None]

    def check(self) -> None:
        """Raises AirflowError when a component has died, with the end of its log."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                msg = f"airflow {name} ended with {process.returncode}:\n{_tail(self.log_of(name))}"
                raise AirflowError(msg)

    def stop(self) -> None:
        """End every process we started: SIGTERM, and SIGKILL for what is left after 15 s."""
        for process in reversed(self._processes.values()):
            _signal(process, signal.SIGTERM)
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            _signal(process, signal.SIGKILL)  # The group, too: workers that outlived their parent.
            process.wait()
        for process in self._orphaned:
            _signal(process, signal.SIGKILL)
        self._processes.clear()
        self._orphaned.clear()

    def _settings(self) -> dict[str, str]:
        home = self.home
        return {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.project / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.project / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__API__EXPOSE_STACKTRACE": "True",  # Its only user is whoever started it.
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "5",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "false",  # Its port is fixed; two at once would clash.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",  # 5 s are too few where all share two cores.
            "AIRFLOW__TRIPTYCH__WORKSPACE": (home / "workspace").as_uri(),
            "AIRFLOW__TRIPTYCH__SCRATCH": str(home / "scratch"),
            "AIRFLOW__TRIPTYCH__ALLOWED_ROOTS": f"{home}:{self.project / 'include'}",
            "PYTHONPATH": os.pathsep.join(
                part for part in (str(self.project / "plugins"), os.environ.get("PYTHONPATH")) if part
            ),
            "PYTHONUNBUFFERED": "1",
        }

    def _migrate(self) -> None:
        with self.log_of("migrate").open("wb") as log:
            done = subprocess.run(
                [*self._command, "db", "migrate"],
                env=self.env,
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        if done.returncode:
            msg = f"`airflow db migrate` ended with {done.returncode}:\n{_tail(self.log_of('migrate'))}"
            raise AirflowError(msg)

    def _start(self, component: str) -> None:
        with self.log_of(component).open("ab") as log:
            self._processes[component] = subprocess.Popen(
                [*self._command, component, *OPTIONS.get(component, ())],
                env=self.env,
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _wait_until_healthy(self, timeout_s: float = 180) -> None:
        def healthy() -> bool:
            self.check()
            health = self.client.health()
            return all(health.get(part) == "healthy" for part in NEEDED)

        if not poll(healthy, timeout_s, 0.5):
            states = dict(self.client.health())
            msg = f"Airflow is not healthy after {timeout_s:.0f} s: {states}. Logs: {self.home / 'logs'}"
            raise AirflowError(msg)


def _inherited() -> dict[str, str]:
    """Our environment without the settings of another Airflow."""
    return {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _tail(path: Path, lines: int = 20) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
