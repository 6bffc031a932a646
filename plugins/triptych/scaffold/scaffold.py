"""New building blocks: folders of a few short files that run as they are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from triptych.blocks import Platform, Role
from triptych.blocks.versions import NAME
from triptych.errors import ManifestError
from triptych.schemas.files import FOLDER as SCHEMAS
from triptych.schemas.files import Kind

_SAMPLES = Path(__file__).parent / "files"


class Language(StrEnum):
    """What a new app's script is written in."""

    PYTHON = "python"
    SHELL = "shell"


def new_app(include: Path, name: str, language: Language, image: str) -> Path:
    """`<include>/apps/<name>`, with a template that cuts text by lines; ManifestError when the folder exists."""
    script = {Language.PYTHON: "main.py", Language.SHELL: "main.sh"}[language]
    folder = include / "apps" / name
    manifest = {
        "$schema": _schema_link(include, folder, Kind.MANIFEST),
        "name": name,
        "version": "1.0",
        "type": "app",
        "description": f"What {name} does, in one sentence.",
        "entrypoint": script,
        "platform_config": {"container": image},
        "device_requirements": {"min_cpu": 1, "min_memory": 0.5},
        "task_timeout": 600,
    }
    template = {
        "$schema": _schema_link(include, folder, Kind.TEMPLATE),
        "id": name,
        "partitioner": "rows@1",
        "app": f"{name}@1",
        "assembler": "concat@1",
        "params": {"partitioner": {"format": "lines", "items_per_chunk": 2}},
    }
    files = {
        "manifest.json": _json(manifest),
        "schema.json": _sample("app.schema.json"),
        "template.json": _json(template),
        f"app/{script}": _sample(f"app.{script}"),
        "test/sample.txt": _sample("sample.txt"),
        "test/expected/output.txt": _sample(f"app.{language}.expected.txt"),
    }
    return _write(include, folder, name, files)


def new_engine(include: Path, name: str, role: Role, platform: Platform) -> Path:
    """`<include>/engines/<role>s/<name>`; ManifestError when the folder exists."""
    folder = include / "engines" / f"{role.value}s" / name
    manifest: dict[str, Any] = {
        "$schema": _schema_link(include, folder, Kind.MANIFEST),
        "name": name,
        "version": "1.0",
        "type": role.value,
        "description": f"What {name} does, in one sentence.",
        "platform": platform.value,
        **({"needs_source": True} if role is Role.PARTITIONER else {}),
    }
    if platform is Platform.DOCKER:
        manifest["platform_config"] = {"container": "python:3.11-slim"}
    files = {
        "manifest.json": _json(manifest),
        "schema.json": _sample(f"{role.value}.schema.json"),
        "app/main.py": _sample(f"{role.value}.{platform.value}.py"),
    }
    return _write(include, folder, name, files)


def new_template(include: Path, name: str, tags: Mapping[Role, str], schedule: str | None) -> Path:
    """`<include>/templates/<name>/template.json`; ManifestError when it exists."""
    folder = include / "templates" / name
    template = {
        "$schema": _schema_link(include, folder, Kind.TEMPLATE),
        "id": name,
        "description": "",
        **{role.value: tag for role, tag in tags.items()},
        "params": {},
    }
    if schedule:
        template["schedule"] = schedule
    return _write(include, folder, name, {"template.json": _json(template)})


def write_schemas(include: Path) -> None:
    """Lay the schemas of our files into `<include>/schemas`, where `$schema` finds them; up to date ones stay."""
    (include / "schemas").mkdir(parents=True, exist_ok=True)
    for kind in Kind:
        ours, theirs = SCHEMAS / kind.file_name, include / "schemas" / kind.file_name
        if not theirs.exists() or theirs.read_bytes() != ours.read_bytes():
            theirs.unlink(missing_ok=True)  # It may be a link to another version's.
            theirs.write_bytes(ours.read_bytes())


def _schema_link(include: Path, folder: Path, kind: Kind) -> str:
    """What `$schema` says in a file of this folder: a relative path, which holds on every machine and without a net."""
    return Path(os.path.relpath(include / "schemas" / kind.file_name, folder)).as_posix()


def _write(include: Path, folder: Path, name: str, files: Mapping[str, str]) -> Path:
    if not NAME.fullmatch(name):
        msg = f"{name!r} is no name for a block: use 1 to 64 letters, digits, '-' or '_'."
        raise ManifestError(msg)
    if folder.exists():
        msg = f"{folder} exists already. Choose another name, or remove that folder."
        raise ManifestError(msg)
    write_schemas(include)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def _sample(name: str) -> str:
    return (_SAMPLES / name).read_text(encoding="utf-8")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
