"""Reading a template.json; an app without one gets passthrough on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.blocks.fields import Fields, read_object
from triptych.blocks.model import Block, Catalog, Problem, Role, Template
from triptych.blocks.versions import NAME
from triptych.errors import ManifestError

TEMPLATE_KEYS = {
    "id": "The DAG's id; default: the app's name, or the folder's. Also `name`.",
    "name": "The same as `id`.",
    "description": "One sentence; default: the app's.",
    "partitioner": "Its tag (`rows@1`); default `passthrough`.",
    "app": "Its tag; default: the app in the same folder.",
    "assembler": "Its tag; default `passthrough`.",
    "params": "Default parameters: objects `partitioner`, `app`, `assembler`.",
    "data_source": "Default source, for scheduled runs; may use the run's dates: `s3://bucket/{{ ds }}/*.csv`.",
    "data_destination": "Default destination; the same.",
    "config": "Defaults of the job spec's `config`.",
    "schedule": "Cron, a preset such as `@daily`, or a list of asset URIs.",
}


def read_template(
    path: Path, own: Block | None, catalog: Catalog
) -> tuple[Template | None, list[Problem], list[Problem]]:
    """The template in this file; `own` is the app in whose folder it lies and which it means by default."""
    data, problems = read_object(path)
    if problems:
        return None, problems, []
    fields = Fields(path, data)
    fields.only(TEMPLATE_KEYS)
    blocks = {role: block for role in Role if (block := _block(fields, role, own, catalog))}
    identity = fields.get("id", str) or fields.get("name", str) or (own.name if own else path.parent.name)
    if not NAME.fullmatch(identity):
        fields.fault("id", "must be 1 to 64 letters, digits, '-' or '_'.")
    params = fields.get("params", dict, {})
    for role in params.keys() - set(Role):
        fields.fault("params", f"{role!r} is none of {', '.join(Role)}.")
    values: dict[str, Any] = {
        "description": fields.get("description", str, own.description if own else ""),
        "params": {role: params.get(role) or {} for role in Role},
        "data_source": fields.get("data_source", (str, list, dict)),
        "data_destination": fields.get("data_destination", (str, dict)),
        "config": fields.get("config", dict, {}),
        "schedule": fields.get("schedule", (str, list)),
    }
    template = None if fields.problems else Template(id=identity, path=path, blocks=blocks, **values)
    return template, fields.problems, fields.warnings


def default_template(app: Block, catalog: Catalog) -> Template:
    """Passthrough, the app, passthrough; raises ManifestError where no passthrough is found."""
    return Template(
        id=app.name,
        description=app.description,
        blocks={role: catalog.find(role, "passthrough") if role.is_engine else app for role in Role},
        params={role: {} for role in Role},
        data_source=None,
        data_destination=None,
        config={},
        schedule=None,
        path=app.folder / "manifest.json",
    )


def _block(fields: Fields, role: Role, own: Block | None, catalog: Catalog) -> Block | None:
    default = "passthrough" if role.is_engine else None
    tag = fields.get(role, str, default)
    if tag is None and own is not None and own.role is Role.APP:
        return own
    if tag is None:
        fields.fault(role, "is missing: name the app's tag.")
        return None
    try:
        return catalog.find(role, tag)
    except ManifestError as error:
        fields.fault(role, str(error))
        return None
