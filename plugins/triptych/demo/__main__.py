"""`make demo`: one real job on an Airflow of its own, from the trigger to the output; then all is stopped.

`--keep` (`make up`) leaves Airflow running until Ctrl-C.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from triptych.airflow.rest import AirflowClient, AirflowError
from triptych.demo.embedded import USER, EmbeddedAirflow
from triptych.errors import TriptychError
from triptych.harmless import harmless
from triptych.settings import PROJECT
from triptych.stages import Stage

TEMPLATE = "wordcount"
APP = PROJECT / "include" / "apps" / TEMPLATE
SHOWN_LINES = 12
_console = Console(markup=False, emoji=False, highlight=False)


def main() -> int:
    """The exit code: 0 when the job succeeded."""
    keep = "--keep" in sys.argv[1:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # So that `kill` stops Airflow, too.
    home = Path(tempfile.mkdtemp(prefix="triptych-demo-"))
    step = "looking for Docker"
    try:
        runner = _choose_runner()
        step = "starting Airflow"
        _say(f"Starting Airflow in {home} (about half a minute) ...")
        with EmbeddedAirflow(home, PROJECT, {"AIRFLOW__TRIPTYCH__RUNNER": runner}) as airflow:
            _say(f"Airflow is at {airflow.url} (user {USER}, password {airflow.password})")
            step = "running the job"
            _run_job(airflow.client, home / "output")
            if keep:
                _say("Airflow keeps running; Ctrl-C stops it.")
                threading.Event().wait()
    except TriptychError as error:
        _say(f"The demo failed while {step}:\n{error}\nLogs: {home / 'logs'}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("Stopped.")
        return 0 if keep else 130
    _say("Airflow is stopped; the demo is done.")
    return 0


def _choose_runner() -> str:
    """`docker` when the engine answers and has the app's image; else `process`, saying why."""
    image = json.loads((APP / "manifest.json").read_text())["platform_config"]["container"]
    why = _docker_fault(image)
    if why is None:
        _say(f"Docker answers and has {image}: chunks run in containers.")
        return "docker"
    _say(f"{why} So chunks run as plain processes, with no isolation: good enough for a demo only.")
    return "process"


def _docker_fault(image: str) -> str | None:
    import docker
    from docker.errors import DockerException, ImageNotFound

    try:
        client = docker.from_env(timeout=10)
    except (DockerException, OSError) as error:
        return f"Docker cannot be reached ({error})."
    try:
        client.ping()
        client.images.get(image)
    except ImageNotFound:
        return f"Docker has no image {image}; `scripts/base_image.sh` makes it."
    except (DockerException, OSError) as error:
        return f"Docker does not answer ({error})."
    finally:
        client.close()
    return None


def _run_job(client: AirflowClient, output: Path) -> None:
    """Trigger the template over REST, show it run, print what came out. Raises AirflowError when it fails."""
    client.wait_for_dag(TEMPLATE)
    conf: Mapping[str, Any] = {
        "name": "demo",
        "dataSource": f"{(APP / 'test').as_uri()}/*.txt",
        "dataDestination": f"{output.as_uri()}/",
        "params": {"partitioner": {"format": "lines", "items_per_chunk": 20}, "app": {"min_length": 5}},
    }
    run_id = client.trigger(TEMPLATE, conf)
    _say(f"Triggered {TEMPLATE}: {run_id}")
    with _progress(client, run_id) as show:
        state = client.wait_for_run(TEMPLATE, run_id, on_poll=show)
        show()
    if state != "success":
        raise AirflowError(_failure(client, run_id))
    _show_output(output)


@contextmanager
def _progress(client: AirflowClient, run_id: str) -> Iterator[Any]:
    """A function that prints the stages' states whenever they differ from what was printed last."""
    last: list[str] = []

    def show() -> None:
        line = _states(client.tasks(TEMPLATE, run_id))
        if line not in last[-1:]:
            last.append(line)
            _say(f"  {line}")

    with _console.status("The job is running"):
        yield show


def _states(tasks: list[dict[str, Any]]) -> str:
    """For example `partition: 1 success | app: 2 running, 3 success | assemble: 1 waiting`."""
    parts = []
    for stage in Stage:
        counts = Counter(task["state"] or "waiting" for task in tasks if task["task_id"] == stage)
        counted = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        parts.append(f"{stage}: {counted or 'waiting'}")
    return " | ".join(parts)


def _failure(client: AirflowClient, run_id: str) -> str:
    """Which tasks failed, the end of the first one's log, and what to do."""
    failed = [task for task in client.tasks(TEMPLATE, run_id) if task["state"] == "failed"]
    if not failed:
        return "The run failed, but none of its tasks did. The scheduler's log may say why."
    failed.sort(key=lambda task: (list(Stage).index(task["task_id"]), task["map_index"]))
    first = failed[0]
    log = client.log(TEMPLATE, run_id, first["task_id"], first["map_index"], max(first["try_number"], 1))
    tail = "\n".join(log.splitlines()[-25:])
    return (
        f"{len(failed)} task(s) failed, first {first['task_id']} [{first['map_index']}]. Its log ends:\n"
        f"{tail}\nWith `make up` you can look around in the UI."
    )


def _show_output(output: Path) -> None:
    files = sorted(path for path in output.rglob("*") if path.is_file())
    if not files:
        msg = f"The job succeeded but {output} is empty. This is a bug in Triptych: please report it."
        raise AirflowError(msg)
    for path in files:
        lines = path.read_text(errors="replace").splitlines()
        _say(f"\n{path} ({path.stat().st_size:,} bytes)")
        for line in lines[:SHOWN_LINES]:
            _say(f"  {line}")
        if len(lines) > SHOWN_LINES:
            _say(f"  ... and {len(lines) - SHOWN_LINES} more lines")
    _say("")


def _say(text: str) -> None:
    _console.print(harmless(text), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
