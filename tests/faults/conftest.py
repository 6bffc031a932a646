"""The worlds that are hit, how much is done to them, and the table at the end.

`FAULTS=whole` does all of it, `FAULTS_HITS` so many hits per component and stage, `FAULTS_SEED` the same again.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.blocks import IMAGE
from tests.faults.judge import Row, table
from tests.faults.world import BUCKET, World, airflow_for
from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.last_words import at_the_end
from tests.support.own_engine import OwnEngine, own_engine
from tests.support.postgres import postgres_folder, running_postgres
from tests.support.servers import Server, s3_client

WHOLE = os.environ.get("FAULTS") == "whole"
SEED = int(os.environ.get("FAULTS_SEED") or random.SystemRandom().randrange(10**6))
HITS = int(os.environ.get("FAULTS_HITS") or (5 if WHOLE else 1))
"""Per component, stage and world: there are two worlds."""
KINDS = ("files", "s3", "archive", "user")
"""Of worlds, as `Worlds` tells them apart."""
USER = 65534
"""`nobody`: Airflow wants a user with a name."""


@dataclass
class Ledger:
    """The rows of this run, in order."""

    rows: list[Row] = field(default_factory=list)

    def row(self, fault: str) -> Row:
        self.rows.append(Row(fault))
        return self.rows[-1]


_ledger = Ledger()
at_the_end(f"faults: FAULTS_SEED={SEED} FAULTS_HITS={HITS}", lambda: table(_ledger.rows) if _ledger.rows else "")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ours come last, and by world, so that each world is started once."""
    left_out = [] if WHOLE else [item for item in items if item.get_closest_marker("whole")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    mine = [item for item in items if item.get_closest_marker("faults") and item not in left_out]
    others = [item for item in items if not item.get_closest_marker("faults")]
    items[:] = [*others, *sorted(mine, key=_world_of)]


def _world_of(item: pytest.Item) -> int:
    call = getattr(item, "callspec", None)
    kind = call.params.get("kind") if call else None
    return KINDS.index(kind) if kind in KINDS else -1


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Tell a failure when it happens: the whole form takes an hour."""
    if report.failed and "tests/faults/" in report.nodeid:
        print(f"\n{report.nodeid}: {report.longreprtext[-3000:]}", file=sys.__stderr__, flush=True)


@pytest.fixture
def ledger() -> Ledger:
    return _ledger


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The same for the same seed and test, whatever else is run."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture(scope="package")
def engine() -> Iterator[OwnEngine]:
    if os.getuid() != 0:
        pytest.skip("an engine of the suite's own needs root")
    if shutil.which("dockerd") is None:
        pytest.skip("no dockerd here")
    # A socket's name has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        Path(folder).chmod(0o711)
        with own_engine(Path(folder, "engine"), [IMAGE], group=USER) as running:
            yield running


@pytest.fixture(scope="package")
def proxy(store: Server) -> Iterator[FaultProxy]:
    with s3_client(store, BUCKET), fault_proxy(store.endpoint, SEED) as proxy:
        yield proxy


class Worlds:
    """One world at a time: another kind ends the one before."""

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self._folder, self._request = folder, request
        self._stack = ExitStack()
        self._kind: str | None = None
        self._world: World | None = None

    def get(self, kind: str) -> World:
        """The world of this kind; started, when it does not run."""
        if self._world is None or kind != self._kind:
            self.close()
            self._kind, self._world = kind, self._stack.enter_context(self._started(kind))
        return self._world

    def close(self) -> None:
        """End the one that runs."""
        self._stack.close()
        self._world = None

    @contextmanager
    def _started(self, kind: str) -> Iterator[World]:
        """`files` lie in folders, `s3` in a store behind the proxy; `archive` is the same without bind mounts.

        `user` is files again, on SQLite, and Airflow is not root. SQLite locks up under more than a few jobs.
        """
        engine: OwnEngine = self._request.getfixturevalue("engine")
        home = self._folder / kind
        home.mkdir()
        with ExitStack() as stack:
            store = proxy = postgres = None
            if kind != "user":
                if postgres_folder() is None:
                    pytest.skip("no PostgreSQL here: apt-get install --no-install-recommends postgresql")
                postgres = stack.enter_context(running_postgres(home / "postgres"))
            if kind in ("s3", "archive"):
                store, proxy = self._request.getfixturevalue("store"), self._request.getfixturevalue("proxy")
            env = {"AIRFLOW__TRIPTYCH__DOCKER_FILES": "archive"} if kind == "archive" else {}
            user = USER if kind == "user" else None
            airflow = airflow_for(home / "airflow", engine, proxy, postgres, env, user)
            stack.enter_context(airflow)
            for dag_id in ("held", "boxed"):
                airflow.client.wait_for_dag(dag_id)
            yield World(airflow.home, airflow, engine, store, proxy, postgres, kind == "archive")


@pytest.fixture(scope="package")
def worlds(request: pytest.FixtureRequest) -> Iterator[Worlds]:
    """In a folder that other users may enter, containers and PostgreSQL among them; it stays when a test failed.

    The folder that pytest has for all sessions is shut to others whenever a session begins.
    """
    for name in ("engine", "store", "proxy"):
        request.getfixturevalue(name)  # They outlive the worlds.
    folder = Path(tempfile.mkdtemp(prefix="faults-worlds-"))
    folder.chmod(0o711)
    worlds = Worlds(folder, request)
    yield worlds
    worlds.close()
    if request.session.testsfailed:
        print(f"\nThe logs of the worlds are in {folder}.", file=sys.__stderr__, flush=True)
    else:
        shutil.rmtree(folder)
