"""How each component of a running job is hit: found from outside, and killed with SIGKILL."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress

from tests.faults.processes import all_pids, kill, parent, task_process, title
from tests.faults.world import Job, World

Hit = Callable[[World, Job], int]


def hit_task_process(world: World, job: Job) -> int:
    """Every process that runs a task of the stage; how many there were."""
    found = [task_process(each["id"]) for each in world.instances(job, job.stage)]
    return sum(kill(pid) for pid in found if pid is not None)


def hit_supervisor(world: World, job: Job) -> int:
    """The parents of these: workers of the LocalExecutor. The task process lives on, without anybody."""
    found = [task_process(each["id"]) for each in world.instances(job, job.stage)]
    supervisors = {parent(pid) for pid in found if pid is not None}
    return sum(kill(pid) for pid in supervisors if title(pid).startswith("airflow worker -- LocalExecutor"))


def hit_container(world: World, job: Job) -> int:
    """Every container of the job that runs."""
    running = [each["ID"] for each in world.containers(job) if each["State"] == "running"]
    return sum(_docker_kill(world, each) for each in running)


def _docker_kill(world: World, container: str) -> bool:
    with suppress(subprocess.CalledProcessError):  # It has just ended.
        world.engine.docker("kill", container)
        return True
    return False


def hit_loop(world: World, job: Job) -> int:
    """The shell that feeds the app in each container: the child of its pid 1."""
    count = 0
    for each in world.containers(job):
        if each["State"] != "running":
            continue
        with suppress(subprocess.CalledProcessError):  # It has just gone.
            init = int(world.engine.docker("inspect", "--format", "{{.State.Pid}}", each["ID"]))
            count += bool(init) and _kill_shells(init)
    return count


def _kill_shells(init: int) -> bool:
    """All of them in one go: the loop, and the watcher of its input. Whether there was one."""
    shells = [pid for pid in all_pids() if parent(pid) == init and title(pid).startswith("/bin/sh")]
    killed = [pid for pid in shells if kill(pid)]
    return bool(killed)


def hit_engine(world: World, job: Job) -> int:
    """dockerd, which is started again."""
    world.engine.kill()
    world.engine.start()
    return 1


def hit_scheduler(world: World, job: Job) -> int:
    """The scheduler alone: its workers, and what they run, live on. It is started again."""
    return _hit_component(world, "scheduler")


def hit_api_server(world: World, job: Job) -> int:
    """The API server, which is started again."""
    return _hit_component(world, "api-server")


def _hit_component(world: World, component: str) -> int:
    world.airflow.kill(component)
    world.airflow.restart(component)
    return 1


HITS: dict[str, Hit] = {
    "task process": hit_task_process,
    "supervisor": hit_supervisor,
    "container": hit_container,
    "in-container loop": hit_loop,
    "Docker engine": hit_engine,
    "scheduler": hit_scheduler,
    "API server": hit_api_server,
}
SHARED = ("Docker engine", "scheduler", "API server")
OF_A_JOB = tuple(component for component in HITS if component not in SHARED)
IN_CONTAINERS = ("container", "in-container loop", "Docker engine")
