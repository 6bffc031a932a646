"""An engine that maps users (`--userns-remap`): root in a container is nobody on the machine, and jobs run as ever."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.worker import IMAGE, MODES, attacked_worker
from tests.support.own_engine import OwnEngine, own_engine

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.getuid() != 0, reason="starting an engine needs root"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="no dockerd here: apt-get install docker.io"),
]
FIRST_UID = 1_000_000
LEAVES = """
import os, shutil
for folder in (os.environ["TASK_RESULTS_DIR"], os.environ["USER_CACHE_DIR"]):
    shutil.copy("/bin/sh", f"{folder}/shell")
    os.chmod(f"{folder}/shell", 0o4755)
with open(os.environ["TASK_RESULTS_DIR"] + "/who", "w") as who:
    print(os.getuid(), *open("/proc/self/uid_map").read().split(), file=who)
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    """One that may be passed through by the users that it makes."""
    home = Path(tempfile.mkdtemp(prefix="mapped-"))
    home.chmod(0o711)
    try:
        with own_engine(home / "engine", [IMAGE], first_uid=FIRST_UID) as engine:
            yield engine
    finally:
        shutil.rmtree(home)


@pytest.mark.parametrize("mode", MODES)
def test_root_in_a_container_is_nobody_on_the_machine(engine: OwnEngine, mode: str) -> None:
    """With bind mounts, by copies, and where the worker is not root and files are copied because of the mapping."""
    settings = {"AIRFLOW__TRIPTYCH__DOCKER_URL": engine.url, "AIRFLOW__TRIPTYCH__ROOT_IMAGES": "python"}
    if mode == "user":
        settings["AIRFLOW__TRIPTYCH__DOCKER_FILES"] = "auto"
    with attacked_worker(mode, settings) as worker:
        attacked = worker.attack(LEAVES)
        assert attacked.ended.code == 0, attacked.ended.text
        assert attacked.files["who"].split() == [b"0", b"0", b"%d" % FIRST_UID, b"65536"]
        in_cache = [path.stat().st_uid for path in worker.cache.rglob("shell")]
        assert in_cache == [FIRST_UID] * (mode == "root")  # Others' caches are the engine's volumes.
        assert [path for path in worker.home.rglob("*") if path.lstat().st_mode & 0o6000] == []
