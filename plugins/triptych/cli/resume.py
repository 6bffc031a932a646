"""`triptych run --resume`: what of a job that was launched can still be changed, and how the command goes on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triptych.blocks import read_catalog
from triptych.cli.console import echo
from triptych.cli.parameters import local_uri, location
from triptych.cli.setup import sound_template, template_id
from triptych.errors import ConfigError, ManifestError
from triptych.jobs.job import PlannedJob
from triptych.jobs.spec import source_locations
from triptych.local.runner import Resume, resumed_job
from triptych.settings import Runner, Settings
from triptych.stages.repair import NewCode, changed_blocks


@dataclass(frozen=True)
class Asked:
    """The options of one call that say what to resume, and what to change of it."""

    template: str
    run_id: str | None
    new_code: NewCode | None
    plan: str | None
    destination: str | None
    connection: str | None
    retries: int | None

    def check(self, of_a_launch: Mapping[str, object]) -> None:
        """ConfigError, which names them, for options that mean nothing with, or without, `--resume`."""
        if self.run_id is None:
            _refuse({"--new-code": self.new_code, "--plan": self.plan}, "only with --resume")
            return
        fixed = dict(of_a_launch)
        if self.destination is None:
            fixed["--connection"] = self.connection
        _refuse(fixed, f"not with --resume: the job {self.run_id} goes on as it was launched. Launch a new one")


def resume_job(settings: Settings, asked: Asked) -> PlannedJob:
    """The job to go on with, told by its plan; of changed code that is not asked for, a word."""
    assert asked.run_id is not None  # The caller's.
    blocks = sound_template(settings, asked.template).blocks if asked.new_code else {}
    destination = None
    if asked.destination:
        uri = local_uri(asked.destination, is_folder=True)
        (destination,) = source_locations([location(uri, asked.connection)])
    resume = Resume(asked.plan, asked.new_code, blocks, destination, asked.retries)
    job = resumed_job(settings, template_id(settings, asked.template), asked.run_id, resume)
    echo(f"Going on with plan {job.ref.generation}, SHA-256 {job.ref.sha256}.")
    if not asked.new_code:
        _tell_of_changes(settings, asked.template, job)
    return job


def how_to_go_on(template: str, run_id: str, include: Sequence[Path], runner: Runner | None) -> str:
    """What to type after a failure, with the code of the launch and with new code."""
    again = ["triptych", "run", template, "--resume", run_id]
    again += [part for folder in include for part in ("--include", str(folder))]
    again += ["--runner", runner.value] if runner else []
    command = shlex.join(again)
    return (
        f"What is done is kept. Go on with:\n  {command}\nor, once the script is corrected, with its new code:\n"
        f"  {command} --new-code keep\nEach chunk's state and log: triptych job show {run_id}\n"
        f"One chunk again, by itself (--shell to look around there): triptych chunk run {run_id} NUMBER"
    )


def _tell_of_changes(settings: Settings, name: str, job: PlannedJob) -> None:
    try:
        blocks = read_catalog(settings.include).template(name).blocks
        changed = changed_blocks(settings, job.plan, blocks)
    except ManifestError:
        return  # What lies there is broken, or gone; the job has its own.
    if changed:
        echo(
            f"warning: {', '.join(changed)}: changed since this plan was made, which goes on with its own code. "
            "--new-code keep goes on with the new, --new-code rerun runs all chunks again with it."
        )


def _refuse(options: Mapping[str, object], reason: str) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        msg = f"{', '.join(given)}: {reason}."
        raise ConfigError(msg)
