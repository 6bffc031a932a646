"""Reading a manifest.json and the schema.json beside it into a Block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.blocks.document import Document, read_document, read_object
from triptych.blocks.model import Block, Diagnostic, Platform, Role
from triptych.schemas.files import Kind


def read_block(path: Path) -> tuple[Block | None, list[Diagnostic], list[Diagnostic]]:
    """The block of this manifest (None when something is wrong with it), all its errors, and its warnings."""
    document = read_document(path, Kind.MANIFEST, _completed)
    schema = _parameters(document)
    if document.data:
        _check_entrypoint(document)
    block = None if document.errors else _block(document.data, path.parent, schema)
    return block, document.errors, document.warnings


def _completed(data: dict[str, Any]) -> dict[str, Any]:
    """With what a manifest may leave out, and with a version that was written as a number (1.0) as text."""
    version = data.get("version")
    if isinstance(version, int | float) and not isinstance(version, bool):
        data = {**data, "version": str(version)}
    return {"type": Role.APP.value, "platform_config": {}, "device_requirements": {}, **data}


def _block(data: dict[str, Any], folder: Path, schema: dict[str, Any]) -> Block:
    """The block of data that the manifest's schema accepts."""
    platform, device = data["platform_config"], data["device_requirements"]
    gpu = device.get("gpu")
    return Block(
        role=Role(data["type"]),
        name=data.get("name") or data["id"],
        version=data["version"],
        folder=folder,
        description=data.get("description", ""),
        entrypoint=_entrypoint(data),
        platform=Platform(data.get("platform", Platform.DOCKER)),
        image=platform.get("container"),
        docker_conn_id=platform.get("docker_conn_id"),
        secrets=tuple(platform.get("secrets", ())),
        network=platform.get("network"),
        force_pull=platform.get("force_pull", False),
        min_cpu=device.get("min_cpu"),
        min_memory_gib=device.get("min_memory"),
        gpu=(gpu,) if isinstance(gpu, str) else tuple(gpu) if isinstance(gpu, list) else _whole(gpu),
        retries=_whole(data.get("retries")),
        task_timeout_s=_whole(data.get("task_timeout")),
        cacheable=data.get("cacheable", False),
        chunks_per_task=_whole(data.get("chunks_per_task")),
        joins_with=tuple(data["joins_with"]) if "joins_with" in data else None,
        needs_source=data.get("needs_source", False),
        schema=schema,
    )


def _whole(number: float | None) -> int | None:
    """JSON Schema takes 2.0 for a whole number, too."""
    return None if number is None else int(number)


def _entrypoint(data: dict[str, Any]) -> Any:
    return data.get("entrypoint", "main.py")


def _check_entrypoint(document: Document) -> None:
    """The script must be a file below `app/`."""
    entrypoint = _entrypoint(document.data)
    if not isinstance(entrypoint, str):
        return  # The schema's own error says so.
    code = document.path.parent / "app"
    target = (code / entrypoint).resolve()
    if not target.is_relative_to(code.resolve()):
        document.error(f"{entrypoint!r} leads out of {code}; name a file inside it.", "entrypoint")
    elif not target.is_file():
        document.error(f"{code / entrypoint} does not exist; write it, or name the right file.", "entrypoint")


def _parameters(document: Document) -> dict[str, Any]:
    """What schema.json beside the manifest says of the parameters; any object where there is none."""
    path = document.path.parent / "schema.json"
    if not path.exists():
        return {"type": "object"}
    schema, errors = read_object(path)
    document.errors += errors
    if not errors and schema.get("type", "object") != "object":
        document.errors.append(Diagnostic(path, "$.type", "must be 'object': parameters have names."))
    return {"type": "object", **schema}
