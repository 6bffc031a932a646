"""`make demo`: one real job on an Airflow of its own, from the trigger to the output; then all is stopped.

Jobs of templates that are scheduled on its output run after it.
`--keep` (`make up`) leaves Airflow running until Ctrl-C, from a folder that keeps port, password and history.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import sys
import tempfile
import threading
import webbrowser
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from triptych.airflow.rest import AirflowClient, AirflowError
from triptych.blocks import Block, Role, Template, read_catalog
from triptych.demo.chain import Chain, followers
from triptych.demo.embedded import TRIGGERER, USER, EmbeddedAirflow
from triptych.demo.kept import Kept, kept_home
from triptych.errors import ManifestError, TriptychError, UnexpectedOutputError
from triptych.harmless import harmless
from triptych.jobs.workspace import folder_name
from triptych.local.app_image import DOCKERFILE, ensure_image
from triptych.local.testing.cases import Case, case_folders, label_of, read_case
from triptych.local.testing.comparison import files_of
from triptych.local.testing.output_lines import output_lines
from triptych.local.testing.run_case import judge
from triptych.settings import PROJECT
from triptych.stages import Stage

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
"""One of these is set where a window can open; on macOS always."""
DEFAULT = "wordcount"
HOME = PROJECT / ".airflow"
"""Of `make up`."""
SHOWN_FILES, SHOWN_LINES = 8, 12
WORDS = "words.csv"
_console = Console(markup=False, emoji=False, highlight=False)


@dataclass(frozen=True)
class Shown:
    """A case of an app, the template that is launched for it, and those whose jobs its output starts."""

    case: Case
    template: str
    followers: Sequence[Template]

    @property
    def apps(self) -> list[Block]:
        return [self.case.app, *(template.blocks[Role.APP] for template in self.followers)]


def main() -> int:
    """The exit code: 0 when the job succeeded."""
    asked = _asked()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # So that `kill` stops Airflow, too.
    try:
        shown = _shown(asked.app)
        if asked.keep:
            with kept_home(HOME) as kept:
                return _run(shown, HOME, kept)
        return _run(shown, Path(tempfile.mkdtemp(prefix="triptych-demo-")), None)
    except TriptychError as error:
        _say(str(error))
        return error.exit_code


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="triptych.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep Airflow running until Ctrl-C, as `make up` does")
    parser.add_argument(
        "--app", default=DEFAULT, help="the app whose sample is run, or one of its cases: thumbnails/images"
    )
    return parser.parse_args()


def _shown(name: str) -> Shown:
    """Of an app the first case, or the one of this label. ManifestError where there is no such app, or no such case."""
    found = read_catalog((PROJECT / "include",))
    tag, _, inner = name.partition("/")
    app = found.find(Role.APP, tag)
    labels = {label_of(app, folder): folder for folder in case_folders(app, samples=True)}
    if not labels:
        msg = f"The app {app.name!r} has no sample in {app.folder / 'test'} to be run."
        raise ManifestError(msg)
    label = f"{app.name}/{inner}" if inner else next(iter(labels))
    if label not in labels:
        msg = f"The app {app.name!r} has no case {label!r}; it has {', '.join(labels)}."
        raise ManifestError(msg)
    case = read_case(app, labels[label])
    own = (each.id for each in found.templates if each.path.parent == app.folder)
    template = case.template or next(own, app.name)
    return Shown(case, template, followers(found.templates, template))


def _run(shown: Shown, home: Path, kept: Kept | None) -> int:
    step = "looking for Docker"
    try:
        settings = {"AIRFLOW__TRIPTYCH__RUNNER": _choose_runner(shown.apps)}
        if kept:
            settings["AIRFLOW__TRIPTYCH__PREFILL_SAMPLES"] = "yes"
        step = "starting Airflow"
        _say(f"Starting Airflow in {home} (about half a minute) ...")
        with EmbeddedAirflow(home, PROJECT, settings, kept=kept) as airflow:
            _say(f"Airflow is at {airflow.url} (user {USER}, password {airflow.password})")
            step = "running the job"
            if kept is None or kept.is_new:
                _run_job(airflow.client, shown, home / "output", stays=kept is not None)
            if kept:
                airflow.restart(TRIGGERER)  # Templates that new files start need one, and may come at any time.
                _say(f"Port, password, jobs and logs stay in {home}; remove that folder to begin anew.")
                _open_browser(airflow.url)
                _say("Airflow keeps running; Ctrl-C stops it.")
                threading.Event().wait()
    except TriptychError as error:
        _say(f"The demo failed while {step}:\n{error}\nLogs: {home / 'logs'}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("Stopped.")
        return 0 if kept else 130
    _say("Airflow is stopped; the demo is done.")
    return 0


def _open_browser(url: str) -> None:
    """Where somebody sits at a screen; a browser inside the terminal would take that."""
    has_screen = sys.platform == "darwin" or any(os.environ.get(name) for name in SCREENS)
    if has_screen and sys.stdout.isatty():
        webbrowser.open(url)


def _choose_runner(apps: Sequence[Block]) -> str:
    """`docker` when the engine answers and has, or can build, the apps' images; else `process`, saying why."""
    for app in apps:
        why = _docker_fault(app.image or "", has_dockerfile=(app.folder / DOCKERFILE).is_file())
        if why is not None:
            _say(f"{why} So chunks run as plain processes, with no isolation: good enough for a demo only.")
            return "process"
    for app in apps:
        ensure_image(app, _say)
    _say(f"Docker answers and has {', '.join(app.image or '' for app in apps)}: chunks run in containers.")
    return "docker"


def _docker_fault(image: str, *, has_dockerfile: bool) -> str | None:
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
        if has_dockerfile:
            return None
        return f"Docker has no image {image}; `scripts/base_image.sh` makes it."
    except (DockerException, OSError) as error:
        return f"Docker does not answer ({error})."
    finally:
        client.close()
    return None


def _run_job(client: AirflowClient, shown: Shown, output: Path, *, stays: bool) -> None:
    """Trigger the template over REST, show it run, and what its output starts, and print what came out.

    Raises AirflowError when one fails; where Airflow stays, to look around in, it only says so.
    """
    client.wait_for_dag(shown.template)
    chain = Chain(client, shown.followers)
    conf = {"name": "demo", **shown.case.conf, "dataDestination": f"{output.as_uri()}/"}
    run_id = client.trigger(shown.template, conf)
    _say(f"Triggered {shown.template}: {run_id}")
    reports = []
    for template, started in chain.runs(shown.template, run_id):
        if template != shown.template:
            _say(f"Its output has started {template}: {started}")
        report = _watch(client, template, started, output.parent, stays=stays)
        if report is None:
            return
        reports.append(report)
    _show_output(shown.case, output)
    for report in reports:
        _say_report(report)


def _watch(client: AirflowClient, template: str, run_id: str, home: Path, *, stays: bool) -> Path | None:
    """Show a run to its end: where its report lies, or None when it failed, which it has said then."""
    with _progress(client, template, run_id) as show:
        state = client.wait_for_run(template, run_id, on_poll=show)
        show()
    report = home / "workspace" / template / folder_name(run_id) / "report.html"
    if state == "success":
        return report
    _say_report(report)
    why = _failure(client, template, run_id)
    if not stays:
        raise AirflowError(why)
    _say(why)
    return None


def _say_report(report: Path) -> None:
    if report.is_file():
        _say(f"What the job came to: {report}")


@contextmanager
def _progress(client: AirflowClient, template: str, run_id: str) -> Iterator[Any]:
    """A function that prints the stages' states whenever they differ from what was printed last."""
    last: list[str] = []

    def show() -> None:
        line = _states(client.tasks(template, run_id))
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


def _failure(client: AirflowClient, template: str, run_id: str) -> str:
    """Which tasks failed, the end of the first one's log, and what to do."""
    failed = [task for task in client.tasks(template, run_id) if task["state"] == "failed"]
    if not failed:
        return "The run failed, but none of its tasks did. The scheduler's log may say why."
    failed.sort(key=lambda task: (list(Stage).index(task["task_id"]), task["map_index"]))
    first = failed[0]
    log = client.log(template, run_id, first["task_id"], first["map_index"], max(first["try_number"], 1))
    tail = "\n".join(log.splitlines()[-25:])
    return (
        f"{len(failed)} task(s) failed, first {first['task_id']} [{first['map_index']}]. Its log ends:\n"
        f"{tail}\nWith `make up` you can look around in the UI."
    )


def _show_output(case: Case, output: Path) -> None:
    if not files_of(output):
        msg = f"The job succeeded but {output} is empty. This is a bug in Triptych: please report it."
        raise AirflowError(msg)
    _say(f"\n{output}")
    shown = _most_frequent(output / WORDS) if (output / WORDS).is_file() else None
    for line in shown or output_lines(output, SHOWN_FILES, SHOWN_LINES):
        _say(f"  {line}")
    if case.check or case.expected.is_dir():
        differences = judge(case, output)
        if differences:
            raise UnexpectedOutputError("\n".join(["It is not what is expected:", *map(str, differences)]))
        _say("It is what is expected.")
    _say("")


def _most_frequent(words: Path) -> list[str]:
    """Of the totals of `wordcount`, which come by word, the highest."""
    with words.open(newline="") as file:
        rows = [(row["word"], int(row["count_sum"])) for row in csv.DictReader(file)]
    rows.sort(key=lambda row: -row[1])
    shown = [f"  {count:5} {word}" for word, count in rows[:SHOWN_LINES]]
    return [f"{words.name}: the most frequent of {len(rows):,} words, all chunks together", *shown]


def _say(text: str) -> None:
    _console.print(harmless(text), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
