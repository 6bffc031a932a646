"""A backup of PostgreSQL and workspace, restored by the commands of `upgrade.md` where the first Airflow is gone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from tests.support.postgres import Postgres, postgres_folder, running_postgres
from tests.support.workspaces import counted
from triptych.airflow.rest import poll
from triptych.demo.embedded import USER, EmbeddedAirflow
from triptych.settings import PROJECT

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]
WAIT_S = 240.0
PAGE = PROJECT / "docs" / "how-to" / "upgrade.md"
HELD, SHORT = "held", "short"
SCRIPT = """
echo "$CHUNK_NUMBER" >> "{folder}/ran-{name}"
test "$CHUNK_NUMBER" = 0 || : < "{folder}/{name}-$CHUNK_NUMBER" # Of a pipe, until somebody opens it to write.
echo "$CHUNK_NUMBER" > "$TASK_RESULTS_DIR/r"
"""
SETTINGS = {
    "AIRFLOW__TRIPTYCH__RUNNER": "process",
    "AIRFLOW__TRIPTYCH__RETRY_DELAY": "1",
    # That the scheduler of the backup is gone is noticed half a minute after its last sign of life, not minutes.
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
}


@dataclass(frozen=True)
class Place:
    """What outlives the first Airflow: apps, the pipes that hold chunks, the workspace's place, and the backup."""

    folder: Path

    def ran(self, name: str) -> list[str]:
        """The chunks of this app's job whose script has begun, once for each time."""
        path = self.folder / f"ran-{name}"
        return sorted(path.read_text().split()) if path.exists() else []

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace"

    def done(self, name: str, run_id: str) -> set[int]:
        return set(counted(self.workspace / name / run_id))

    @contextmanager
    def opened(self, name: str, chunk: int) -> Iterator[None]:
        """Let this chunk go on, whenever it comes."""
        # Opened for both, it never blocks, and whoever opens it to read goes on.
        gate = os.open(self.folder / f"{name}-{chunk}", os.O_RDWR)
        try:
            yield
        finally:
            os.close(gate)

    def type_in(self, command: str, postgres: Postgres) -> None:
        """A command of the page, as an operator types it."""
        programs = postgres_folder()
        assert programs is not None
        own = {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "DATABASE": postgres.url.replace("+psycopg2", ""),
            "WORKSPACE": str(self.workspace),
        }
        typed = ["bash", "-euc", command]
        done = subprocess.run(typed, cwd=self.folder, env={**os.environ, **own}, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def _commands(heading: str) -> list[str]:
    """Of the page, below this heading."""
    _, _, section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")
    section, _, _ = section.partition("\n## ")
    (block,) = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [line for line in block.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def place() -> Iterator[Place]:
    """In a folder that PostgreSQL's user may enter."""
    if postgres_folder() is None:
        pytest.skip("no PostgreSQL here: apt-get install --no-install-recommends postgresql")
    folder = Path(tempfile.mkdtemp(prefix="backup-"))
    folder.chmod(0o711)
    made = Place(folder)
    template = {"partitioner": "replicate", "assembler": "concat", "config": {"chunksPerTask": 1}}
    template["params"] = {"partitioner": {"replicas": 3}, "assembler": {"name": "lines"}}
    for name in (HELD, SHORT):
        script = SCRIPT.format(folder=folder, name=name)
        manifest = {"retries": 0} if name == SHORT else {}
        write_app(folder / "include", script, name=name, entrypoint="main.sh", manifest=manifest, template=template)
    os.mkfifo(folder / f"{HELD}-1")
    os.mkfifo(folder / f"{HELD}-2")
    (folder / f"{SHORT}-2").touch()  # Its chunk 1 fails for want of the file.
    yield made
    shutil.rmtree(folder)


def _airflow(place: Place, home: str, postgres: Postgres) -> EmbeddedAirflow:
    """One with a folder of its own; include folder and workspace have the same names for all."""
    env = {
        **SETTINGS,
        "AIRFLOW__TRIPTYCH__INCLUDE": str(place.folder / "include"),
        "AIRFLOW__TRIPTYCH__WORKSPACE": place.workspace.as_uri(),
        "AIRFLOW__TRIPTYCH__ALLOWED_ROOTS": str(place.folder),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url,
    }
    return EmbeddedAirflow(place.folder / home, PROJECT, env)


def _job(airflow: EmbeddedAirflow, *arguments: str) -> dict[str, Any]:
    """What `triptych job ... --json` says beside this Airflow."""
    login = ["--airflow", airflow.url, "--user", USER, "--password-env", "PASSWORD_OF_ADMIN", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "triptych", "job", *arguments, *login],
        env={**airflow.env, "PASSWORD_OF_ADMIN": airflow.password},
        cwd=airflow.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _lines(place: Place, airflow: EmbeddedAirflow, name: str, run_id: str) -> list[str]:
    """Of the output, once the run has succeeded."""
    state = airflow.client.wait_for_run(name, run_id, WAIT_S)
    tasks = airflow.client.tasks(name, run_id)
    logs = [airflow.client.log(name, run_id, each["task_id"], each["map_index"], each["try_number"]) for each in tasks]
    assert state == "success", logs
    (output,) = place.workspace.glob(f"outputs/{name}/{run_id}/**/lines")
    return output.read_text().splitlines()


def test_jobs_go_on_from_a_backup(place: Place) -> None:
    (dump, copy), (restore, put_back) = _commands("Back up"), _commands("Restore")
    place.workspace.mkdir()
    with running_postgres(place.folder / "first") as postgres, _airflow(place, "home-1", postgres) as airflow:
        client = airflow.client
        for name in (HELD, SHORT):
            client.wait_for_dag(name)
        short, held = client.trigger(SHORT, {}), client.trigger(HELD, {})
        assert client.wait_for_run(SHORT, short, WAIT_S) == "failed"
        assert poll(lambda: set(place.ran(HELD)) == {"0", "1", "2"} and place.done(HELD, held) == {0}, WAIT_S, 0.5)
        place.type_in(dump, postgres)
        with place.opened(HELD, 1):  # The workspace's copy has more than the database knows.
            assert poll(lambda: place.done(HELD, held) == {0, 1}, WAIT_S, 0.5)
            assert poll(lambda: client.count_tasks(HELD, held, "app", "success") == 2, WAIT_S, 0.5)
        place.type_in(copy, postgres)
        airflow.kill("scheduler")
    shutil.rmtree(place.workspace)
    shutil.rmtree(place.folder / "home-1")

    with running_postgres(place.folder / "second") as postgres:
        place.type_in(restore, postgres)
        place.type_in(put_back, postgres)
        with place.opened(HELD, 2), _airflow(place, "home-2", postgres) as airflow:
            told = _job(airflow, "show", short)
            assert (told["state"], told["sums"]["done"], told["sums"]["failed"]) == ("failed", 2, 1)
            (place.folder / f"{SHORT}-1").touch()
            cleared = {(each["task"], each["map"]) for each in _job(airflow, "retry", short)["cleared"]}
            assert cleared == {("app", 1), ("assemble", -1)}
            assert _lines(place, airflow, SHORT, short) == ["0", "1", "2"]
            assert place.ran(SHORT) == ["0", "1", "1", "2"]

            # Nobody has to do anything for the one that ran at the time of the backup.
            assert _lines(place, airflow, HELD, held) == ["0", "1", "2"]
            # What is in the copy ran once; a busy Airflow may lose a task of the other once more.
            assert place.ran(HELD)[:4] == ["0", "1", "2", "2"]
            assert _job(airflow, "show", held)["sums"]["done"] == 3
