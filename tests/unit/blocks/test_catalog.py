"""Reading manifests and templates: what is broken is told, and hides nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import read_catalog
from triptych.blocks.versions import highest_match, version_key
from triptych.errors import ManifestError
from triptych.settings import PROJECT

INCLUDE = PROJECT / "include"


def _break(include: Path, text: str) -> None:
    (include / "apps" / "tried" / "manifest.json").write_text(text)


def _manifest(**changes: Any) -> str:
    sound = {"name": "tried", "version": "1.0", "platform_config": {"container": "x"}}
    return json.dumps({**sound, **changes})


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('{"name": "tried",\n  oops}', "line 2, column 3", "no JSON"),
        (_manifest(version="one"), "$.version", "major.minor"),
        (_manifest(name="no spaces"), "$.name", "letters"),
        (_manifest(platform_config={}), "$.platform_config.container", "is missing"),
        (_manifest(platformConfig={"container": "x", "registryPassword": "p"}), "registryPassword", "connections add"),
        (_manifest(entrypoint="../../x"), "$.entrypoint", "leads out"),
        (_manifest(deviceRequirements={"minCpu": -1}), "$.deviceRequirements.minCpu", "above 0"),
        (_manifest(type="ap"), "$.type", "must be one of"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, place: str, message: str) -> None:
    write_app(tmp_path, "")
    _break(tmp_path, text)
    catalog = read_catalog([tmp_path, INCLUDE])
    assert any(place in problem.where and message in problem.message for problem in catalog.problems)
    assert catalog.template("wordcount").app.name == "wordcount"


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    write_app(tmp_path, "")
    _break(tmp_path, json.dumps({"id": "a b", "version": "x", "retries": "many"}))
    places = {problem.where for problem in read_catalog([tmp_path, INCLUDE]).problems}
    assert {"$.id", "$.version", "$.retries", "$.platform_config.container"} <= places


def test_an_unknown_key_is_a_warning_with_a_suggestion(tmp_path: Path) -> None:
    write_app(tmp_path, "", manifest={"descripton": "x"})
    assert "'description'" in read_catalog([tmp_path, INCLUDE]).warnings[0].message


def test_two_blocks_of_one_identity_name_both_folders(tmp_path: Path) -> None:
    write_app(tmp_path / "one", "")
    write_app(tmp_path / "two", "")
    [problem] = read_catalog([tmp_path / "one", tmp_path / "two", INCLUDE]).problems
    assert "one" in problem.message
    assert "two" in str(problem.path)


def test_an_unknown_engine_gets_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="Did you mean 'rows'"):
        write_app(tmp_path, "", template={"partitioner": "row"})


def test_tags_match_the_highest_version() -> None:
    versions = ["1.2", "1.10", "2.0", "0.4.rev0", "0.4.1"]
    assert highest_match("x", versions) == "2.0"
    assert highest_match("x@1", versions) == "1.10"
    assert highest_match("x@1.2", versions) == "1.2"
    assert highest_match("x@3", versions) is None
    assert version_key("0.4.rev0") < version_key("0.4.1")


def test_a_copy_of_our_engines_is_no_contradiction(tmp_path: Path) -> None:
    shutil.copytree(INCLUDE / "engines", tmp_path / "engines")
    assert read_catalog([tmp_path]).problems == ()
    (tmp_path / "engines" / "partitioners" / "rows" / "app" / "main.py").write_text("changed = True\n")
    [problem] = read_catalog([tmp_path]).problems
    assert "rows" in problem.message
