"""All that `triptych validate` finds out: by our own rules, and by Airflow where that is installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from triptych.blocks import Catalog, Diagnostic
from triptych.blocks.check import check_blocks, check_pairs
from triptych.blocks.networks import unlisted_networks
from triptych.blocks.placement import unplaced
from triptych.blocks.script_check import check_script, untold_names
from triptych.jobs.template_check import check_locations
from triptych.settings import get_settings

_NOT_CHECKED = "whether a schedule is one, the form, and whether Airflow can store the DAGs"
_MOST_S = 300
_PACKAGES = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Findings:
    """What is wrong, what is odd, and a sentence on what was left out, empty when nothing was."""

    errors: list[Diagnostic]
    warnings: list[Diagnostic]
    not_checked: str


def findings(catalog: Catalog, include: Sequence[Path], asks_airflow: bool = True) -> Findings:
    """Of everything in these include folders, whose catalog this is."""
    scripts = [checked for block in catalog.blocks if (checked := check_script(block))]
    errors = [
        *check_blocks(catalog),
        *(each.diagnostic for each in scripts if each.is_certain),
        *(each for template in catalog.templates for each in check_locations(template)),
        *(each for template in catalog.templates for each in unplaced(template, get_settings().classes)),
    ]
    odd = [
        *catalog.warnings,
        *check_pairs(catalog),
        *unlisted_networks(catalog.blocks, get_settings()),
        *(each.diagnostic for each in scripts if not each.is_certain),
        *(each for block in catalog.blocks for each in untold_names(block)),
    ]
    said, not_checked = _of_airflow(include) if asks_airflow else ([], f"Not checked: {_NOT_CHECKED}.")
    return Findings(list(dict.fromkeys([*errors, *said])), odd, not_checked)


def _of_airflow(include: Sequence[Path]) -> tuple[list[Diagnostic], str]:
    """What Airflow refuses, and why it could not be asked."""
    if find_spec("airflow") is None:
        return [], f"Airflow is not installed here. Not checked: {_NOT_CHECKED}."
    command = [sys.executable, "-m", "triptych.airflow.validation", *map(str, include)]
    with tempfile.TemporaryDirectory(prefix="triptych-validate-") as home:
        try:
            done = subprocess.run(
                command, env=_environment(home), capture_output=True, text=True, timeout=_MOST_S, check=False
            )
        except subprocess.TimeoutExpired:
            return [], f"Airflow took longer than {_MOST_S} s. Not checked: {_NOT_CHECKED}."
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return [], f"Airflow could not be asked: {reason}. Not checked: {_NOT_CHECKED}."
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return [Diagnostic(Path(path), location, message) for path, location, message in found], ""


def _environment(home: str) -> dict[str, str]:
    """This process's, where the package is found; with a home for Airflow to write into where the user has none."""
    path = os.pathsep.join([str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = os.environ.get("AIRFLOW_HOME", "~/airflow")
    return {**os.environ, "PYTHONPATH": path, "AIRFLOW_HOME": own if Path(own).expanduser().is_dir() else home}
