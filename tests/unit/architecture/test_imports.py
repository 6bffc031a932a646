"""What may be imported where: nothing heavy when Airflow parses the DAG file, Airflow in its rooms only."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.source_tree import PACKAGE, Import, Module, imports, modules, parse_time_closure, python_files
from triptych.settings import PROJECT

HEAVY = (
    "airflow.providers",
    "av",
    "azure",
    "boto3",
    "botocore",
    "ctranslate2",
    "docker",
    "duckdb",
    "google",
    "httpx",
    "jsonschema",
    "jsonschema_rs",
    "numpy",
    "pandas",
    "PIL",
    "pyarrow",
    "pyvips",
    "rich",
    "scenedetect",
    "soundfile",
    "typer",
)
"""Libraries that cost a parse tenths of seconds; Airflow parses the DAG file again in each task's process."""
OF_AIRFLOW = ("airflow.providers.common.compat", "airflow.providers.standard", "docker", "httpx", "jsonschema", "rich")
"""Those that Airflow itself, or the DockerOperator that ours is one of, loads anyway."""
AIRFLOW_ROOMS = {"airflow", "api", "connections", "settings", "demo", "plugin"}
ELSEWHERE: Mapping[str, str] = {}
"""Modules that import Airflow outside its rooms, each with a reason. An entry that is not needed fails, too."""

LATE: Mapping[str, str] = {
    "triptych.engines.documents.contained": "Excel needs openpyxl, Feather pyarrow, BAM pysam; zips need none",
    "triptych.engines.previews.__main__": "bounds hold before a library is there, and a missing one is an answer, too",
    "triptych.engines.tables.cutting.rows": "only Parquet needs pyarrow; all other rows are cut without it",
    "triptych.engines.streams.unpacking": "only zstd needs a library; all other packings are unpacked without it",
}
"""Engines, and modules of theirs, that import inside functions, each with a reason."""

LOADED_BY_THE_DAG_FILE = """
import json, runpy, sys
import airflow.sdk
from airflow.sdk import DAG, Asset, BaseOperator, Param, get_parsing_context
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.serialization.serialized_objects import DagSerialization
DagSerialization.to_dict(DAG("stored", schedule="@daily"))  # As Airflow does with every DAG itself.
before = set(sys.modules)
dags = [name for name, value in runpy.run_path(sys.argv[1]).items() if isinstance(value, DAG)]
print(json.dumps([dags, sorted(set(sys.modules) - before)]))
"""


def test_the_dag_file_reaches_nothing_heavy() -> None:
    reached = parse_time_closure("triptych.airflow.factory")
    assert {"triptych.blocks.catalog", "triptych.airflow.form"} <= set(reached)
    heavy = [" -> ".join(chain) for target, chain in reached.items() if _is_below(HEAVY, target)]
    assert heavy == [], "Import it in the function that needs it."


def test_parsing_the_dag_file_loads_nothing_heavy_and_no_family(tmp_path: Path) -> None:
    """Once each template has been judged: that takes jsonschema_rs, the first time."""
    command = [sys.executable, "-c", LOADED_BY_THE_DAG_FILE, str(PROJECT / "dags" / "triptych_jobs.py")]
    own = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__TRIPTYCH__SCRATCH": str(tmp_path / "scratch")}
    path = {"PYTHONPATH": str(PROJECT / "plugins"), **own}
    for _ in range(2):
        done = subprocess.run(command, env={**os.environ, **path}, capture_output=True, text=True, check=True)
    dags, loaded = json.loads(done.stdout.splitlines()[-1])
    assert "wordcount" in dags
    assert [name for name in loaded if _is_below(HEAVY, name) and not _is_below(OF_AIRFLOW, name)] == []
    assert [name for name in loaded if name.startswith(("triptych.stages.", "triptych.reports"))] == []
    families = [name for name in loaded if name.startswith("triptych.engines.")]
    light = ("triptych.engines.api", "triptych.engines.contracts", "triptych.engines.runtime")
    assert [name for name in families if not name.startswith(light)] == []


def test_mounting_the_jobs_api_loads_nothing_of_it() -> None:
    """Schedulers and workers load the plugin, too."""
    code = "import sys, triptych.api.mount; print(*sorted(sys.modules))"
    path = {"PYTHONPATH": str(PROJECT / "plugins")}
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **path}, capture_output=True, text=True)
    loaded = {name for name in done.stdout.split() if name.startswith("triptych.api.")}
    assert loaded == {"triptych.api.mount", "triptych.api.prefix"}
    assert not {"fastapi", "httpx", "jwt", "starlette"} & set(done.stdout.split())


LOADED_BY_A_COMMAND = """
import json, sys
from triptych.cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("words", ["--version", "job show --help"])
def test_a_command_loads_itself_and_no_other(words: str) -> None:
    """All of them take half a second of CPU, and `job show` is asked for again and again while a job runs."""
    command = [sys.executable, "-c", LOADED_BY_A_COMMAND, *words.split()]
    path = {"PYTHONPATH": str(PROJECT / "plugins")}
    done = subprocess.run(command, env={**os.environ, **path}, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    libraries = ("airflow", "boto3", "docker", "httpx", "jsonschema_rs", "numpy")
    rooms = ("triptych.checkup", "triptych.local.runner", "triptych.registry", "triptych.reports")
    stages = ("triptych.stages.partition", "triptych.stages.run_pack", "triptych.retention.planning")
    others = ("triptych.cli.run", "triptych.cli.blocks", "triptych.cli.publishing", "triptych.cli.jobs.rerun")
    of_jobs = ("triptych.blocks", "triptych.jobs", "triptych.settings") if words == "--version" else ()
    needless = (*libraries, *rooms, *stages, *others, *of_jobs)
    assert "triptych.cli.deferred" in loaded
    assert [name for name in loaded if _is_below(needless, name)] == []


def test_airflow_is_imported_in_its_rooms_only() -> None:
    users = {
        module.path.relative_to(PACKAGE).as_posix()
        for module in modules().values()
        for each in imports(module)
        if each.target.partition(".")[0] == "airflow" and module.package not in AIRFLOW_ROOMS
    }
    assert users - set(ELSEWHERE) == set(), "Ask `triptych.connections`."
    assert set(ELSEWHERE) - users == set(), "It imports Airflow no more: take it out of ELSEWHERE."


def test_all_but_its_rooms_starts_without_airflow() -> None:
    parts = {module.name for module in modules().values() if module.package not in AIRFLOW_ROOMS - {"connections"}}
    reached = parse_time_closure(*sorted(parts))
    needing = [" -> ".join(chain) for target, chain in reached.items() if target.partition(".")[0] == "airflow"]
    assert needing == [], "Import Airflow in the function that needs it."


def test_engines_import_their_libraries_at_the_top() -> None:
    """One table (`loading.EXTRAS`) says which extra brings a missing library, once for every engine."""
    late = {module.name for module in _engines() if any(_late_imports(module))}
    assert late - set(LATE) == set(), "Import it at the top: the loader turns a missing library into one sentence."
    assert set(LATE) - late == set(), "It imports at the top: take it out of LATE."


def test_engines_know_the_interface_and_the_families_only() -> None:
    allowed = ("triptych.engines", "triptych.errors", "triptych.storage")
    foreign = [
        f"{module.path.relative_to(PROJECT)}:{each.line}: {each.target}"
        for module in _engines()
        for each in imports(module)
        if module.package == "" and _is_below(["triptych"], each.target) and not _is_below(allowed, each.target)
    ]
    assert foreign == []


def test_benchmarks_and_scripts_know_of_tests_their_support_only() -> None:
    foreign = [
        f"{path.relative_to(PROJECT)}:{each.line}: {each.target}"
        for path, tree in python_files("benchmarks", "scripts")
        for each in imports(Module(path.stem, path, tree))
        if each.target.partition(".")[0] == "tests" and not _is_below(["tests.support"], each.target)
    ]
    assert foreign == []
    ways = [path for path, tree in python_files("benchmarks", "scripts", "tests") if _changes_the_path(tree)]
    assert ways == [], "The Makefile sets PYTHONPATH."


def _changes_the_path(tree: ast.Module) -> bool:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(ast.unparse(call) in ("sys.path.insert", "sys.path.append", "sys.path.extend") for call in calls)


def _engines() -> Iterator[Module]:
    """The modules of our families, and the scripts of our engines."""
    yield from (module for module in modules().values() if module.package == "engines")
    for path, tree in python_files("include/engines"):
        yield Module(path.parents[1].name, path, tree)


def _late_imports(module: Module) -> Iterator[Import]:
    """Those inside functions; what only type checkers import stands at the top."""
    functions = [node for node in ast.walk(module.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lines = {line for node in functions for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    return (each for each in imports(module) if each.line in lines)


def _is_below(libraries: Iterable[str], target: str) -> bool:
    return any(f"{target}.".startswith(f"{library}.") for library in libraries)
