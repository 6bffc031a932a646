"""Whether a script is Python: told where it surely is none, and only warned of where its image may know better."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Role, read_catalog
from triptych.blocks.script_check import check_script, untold_names


@pytest.mark.parametrize(
    ("script", "image", "location", "is_certain"),
    [
        ("def f(:\n", "python:3.11-slim", "line 1, column 7", True),
        ("def f(:\n", "registry.example:5000/library/python:3.9", "line 1, column 7", True),
        ("x = 1\0\n", "python:3.11", "", True),
        ("(" * 100_000, "python:3.11", "", True),
        ("def f(:\n", "triptych/none:1", "line 1, column 7", False),
        ("def f(:\n", "python:99.1-slim", "line 1, column 7", False),
        ("def f(:\n", "python:slim", "line 1, column 7", False),
        ("\nprint 'two'\n", "python:2.7", "line 2, column 1", False),
    ],
)
def test_a_script_that_is_no_python_is_told(
    tmp_path: Path, script: str, image: str, location: str, is_certain: bool
) -> None:
    template = write_app(tmp_path, script, manifest={"platform_config": {"container": image}})
    found = check_script(template.app)
    assert found
    assert found.diagnostic.location.startswith(location)
    assert (found.diagnostic.path, found.is_certain) == (template.app.code / "main.py", is_certain)


@pytest.mark.parametrize(
    ("entrypoint", "script"),
    [
        ("main.py", "print('sound', '\\d')\n"),
        ("main.py", "# coding: latin-1\nname = 'caf\u00e9'\n"),
        ("main.sh", "((("),
        ("main.js", "((("),
        ("tool", "#!/bin/sh\n((("),
    ],
)
def test_sound_scripts_and_other_languages_are_left_alone(tmp_path: Path, entrypoint: str, script: str) -> None:
    assert check_script(write_app(tmp_path, script, entrypoint=entrypoint).app) is None


def test_a_shebang_says_python_too(tmp_path: Path) -> None:
    assert check_script(write_app(tmp_path, "#!/usr/bin/env python3\n(", entrypoint="tool").app)


def test_the_script_of_an_engine_is_read_by_the_workers_python(tmp_path: Path) -> None:
    folder = tmp_path / "engines" / "mine"
    (folder / "app").mkdir(parents=True)
    about = {"name": "mine", "version": "1.0", "type": "partitioner", "platform": "python"}
    (folder / "manifest.json").write_text(json.dumps(about))
    (folder / "app" / "main.py").write_text("def partition(sources, params)\n")
    found = check_script(read_catalog([tmp_path]).find(Role.PARTITIONER, "mine"))
    assert found
    assert found.is_certain


def test_what_a_cacheable_app_does_not_get_is_told_where_its_script_names_it(tmp_path: Path) -> None:
    script = 'echo "$CHUNK_NAME" "$MY_JOB_ID" > "$TASK_RESULTS_DIR/$CHUNK_NUMBER"'
    about = {"cacheable": True}
    cacheable = write_app(tmp_path, script, entrypoint="main.sh", manifest=about).app
    assert [each.location for each in untold_names(cacheable)] == ["CHUNK_NAME", "CHUNK_NUMBER"]
    plain = write_app(tmp_path, script, name="plain", entrypoint="main.sh").app
    assert untold_names(plain) == []
