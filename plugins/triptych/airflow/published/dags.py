"""The DAGs of a version of what is published, from the folder that the bundle has made of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from airflow.sdk import DAG, get_parsing_context

from triptych.airflow.factory import bare_dag, dags_of, sound
from triptych.blocks import Diagnostic, Template, read_catalog
from triptych.errors import ManifestError, TriptychError
from triptych.registry.mirror import Mirror
from triptych.registry.resolving import Index, Unit, read_index
from triptych.registry.units import make_unit, read_unit, unconsented
from triptych.settings import get_settings
from triptych.storage import Stores

INDEX = "index.json"
"""Beside the DAG file."""
DAG_FILE = "triptych_published.py"
DAG_FILE_TEXT = '''"""The DAGs of published templates. (Airflow looks for the words airflow and dag.)"""

from triptych.airflow.published.dags import build_published

globals().update(build_published(__file__))
'''
TRACKING, UNITS = "tracking", "units"
"""Folders of the bundle: the newest versions, as the DAG processor parses them; and units, of all versions."""


def build_published(dag_file: str) -> dict[str, DAG]:
    """Every published template's DAG by id; in a task process the three tasks of the one that it runs."""
    parsing = get_parsing_context()
    folder = Path(dag_file).absolute().parent
    if parsing.dag_id and parsing.task_id:
        return {parsing.dag_id: bare_dag(parsing.dag_id, partial(find_published, folder=folder))}
    templates: list[Template] = []
    broken: dict[str, tuple[Diagnostic, ...]] = {}
    built_in = read_catalog(()).blocks
    for name, unit in _index(folder).items():
        path = units_folder(folder) / unit.digest
        if unit.reasons or parsing.dag_id not in (None, name):
            broken[name] = tuple(Diagnostic(Path(name, "template.json"), "$", text) for text in unit.reasons)
            continue
        if folder.parent.name != TRACKING:
            _bring(path, unit)  # Of an older version, whose job has ended, and whose notifiers Airflow runs now.
        found = read_unit(path, name, built_in)
        refused = [*found.errors, *(each for template in found.templates for each in unconsented(template, _named()))]
        if refused or not found.templates:
            missing = Diagnostic(path, "$", "is not here: the next refresh of the bundle brings it.")
            broken[name] = tuple(refused) or (missing,)
        else:
            templates += found.templates
    broken = {name: reasons for name, reasons in broken.items() if reasons}
    return dags_of(templates, broken, parsing.dag_id, partial(find_published, folder=folder))


def find_published(template_id: str, folder: Path) -> Template:
    """The template as this version of what is published has it, for `partition`; from the workspace, where need be.

    ManifestError with all reasons when it cannot be used.
    """
    unit = _index(folder).get(template_id)
    if unit is None:
        msg = f"Template {template_id!r} is not published any more."
        raise ManifestError(msg)
    if unit.reasons:
        raise ManifestError(list(unit.reasons))
    path = units_folder(folder) / unit.digest
    _bring(path, unit)
    template = read_unit(path, template_id).template(template_id)
    if found := unconsented(template, _named()):
        raise ManifestError([str(each) for each in found])
    return sound(template)


def units_folder(version_folder: Path) -> Path:
    """Where the units lie of a bundle of which this is the folder of one version."""
    return version_folder.parent.parent / UNITS


def _bring(path: Path, unit: Unit) -> None:
    settings = get_settings()

    def fetch(sha256: str, to: Path) -> None:
        Mirror(settings, Stores(settings)).fetch(sha256, to)

    try:
        make_unit(path, unit, fetch)
    except TriptychError as error:
        if error.retryable:
            raise
        raise ManifestError(str(error)) from error


def _named() -> tuple[str, ...]:
    return get_settings().pushed_engines


def _index(folder: Path) -> Index:
    """The folder has the index's version as its name: it is what it was when the bundle made it."""
    return read_index((folder / INDEX).read_bytes(), folder.name)
