"""Reading manifests and templates: what is broken is told, and hides nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Role, read_catalog
from triptych.blocks.check import check_pairs
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
        (_manifest(name="tried\n"), "$.name", "letters"),
        (_manifest(platform_config={}), "$.platform_config.container", "is missing"),
        (_manifest(platformConfig={"container": "x", "registryPassword": "p"}), "registryPassword", "connections add"),
        (_manifest(entrypoint="../../x"), "$.entrypoint", "leads out"),
        (_manifest(deviceRequirements={"minCpu": -1}), "$.deviceRequirements.minCpu", "above 0"),
        (_manifest(type="ap"), "$.type", "must be one of"),
        (_manifest(platform="python"), "$.type", "is for engines"),
        (_manifest(Version=1), "$.Version", "major.minor"),
        (
            _manifest(platform_config={"container": "x", "secrets": "abc"}),
            "$.platform_config.secrets",
            "connection ids",
        ),
        (_manifest(retries=True), "$.retries", "must be a whole number, and is true"),
        (json.dumps({"version": "1.0", "platform_config": {"container": "x"}}), "$.name", "is missing. Letters"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, place: str, message: str) -> None:
    write_app(tmp_path, "")
    _break(tmp_path, text)
    catalog = read_catalog([tmp_path, INCLUDE])
    assert any(place in error.location and message in error.message for error in catalog.errors)
    assert catalog.template("wordcount").app.name == "wordcount"


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    write_app(tmp_path, "")
    _break(tmp_path, json.dumps({"id": "a b", "version": "x", "retries": "many"}))
    places = {error.location for error in read_catalog([tmp_path, INCLUDE]).errors}
    assert {"$.id", "$.version", "$.retries", "$.platform_config.container"} <= places


def test_an_unknown_key_is_a_warning_with_a_suggestion(tmp_path: Path) -> None:
    write_app(tmp_path, "", manifest={"descripton": "x"})
    assert "'description'" in read_catalog([tmp_path, INCLUDE]).warnings[0].message


def test_keys_may_be_written_in_every_spelling(tmp_path: Path) -> None:
    written = {
        "$schema": "../../schemas/manifest.schema.json",
        "Id": "tried",
        "Version": 1.0,
        "platformConfig": {"Container": "x", "forcePull": True, "dockerConnId": "mine"},
        "Device_Requirements": {"minCpu": 0.5, "min_memory": 2.0, "gpu": "NVIDIA L4"},
        "taskTimeout": 60.0,
        "retries": None,
    }
    write_app(tmp_path, "")
    _break(tmp_path, json.dumps(written))
    catalog = read_catalog([tmp_path])
    assert (catalog.errors, catalog.warnings) == ((), ())
    block = catalog.find(Role.APP, "tried")
    assert (block.version, block.image, block.force_pull, block.docker_conn_id) == ("1.0", "x", True, "mine")
    assert (block.min_cpu, block.min_memory_gib, block.gpu, block.task_timeout_s) == (0.5, 2.0, ("NVIDIA L4",), 60)
    assert block.retries is None


@pytest.mark.parametrize(
    ("where", "key"),
    [("top", "password"), ("top", "apiKey"), ("platform_config", "registry_token"), ("platform_config", "AccessKey")],
)
def test_a_credential_is_refused_and_never_shown(tmp_path: Path, where: str, key: str) -> None:
    write_app(tmp_path, "")
    secret = {key: "hunter2"}
    _break(tmp_path, _manifest(**secret) if where == "top" else _manifest(platform_config={"container": "x", **secret}))
    (error,) = read_catalog([tmp_path]).errors
    assert error.location.endswith(key)
    assert "airflow connections add" in error.message
    assert "hunter2" not in str(error)


def test_a_secret_written_for_its_id_is_not_shown(tmp_path: Path) -> None:
    write_app(tmp_path, "")
    _break(tmp_path, _manifest(platform_config={"container": "x", "secrets": ["sk-hunter2!"]}))
    (error,) = read_catalog([tmp_path]).errors
    assert error.location == "$.platform_config.secrets.0"
    assert "hunter2" not in error.message


@pytest.mark.parametrize(
    ("template", "location", "message"),
    [
        ({"config": {"taskTimout": 1}}, "$.config.taskTimout", "Did you mean 'taskTimeout'"),
        ({"config": {"taskTimeout": 0}}, "$.config.taskTimeout", "at least 1"),
        ({"params": {"ap": {}}}, "$.params.ap", "Did you mean 'app'"),
        ({"dataSource": {"url": "s3://a"}}, "$.dataSource.url", "Did you mean 'uri'"),
        ({"id": "a b"}, "$.id", "64 letters"),
        ({"assembler": 5}, "$.assembler", "must be text"),
        ({"schedule": {}}, "$.schedule", "must be text or a list"),
    ],
)
def test_a_template_is_judged_while_it_is_read(
    tmp_path: Path, template: dict[str, Any], location: str, message: str
) -> None:
    write_app(tmp_path, "")
    (tmp_path / "apps" / "tried" / "template.json").write_text(json.dumps(template))
    errors = read_catalog([tmp_path]).errors
    assert any(error.location == location and message in error.message for error in errors), errors


def test_a_pair_that_does_not_fit_is_warned_of(tmp_path: Path) -> None:
    write_app(tmp_path, "", name="odd", template={"partitioner": "rows", "assembler": "mosaic"})
    write_app(tmp_path, "", name="fits", template={"partitioner": "image_tiles", "assembler": "mosaic"})
    write_app(tmp_path, "", name="pattern", template={"partitioner": "audio_silence", "assembler": "audio_concat"})
    write_app(tmp_path, "", name="any", template={"partitioner": "rows", "assembler": "zip"})
    (warning,) = check_pairs(read_catalog([tmp_path]))
    assert warning.path.parent.name == "odd"
    assert warning.location == "$.assembler"
    assert "image_tiles" in warning.message
    assert "rows@1.0" in warning.message


def test_every_assembler_names_partitioners_that_exist() -> None:
    blocks = read_catalog([INCLUDE]).blocks
    partitioners = [block for block in blocks if block.role is Role.PARTITIONER]
    naming = [block for block in blocks if block.joins_with is not None]
    assert {"mosaic", "audio_concat", "video_concat", "vote"} <= {block.name for block in naming}
    for block in naming:
        assert block.role is Role.ASSEMBLER
        assert any(block.joins(partitioner) for partitioner in partitioners), block.tag


def test_two_blocks_of_one_identity_name_both_folders(tmp_path: Path) -> None:
    write_app(tmp_path / "one", "")
    write_app(tmp_path / "two", "")
    [error] = read_catalog([tmp_path / "one", tmp_path / "two", INCLUDE]).errors
    assert "one" in error.message
    assert "two" in str(error.path)


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
    assert read_catalog([tmp_path]).errors == ()
    (tmp_path / "engines" / "partitioners" / "rows" / "app" / "main.py").write_text("changed = True\n")
    [error] = read_catalog([tmp_path]).errors
    assert "rows" in error.message
