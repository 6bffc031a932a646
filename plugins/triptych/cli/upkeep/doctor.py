"""`triptych doctor`: what keeps jobs from ending well, on this machine and in its Airflow."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

import typer

from triptych.checkup import Finding, Standing, check_machine, guarded
from triptych.cli.console import echo, echo_error, print_json, print_line, results_only
from triptych.cli.setup import AsJson, Include, catalog, local_settings
from triptych.errors import ConfigError
from triptych.settings import Settings, get_settings

EPILOG = """Run it where the scheduler runs, and on each worker with that worker's settings: each tells which other
machines have looked at the same workspace within a day. Nothing is launched; the workspace gets a small mark.

Exit codes: 0 nothing is wrong, 2 something is.

Examples:

`triptych doctor`

`AIRFLOW_HOME=/opt/airflow triptych doctor --json`
"""
_WORDS = {Standing.OK: "ok     ", Standing.WARNING: "warning", Standing.WRONG: "wrong  ", Standing.SKIPPED: "skipped"}


def doctor(include: Include = None, json_: AsJson = False) -> None:
    """Check this machine, its container engine, the workspace and, where there is one, Airflow's configuration."""
    with results_only():
        has_airflow = _has_airflow()  # Before the settings are read, which are Airflow's then.
        settings = get_settings() if get_settings().workspace else local_settings(include, None)
        found = [*check_machine(settings), *(_of_airflow(settings, include) if has_airflow else _NO_AIRFLOW)]
    wrong = sum(finding.standing is Standing.WRONG for finding in found)
    if json_:
        print_json([asdict(finding) for finding in found])
    else:
        width = max(len(finding.about) for finding in found)
        for finding in found:
            print_line(f"{_WORDS[finding.standing]}  {finding.about:{width}}  {finding.said}")
            if finding.remedy:
                print_line(f"{'':{width + 11}}{finding.remedy}")
    if wrong:
        echo_error(f"{wrong} thing(s) wrong.")
        raise typer.Exit(ConfigError.exit_code)
    echo("Nothing is wrong.")


def _of_airflow(settings: Settings, include: list[Path] | None) -> Iterator[Finding]:
    from triptych.airflow.checkup.configuration import check_configuration
    from triptych.airflow.checkup.slots import check_slots, slots_of_pools
    from triptych.airflow.checkup.triggering import check_triggerer
    from triptych.airflow.checkup.workers import check_workers

    # Once each, and not before a check that tells why it cannot be read.
    found = cache(lambda: catalog(include))
    slots = cache(lambda: slots_of_pools(settings, found()))
    yield from guarded("airflow", lambda: check_configuration(settings))
    yield from guarded("pools", lambda: check_slots(settings, found(), slots()))
    yield from guarded("workers", lambda: check_workers(settings, found(), slots()))
    yield from guarded("triggerer", lambda: check_triggerer(found()))


_NO_AIRFLOW = (
    Finding(
        "airflow",
        Standing.SKIPPED,
        "No Airflow is configured here.",
        "Where Airflow runs, set AIRFLOW_HOME to its home.",
    ),
)


def _has_airflow() -> bool:
    """Whether one is configured here, which is loaded then; loading Airflow writes a configuration where none is."""
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    config = Path(os.environ.get("AIRFLOW_CONFIG", home / "airflow.cfg"))
    named = any(name.startswith("AIRFLOW__") and not name.startswith("AIRFLOW__TRIPTYCH__") for name in os.environ)
    if importlib.util.find_spec("airflow") is None or not (config.is_file() or named):
        return False
    importlib.import_module("airflow.sdk.configuration")
    return True
