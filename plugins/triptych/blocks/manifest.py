"""Reading a manifest.json and the schema.json beside it into a Block."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from triptych.blocks.document import Document, read_document
from triptych.blocks.gpus import is_gpu_id
from triptych.blocks.json_file import read_object
from triptych.blocks.model import Block, Diagnostic, Isolation, Platform, Role
from triptych.schemas.diagnostics import cut
from triptych.schemas.files import Kind

_HOST = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:(?:{_HOST}(?:\.{_HOST})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?"
)
_MOST_IMAGE = 255
"""Characters of an image's name; the expression above is matched against no more than twice as many."""
_SHOWN = 200
"""Characters of an entrypoint in a message."""


def read_block(path: Path) -> tuple[Block | None, list[Diagnostic], list[Diagnostic]]:
    """The block of this manifest (None when something is wrong with it), all its errors, and its warnings."""
    document = read_document(path, Kind.MANIFEST, _completed)
    schema = _parameters(document)
    if document.data:
        _check_entrypoint(document)
        _check_image(document)
        _check_gpus(document)
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
        optional_secrets=tuple(platform.get("optional_secrets", ())),
        network=platform.get("network"),
        force_pull=platform.get("force_pull", False),
        min_cpu=device.get("min_cpu"),
        min_memory_gib=device.get("min_memory"),
        gpu=(gpu,) if isinstance(gpu, str) else tuple(gpu) if isinstance(gpu, list) else _whole(gpu),
        retries=_whole(data.get("retries")),
        task_timeout_s=_whole(data.get("task_timeout")),
        cacheable=data.get("cacheable", False),
        chunks_per_task=_whole(data.get("chunks_per_task")),
        parallel=_whole(data.get("parallel")) or 1,
        isolation=Isolation(data.get("isolation", Isolation.PACK)),
        writable_root=data.get("writable_root", False),
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
    try:
        target = (code / entrypoint).resolve(strict=True)
        is_inside, is_file = target.is_relative_to(code.resolve()), target.is_file()
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead round in a circle.
        is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        is_inside, is_file = _leads_inside(entrypoint), False
        reason = "does not exist; write it, or name the right file" if is_missing else f"cannot be read: {_why(error)}"
    else:
        reason = "is no file; name the script"
    if not is_inside:
        document.error(f"{cut(entrypoint, _SHOWN)!r} leads out of {code}; name a file inside it.", "entrypoint")
    elif not is_file:
        document.error(f"{code / cut(entrypoint, _SHOWN)} {reason}.", "entrypoint")


def _check_image(document: Document) -> None:
    """By the grammar of the distribution project, as Docker reads a reference."""
    platform = document.data["platform_config"]
    image = platform.get("container") if isinstance(platform, dict) else None
    if not isinstance(image, str) or not image:
        return  # The schema's own error says so.
    name = image.partition("@")[0]
    if len(name) > _MOST_IMAGE or len(image) > 2 * _MOST_IMAGE or not _IMAGE.fullmatch(image):
        shown = cut(image, _SHOWN)
        message = f"{shown!r} is no image reference: [registry/]name[:tag][@sha256:digits], the name in small letters."
        document.error(message, "platform_config", "container")


def _check_gpus(document: Document) -> None:
    """Of ids all are given, of products' names any one: a list of both would say neither."""
    device = document.data["device_requirements"]
    asked = device.get("gpu") if isinstance(device, dict) else None
    if not isinstance(asked, list) or not all(isinstance(each, str) for each in asked):
        return  # The schema's own error says so.
    if len({is_gpu_id(each) for each in asked}) > 1:
        message = (
            "has ids of devices and names of products: give ids, which it gets all, or names, of which any will do."
        )
        document.error(message, "device_requirements", "gpu")


def _leads_inside(entrypoint: str) -> bool:
    """By its text alone, where nothing is there to be followed."""
    return Path(os.path.normpath(Path("app", entrypoint))).parts[:1] == ("app",)


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _parameters(document: Document) -> dict[str, Any]:
    """What schema.json beside the manifest says of the parameters; any object where there is none."""
    path = document.path.parent / "schema.json"
    if not os.path.lexists(path):
        return {"type": "object"}
    schema, errors = read_object(path)
    document.errors += errors
    if not errors and schema.get("type", "object") != "object":
        document.errors.append(Diagnostic(path, "$.type", "must be 'object': parameters have names."))
    return {"type": "object", **schema}
