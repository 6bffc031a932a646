"""Reading a template.json; an app without one gets passthrough on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.blocks.fields import Fields, read_object
from triptych.blocks.model import KINDS, Block, Catalog, Problem, Template
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
    blocks = {kind: _block(fields, kind, own, catalog) for kind in KINDS}
    identity = fields.get("id", str) or fields.get("name", str) or (own.name if own else path.parent.name)
    if not NAME.fullmatch(identity):
        fields.fault("id", "must be 1 to 64 letters, digits, '-' or '_'.")
    params = fields.get("params", dict, {})
    for role in params.keys() - set(KINDS):
        fields.fault("params", f"{role!r} is none of {', '.join(KINDS)}.")
    values: dict[str, Any] = {
        "description": fields.get("description", str, own.description if own else ""),
        "params": {kind: params.get(kind) or {} for kind in KINDS},
        "data_source": fields.get("data_source", (str, list, dict)),
        "data_destination": fields.get("data_destination", (str, dict)),
        "config": fields.get("config", dict, {}),
        "schedule": fields.get("schedule", (str, list)),
    }
    template = None if fields.problems else Template(id=identity, path=path, **blocks, **values)  # type: ignore[arg-type]  # no problem: no block is None
    return template, fields.problems, fields.warnings


def default_template(app: Block, catalog: Catalog) -> Template:
    """Passthrough, the app, passthrough; raises ManifestError where no passthrough is found."""
    return Template(
        id=app.name,
        description=app.description,
        partitioner=catalog.find("partitioner", "passthrough"),
        app=app,
        assembler=catalog.find("assembler", "passthrough"),
        params={kind: {} for kind in KINDS},
        data_source=None,
        data_destination=None,
        config={},
        schedule=None,
        path=app.folder / "manifest.json",
    )


def _block(fields: Fields, kind: str, own: Block | None, catalog: Catalog) -> Block | None:
    default = None if kind == "app" else "passthrough"
    tag = fields.get(kind, str, default)
    if tag is None and own is not None and own.kind == "app":
        return own
    if tag is None:
        fields.fault(kind, "is missing: name the app's tag.")
        return None
    try:
        return catalog.find(kind, tag)
    except ManifestError as error:
        fields.fault(kind, str(error))
        return None
