"""Reading a manifest.json and the schema.json beside it into a Block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.blocks.fields import Fields, read_object
from triptych.blocks.model import Block, Platform, Problem, Role
from triptych.blocks.versions import NAME, VERSION

MANIFEST_KEYS = {
    "name": "Letters, digits, `-`, `_`; at most 64; never changes. Also `id`.",
    "id": "The same as `name`.",
    "version": "`major.minor`, optionally more: `0.4.rev0`. Several versions of one name live side by side.",
    "type": "`app` (default), `partitioner` or `assembler`.",
    "description": "One sentence, for lists and the UI.",
    "entrypoint": "The script below `app/`; default `main.py`. Extension or shebang picks the interpreter.",
    "platform": "`docker` (default); `python` for engines that run in the worker.",
    "platform_config": "Where the script runs; see below.",
    "device_requirements": "What it may use; see below.",
    "retries": "Tries after the first; default: the setting `retries`.",
    "task_timeout": "Seconds one chunk may run; no limit when missing.",
    "cacheable": "Whether equal input and parameters give an equal result; kept for later versions.",
    "chunks_per_task": "Chunks that one task runs in one container; `auto` when missing.",
}
PLATFORM_KEYS = {
    "container": "The image.",
    "docker_conn_id": "Airflow connection of type `docker`, for a private registry.",
    "secrets": "Ids of Airflow connections that the script gets as environment variables.",
    "network": "The container's network; default: the setting `network`.",
    "force_pull": "Ask the registry each time, even when the image is here.",
}
DEVICE_KEYS = {
    "min_cpu": "Cores, may be fractional: a hard limit, and the slots that a task takes in its pool.",
    "min_memory": "GiB: a hard limit, swap included.",
    "gpu": "A count, or a list of device ids.",
}
_CREDENTIALS = (
    "password",
    "token",
    "registry_password",
    "registry_token",
    "secret_key",
    "access_key",
    "api_key",
)


def read_block(path: Path) -> tuple[Block | None, list[Problem], list[Problem]]:
    """The block of this manifest (None when it has a fault), all its problems, and its warnings."""
    data, problems = read_object(path)
    if problems:
        return None, problems, []
    top = Fields(path, data)
    platform = top.fields("platform_config")
    device = top.fields("device_requirements")
    top.only((*MANIFEST_KEYS, *_CREDENTIALS))
    platform.only((*PLATFORM_KEYS, *_CREDENTIALS))
    device.only(DEVICE_KEYS)
    _refuse_credentials(top)
    _refuse_credentials(platform)
    values: dict[str, Any] = {
        **_identity(top),
        **_platform(top, platform),
        **_resources(device),
        "description": top.get("description", str, ""),
        "entrypoint": _entrypoint(top, path.parent),
        "retries": top.get("retries", int),
        "task_timeout_s": top.number("task_timeout", whole=True),
        "cacheable": top.get("cacheable", bool, False),
        "chunks_per_task": top.number("chunks_per_task", whole=True),
        "schema": _schema(top, path.parent / "schema.json"),
    }
    top.merge(platform)
    top.merge(device)
    block = None if top.problems else Block(folder=path.parent, **values)
    return block, top.problems, top.warnings


def _identity(top: Fields) -> dict[str, Any]:
    key = "name" if "name" in top.keys() else "id"  # noqa: SIM118  # a method of ours, not a dict's
    name, version = top.get(key, str, ""), top.get("version", (str, int, float), "")
    if not NAME.fullmatch(name):
        top.fault(key, "must be 1 to 64 letters, digits, '-' or '_'.")
    if not VERSION.fullmatch(str(version)):
        top.fault("version", f'is {version!r}, and must be major.minor, such as "1.0".')
    role = _role(top)
    if role is None:
        top.fault("type", f"is {top.get('type', str)!r}, and must be one of {', '.join(Role)}.")
    return {"role": role, "name": name, "version": str(version)}


def _role(top: Fields) -> Role | None:
    """The manifest's `type`; None where it is none of them."""
    text = top.get("type", str, Role.APP)
    return Role(text) if text in tuple(Role) else None


def _platform(top: Fields, platform: Fields) -> dict[str, Any]:
    name = top.get("platform", str, Platform.DOCKER)
    if name not in tuple(Platform):
        top.fault("platform", f"is {name!r}, and must be 'docker' or 'python'.")
    elif name == Platform.PYTHON and _role(top) is Role.APP:
        top.fault("platform", "'python' is for engines; an app runs in a container: use 'docker'.")
    image = platform.get("container", str)
    if name == Platform.DOCKER and not image:
        platform.fault("container", 'is missing: name the image, such as "python:3.11-slim".')
    secrets = platform.get("secrets", list, [])
    if not all(isinstance(secret, str) and NAME.fullmatch(secret) for secret in secrets):
        platform.fault("secrets", "must be a list of Airflow connection ids, never the secrets themselves.")
        secrets = []
    return {
        "platform": Platform(name) if name in tuple(Platform) else None,
        "image": image,
        "docker_conn_id": platform.get("docker_conn_id", str),
        "secrets": tuple(secrets),
        "network": platform.get("network", str),
        "force_pull": platform.get("force_pull", bool, False),
    }


def _resources(device: Fields) -> dict[str, Any]:
    gpu = device.get("gpu", (int, list, str))
    if isinstance(gpu, str):
        gpu = (gpu,)
    return {
        "min_cpu": device.number("min_cpu"),
        "min_memory_gib": device.number("min_memory"),
        "gpu": tuple(gpu) if isinstance(gpu, list) else gpu,
    }


def _entrypoint(top: Fields, folder: Path) -> str:
    entrypoint: str = top.get("entrypoint", str, "main.py")
    code = (folder / "app").resolve()
    target = (code / entrypoint).resolve()
    if not target.is_relative_to(code):
        top.fault("entrypoint", f"{entrypoint!r} leads out of {folder / 'app'}; name a file inside it.")
    elif not target.is_file():
        top.fault("entrypoint", f"{folder / 'app' / entrypoint} does not exist; write it, or name the right file.")
    return entrypoint


def _refuse_credentials(fields: Fields) -> None:
    for key in _CREDENTIALS:
        if key in fields.keys():  # noqa: SIM118  # a method of ours, not a dict's
            fields.fault(
                key,
                "credentials do not belong in a manifest. Remove it (and change it: it was in a file), then "
                "`airflow connections add my_registry --conn-type docker --conn-host HOST --conn-login USER "
                "--conn-password ...` and name that as docker_conn_id or in secrets.",
            )


def _schema(top: Fields, path: Path) -> Any:
    if not path.exists():
        return {"type": "object"}
    schema, problems = read_object(path)
    top.problems += problems
    if not problems and schema.get("type", "object") != "object":
        top.problems.append(Problem(path, "$.type", "must be 'object': parameters have names."))
    return {"type": "object", **schema}
