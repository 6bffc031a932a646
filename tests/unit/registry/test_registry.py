"""Where a registry may be, what a template's file is completed with, and which engines may run inside workers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.blocks import Role, read_catalog
from triptych.errors import ConfigError, IntegrityError, ManifestError, StorageAccessError
from triptych.registry import Key, open_registry
from triptych.registry.pushing import checked_block, checked_template
from triptych.registry.records import from_bytes, key_of_path
from triptych.registry.resolving import Unit, index_bytes, read_index
from triptych.registry.units import unconsented
from triptych.settings import read_settings
from triptych.storage import Stores
from triptych.storage.walls import Walls

ENGINES = (Role.PARTITIONER, Role.ASSEMBLER)


@pytest.mark.parametrize("registry", ["file:///shared/ws", "file:///shared/ws/registry", "file:///shared"])
def test_a_registry_in_the_workspace_is_refused(registry: str) -> None:
    settings = read_settings({"workspace": "file:///shared/ws", "registry": registry})
    with pytest.raises(ConfigError, match="name a place apart from the workspace"):
        open_registry(settings, Stores(settings))


def test_without_a_registry_it_is_said_how_to_have_one() -> None:
    settings = read_settings({})
    with pytest.raises(ConfigError, match="AIRFLOW__TRIPTYCH__REGISTRY"):
        open_registry(settings, Stores(settings))


@pytest.mark.parametrize("uri", ["{root}/registry/tags/app/x/1.0.json", "{root}/registry/", "{root}/", "{root}/*/tags"])
def test_no_job_reads_or_writes_the_registry(tmp_path: Path, uri: str) -> None:
    root = tmp_path.as_uri()
    settings = read_settings({"allowed_roots": str(tmp_path), "registry": f"{root}/registry"})
    with pytest.raises(StorageAccessError, match="registry"):
        Stores(settings).open(uri.format(root=root))
    Stores(settings).open(f"{root}/other/")


@pytest.mark.parametrize("uri", ["s3://bucket/registry/contents/x", "s3://bucket/", "s3://bucket/reg*/tags/app"])
def test_nor_one_in_an_object_store(uri: str) -> None:
    walls = Walls(read_settings({"workspace": "file:///ws", "registry": "s3://bucket/registry"}))
    with pytest.raises(StorageAccessError, match="registry"):
        walls.check(uri)
    walls.check("s3://bucket/data/x")


@pytest.mark.parametrize(
    "path",
    ["app/x.json", "app/x/1.0", "app/../1.0.json", "app/x/y/1.0.json", "judge/x/1.0.json", "template/a/b.json", ""],
)
def test_what_is_no_records_name_is_none(path: str) -> None:
    assert key_of_path(path) is None


@pytest.mark.parametrize("key", [Key(Role.APP, "a-b", "1.0"), Key(Role.ASSEMBLER, "x", "0.4.rev0"), Key(None, "daily")])
def test_a_record_has_its_keys_name(key: Key) -> None:
    assert key_of_path(key.path) == key


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[" * 100_000, b'{"content": {"sha256": "x"}, "active": null}'])
def test_a_record_that_is_none_is_told(data: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"The registry's record of app a@1\.0 is none"):
        from_bytes(Key(Role.APP, "a", "1.0"), data)


def test_an_index_is_that_of_its_version() -> None:
    index = {"daily": Unit("0" * 64, {"app": "1" * 64}), "odd": Unit(reasons=("It is off.",))}
    data = index_bytes(index)
    version = hashlib.sha256(data).hexdigest()
    assert read_index(data, version) == index
    with pytest.raises(IntegrityError):
        read_index(data + b" ", version)
    for bad in (b"[]", b'{"../x": {"template": "", "blocks": {}, "reasons": []}}', b'{"a": {"blocks": {}}}'):
        with pytest.raises(IntegrityError):
            read_index(bad, hashlib.sha256(bad).hexdigest())


def test_what_a_templates_file_leaves_out_the_manifest_beside_it_says(tmp_path: Path) -> None:
    write_app(tmp_path, "pass", name="count", template={"partitioner": "rows"})
    made = checked_template(tmp_path / "apps" / "count" / "template.json", tmp_path)
    data = json.loads(made.path.read_text())
    assert (made.id, data["id"], data["app"], data["partitioner"]) == ("count", "count", "count", "rows")
    (tmp_path / "alone.json").write_text('{"app": "count"}')
    with pytest.raises(ManifestError, match=r"alone\.json: \$\.id: is missing"):
        checked_template(tmp_path / "alone.json", tmp_path)


def test_a_block_is_checked_before_it_is_pushed(tmp_path: Path) -> None:
    folder = write_app(tmp_path, "def broken(:", name="count").app.folder
    with pytest.raises(ManifestError, match="`triptych app push` publishes it"):
        checked_block(folder, ENGINES)
    (rows,) = (block for block in read_catalog(()).blocks if block.name == "rows")
    with pytest.raises(ManifestError, match=r"comes with Triptych: give yours another name"):
        checked_block(rows.folder, ENGINES)
    with pytest.raises(ManifestError, match=r"nowhere/manifest\.json"):
        checked_block(tmp_path / "nowhere", ENGINES)


@pytest.mark.parametrize(
    ("consented", "is_refused"), [((), True), (("other",), True), (("mine",), False), (("mine@1.0",), False)]
)
def test_an_engine_of_python_needs_an_operators_word(
    tmp_path: Path, consented: tuple[str, ...], is_refused: bool
) -> None:
    folder = tmp_path / "engines" / "mine"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "main.py").write_text("def assemble(results, output, params): ...")
    about = {"name": "mine", "version": "1.0", "type": "assembler", "platform": "python"}
    (folder / "manifest.json").write_text(json.dumps(about))
    template = write_app(tmp_path, "pass", template={"partitioner": "rows", "assembler": "mine"})
    assert bool(unconsented(template, consented)) is is_refused
