"""The generated reference pages are the same on every machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from triptych.settings import PROJECT

PRINT_PAGES = """
import json, os, runpy, sys
os.umask(int(sys.argv[2], 8))
if sys.argv[3] == "one core":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
pages = runpy.run_path(sys.argv[1])["pages"]()
print(json.dumps({str(path): text for path, text in pages.items()}))
"""
OTHER_MACHINE = {
    "TZ": "Pacific/Chatham",
    "LC_ALL": "C",
    "LANG": "C",
    "COLUMNS": "40",
    "LINES": "10",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PYTHONHASHSEED": "4711",
    "USER": "somebody",
    "CT2_FORCE_CPU_ISA": "GENERIC",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
    "VIPS_NOVECTOR": "1",
    "ARROW_USER_SIMD_LEVEL": "NONE",
    "AIRFLOW__TRIPTYCH__WORKSPACE": "s3://elsewhere",
    "AIRFLOW__TRIPTYCH__RUNNER": "process",
    "DOCKER_HOST": "tcp://127.0.0.1:1",
}
"""The processor as far as libraries let themselves be told: a model's numbers differ by it, and glibc's `exp`."""


def _start(environment: dict[str, str], umask: str, cores: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PRINT_PAGES, str(PROJECT / "scripts" / "reference.py"), umask, cores]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env={**environment, **path}, stdout=subprocess.PIPE, cwd=PROJECT)


def _pages(process: subprocess.Popen[bytes]) -> dict[Path, str]:
    printed, _ = process.communicate()
    assert process.returncode == 0
    return {Path(path): text for path, text in json.loads(printed).items()}


def _other_machine(folder: Path) -> dict[str, str]:
    home = folder / "home"
    home.mkdir()
    return {**os.environ, **OTHER_MACHINE, "HOME": str(home), "TMPDIR": str(folder), "AIRFLOW_HOME": str(home)}


def test_the_pages_are_the_same_on_another_machine(tmp_path: Path) -> None:
    with (
        _start(dict(os.environ), "022", "every core") as here,
        _start(_other_machine(tmp_path), "077", "one core") as there,
    ):
        pages, others = _pages(here), _pages(there)
    differing = {path.name for path, text in pages.items() if others[path] != text}
    assert differing == set(), "Name in example.json what `varies`, or take it out of scripts/reference.py."
