"""Who an app is in its container, and what it leaves on the host."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.attacks.conftest import ROOT_ALLOWED
from tests.attacks.worker import USER, Attacked, Worker
from triptych.airflow.rest import poll

pytestmark = pytest.mark.docker
WHO = "import os; open(os.environ['TASK_RESULTS_DIR'] + '/who', 'w').write(f'{os.getuid()} {os.getgid()}')"
CONFINED = """
import json, os
told = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
told = {key: value.strip() for key, value in told.items()}
told["interfaces"] = os.listdir("/sys/class/net")
with open(os.environ["TASK_RESULTS_DIR"] + "/told", "w") as out:
    json.dump(told, out)
"""
SETUID_SHELLS = """
import os, shutil, time
for folder in (os.environ["USER_CACHE_DIR"], os.environ["TASK_RESULTS_DIR"]):
    os.makedirs(f"{folder}/in")
    shutil.copy("/bin/sh", f"{folder}/in/shell")
    os.chmod(f"{folder}/in/shell", 0o6755)
    os.chmod(f"{folder}/in", 0o2777)
"""
WAITS = """
gate = os.environ["USER_CACHE_DIR"]
open(f"{gate}/ready", "w").close()
while not os.path.exists(f"{gate}/go"):
    time.sleep(0.02)
"""
DENIED = "Permission denied"
ANOTHER = 5432
"""A user of the machine who is neither the worker nor in the group of Docker's socket."""
OTHER_USERS = pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")


def _who(worker: Worker, image: str) -> str:
    attacked = worker.attack(WHO, manifest={"platform_config": {"container": image}})
    assert attacked.ended.code == 0, attacked.ended.text
    (who,) = attacked.files.values()
    return who.decode()


@pytest.mark.parametrize("name", ["root", "zero", "friendly"])
def test_an_image_does_not_make_itself_root(worker: Worker, images: Sequence[str], name: str) -> None:
    """By name, by number, or by a name that is root's in its own list of users: it is nobody."""
    assert f"triptych-attacks/{name}" in images
    expected = f"{USER} {USER}" if worker.mode == "user" else "65534 65534"
    assert _who(worker, f"triptych-attacks/{name}") == expected


@pytest.mark.usefixtures("images")
def test_an_image_is_its_own_user_who_is_not_root(worker: Worker) -> None:
    expected = f"{USER} {USER}" if worker.mode == "user" else "1234 100"
    assert _who(worker, "triptych-attacks/honest") == expected


@pytest.mark.usefixtures("images")
def test_root_is_who_the_operator_lets(worker: Worker) -> None:
    """But for a worker that is not root, whose folders its containers see: they have its own uid."""
    expected = f"{USER} {USER}" if worker.mode == "user" else "0 0"
    assert _who(worker, f"{ROOT_ALLOWED}:latest") == expected


@pytest.mark.usefixtures("images")
def test_a_script_has_no_network_and_no_capability_and_gains_none(worker: Worker) -> None:
    """Whoever it is: root, too, where the operator lets it. As the kernel tells it: all sets are empty."""
    attacked = worker.attack(CONFINED, manifest={"platform_config": {"container": ROOT_ALLOWED}})
    assert attacked.ended.code == 0, attacked.ended.text
    told = json.loads(attacked.files["told"])
    assert told["interfaces"] == ["lo"]
    assert {told[each] for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"


@OTHER_USERS
@pytest.mark.usefixtures("images")
def test_a_setuid_shell_is_out_of_reach_and_does_not_stay(worker: Worker) -> None:
    """Made by root, or by the worker's user: another user of the machine cannot run it, now or later."""
    manifest = {"platform_config": {"container": ROOT_ALLOWED}}
    if not worker.has_mounts:  # Caches are the engine's volumes; results are written by us.
        attacked = worker.attack(SETUID_SHELLS, manifest=manifest)
        assert list(attacked.files) == ["in/shell"], attacked.ended.text
        assert [path for path in worker.home.rglob("*") if path.lstat().st_mode & 0o6000] == []
        return
    cache = worker.cache / "apps" / "attack-setuid"
    with _in_background(
        partial(worker.attack, SETUID_SHELLS + WAITS, name="attack-setuid", manifest=manifest), cache / "go"
    ) as job:
        assert poll(lambda: (cache / "ready").exists() or not job.is_alive(), 120, 0.05)
        shells = [path for top in (cache, worker.scratch) for path in top.rglob("shell")]
        assert len(shells) == 2
        # As meant by the attack: whoever gets there is the container's user.
        assert {path.stat().st_mode & 0o7777 for path in shells} == {0o6755}
        assert {path.stat().st_uid for path in shells} == {worker.uid}
        assert [_run_as_another(path) for path in shells] == [DENIED] * 2
    assert _run_as_another(cache / "in" / "shell") == DENIED
    left = [path for top in (worker.cache, worker.scratch, worker.home / "out") for path in top.rglob("*")]
    assert cache / "in" / "shell" in left
    assert [path for path in left if path.lstat().st_mode & 0o6000] == []


def _run_as_another(shell: Path) -> str:
    """What another user of the machine gets from the shell: the uid that it is there, or why there is none."""
    other = ["setpriv", f"--reuid={ANOTHER}", f"--regid={ANOTHER}", "--clear-groups"]
    # By a shell of that user's: setpriv itself may look everywhere.
    command = [*other, "sh", "-c", '"$0" -p -c "id -u"', str(shell)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.stdout.strip() or ran.stderr.strip().rpartition(": ")[2]


@contextmanager
def _in_background(attack: Callable[[], Attacked], gate: Path) -> Iterator[threading.Thread]:
    """The job runs meanwhile; then it may go on, which `gate` says, and ends well."""
    done = list[Attacked]()
    job = threading.Thread(target=lambda: done.append(attack()))
    job.start()
    try:
        yield job
    finally:
        gate.parent.mkdir(parents=True, exist_ok=True)
        gate.touch()
        job.join()
    assert [each.ended.code for each in done] == [0], done


def test_what_only_the_worker_may_read_stays_unread(worker: Worker) -> None:
    bait = worker.bait()
    script = f"import os; os.symlink({str(bait.path)!r}, os.environ['TASK_RESULTS_DIR'] + '/link')"
    attacked = worker.attack(script)
    assert attacked.ended.code == 8
    assert "link" in attacked.ended.text
    assert attacked.told(bait.content) == []
