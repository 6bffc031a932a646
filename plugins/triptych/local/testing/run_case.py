"""One case run as a whole job on this machine, in a workspace of its own that is gone afterwards."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from triptych.blocks import Template
from triptych.errors import TriptychError, VerdictError
from triptych.harmless import harmless
from triptych.jobs.locations import OWN_FOLDER
from triptych.jobs.spec import build_job_spec
from triptych.local.runner import JobListener, new_run_id, run_job
from triptych.local.testing.cases import EXPECTED, Case
from triptych.local.testing.check_script import check_output
from triptych.local.testing.comparison import compare, files_of, is_ignored
from triptych.local.testing.difference import Difference
from triptych.settings import Settings

_FROZEN_CODE = re.compile(r"/(?:[^\s\"']*/[0-9a-f]{64}|triptych)/app/")
"""Where an app's script lies while it runs: in a container, and as a process."""


class State(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    """The output is another one."""
    ERROR = "error"
    """There is no output: the job failed, or could not be launched."""
    UPDATED = "updated"
    """What is expected was written anew."""


@dataclass(frozen=True)
class CaseResult:
    """What became of one case; `error` is empty where there was an output."""

    label: str
    state: State
    seconds: float
    differences: tuple[Difference, ...] = ()
    error: str = ""


@contextmanager
def case_output(
    settings: Settings, template: Template, case: Case, workers: int | None, listener: JobListener
) -> Iterator[Path]:
    """The folder of what the case's job made, while the context lasts; TriptychError as the job raises it."""
    with tempfile.TemporaryDirectory(prefix="triptych-test-", ignore_cleanup_errors=True) as made:
        work = Path(made).resolve()
        output = work / "output"
        output.mkdir()
        conf = {**case.conf, "dataDestination": f"{output.as_uri()}/"}
        spec = build_job_spec(template, conf, allowed_connections=None)
        own = replace(settings, workspace=(work / "jobs").as_uri())
        run_job(own, template, spec, new_run_id(), workers, listener)
        yield output


def judge(case: Case, output: Path) -> list[Difference]:
    """All that differs from what is expected, by the case's rules or its script."""
    if case.check:
        found = check_output(case.check, output, case.expected)
        return [found] if found else []
    if not case.expected.is_dir():
        remedy = f"`triptych app test {case.label} --update` writes it."
        return [Difference("", message=f"{case.label} has no folder {EXPECTED} to compare with: {remedy}")]
    return compare(output, case.expected, case.rules)


def run_case(
    settings: Settings,
    template: Template,
    case: Case,
    workers: int | None,
    listener: JobListener,
    *,
    update: bool = False,
    keep: Path | None = None,
) -> CaseResult:
    """Run and judge it. With `update` what is expected becomes what was made, unless a script judges; `keep` is a
    folder that the output is copied to, below the case's label.
    """
    started = time.monotonic()

    def ended(state: State, differences: tuple[Difference, ...] = (), error: str = "") -> CaseResult:
        return CaseResult(case.label, state, time.monotonic() - started, differences, error)

    try:
        with case_output(settings, template, case, workers, listener) as output:
            if keep:
                shutil.copytree(output, keep / case.label, dirs_exist_ok=True, ignore=lambda *_: {OWN_FOLDER})
            is_new = not case.expected.is_dir()
            differences = tuple(judge(case, output))
            if differences and update and not case.check:
                _write_expected(case, output)
                return ended(State.UPDATED, () if is_new else differences)
    except TriptychError as error:
        return ended(State.ERROR, error=failure(case, error))
    return ended(State.FAILED if differences else State.PASSED, differences)


def failure(case: Case, error: TriptychError) -> str:
    """Why there is no output: of failed chunks the first alone, with the script's own path in what Python says."""
    text = str(error)
    if isinstance(error, VerdictError):
        more = len(error.reasons) - 1
        text = "\n".join([error.verdict, *error.reasons[:1], *([f"And {more} more."] if more > 0 else [])])
    return _FROZEN_CODE.sub(lambda _: f"{case.app.code}/", harmless(text))


def _write_expected(case: Case, output: Path) -> None:
    """Files that are ignored stay as they are; those that the job makes no more are removed."""
    made = {name: path for name, path in files_of(output).items() if not is_ignored(name, case.rules)}
    case.expected.mkdir(exist_ok=True)
    for name, path in files_of(case.expected).items():
        if name not in made and not is_ignored(name, case.rules):
            path.unlink()
    for name, path in made.items():
        target = case.expected / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
