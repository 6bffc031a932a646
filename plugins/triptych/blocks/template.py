"""Reading a template.json; an app without one gets passthrough on both sides."""

from __future__ import annotations

from pathlib import Path

from triptych.blocks.document import Document, read_document
from triptych.blocks.model import Block, Catalog, Diagnostic, Role, Template
from triptych.blocks.notices import read_notices
from triptych.blocks.run_names import name_errors
from triptych.blocks.versions import NAME
from triptych.errors import ManifestError
from triptych.schemas.descriptors import Side
from triptych.schemas.files import Kind
from triptych.schemas.locations import location_errors


def read_template(
    path: Path, own: Block | None, catalog: Catalog
) -> tuple[Template | None, list[Diagnostic], list[Diagnostic]]:
    """The template in this file; `own` is the app in whose folder it lies and which it means by default."""
    document = read_document(path, Kind.TEMPLATE)
    data = document.data
    if document.errors and not data:
        return None, document.errors, document.warnings
    blocks = {role: block for role in Role if (block := _block(document, role, own, catalog))}
    identity = data.get("id") or data.get("name") or (own.name if own else path.parent.name)
    if not NAME.fullmatch(str(identity)):
        document.error(
            f"the folder's name {identity!r} is no id: name one of 1 to 64 letters, digits, '-' or '_'.", "id"
        )
    _check_own_text(document)
    told = {key: read_notices(document, key) for key in ("on_success", "on_failure")}
    if document.errors:
        return None, document.errors, document.warnings
    params = data.get("params", {})
    template = Template(
        id=identity,
        description=data.get("description", own.description if own else ""),
        blocks=blocks,
        params={role: params.get(role) or {} for role in Role},
        data_source=data.get("data_source"),
        data_destination=data.get("data_destination"),
        config=data.get("config", {}),
        schedule=data.get("schedule"),
        path=path,
        keep_success_days=data.get("keep_success_days"),
        keep_failure_days=data.get("keep_failure_days"),
        connections=tuple(data.get("connections") or ()),
        inputs=data.get("inputs") or {},
        **told,
        owner=data.get("owner", "triptych"),
        tags=tuple(data.get("tags") or ()),
        pool=data.get("pool"),
        on_new_files=data.get("on_new_files"),
        max_active_runs=data.get("max_active_runs"),
        max_cores=data.get("max_cores"),
        max_chunks=data.get("max_chunks"),
    )
    return template, document.errors, document.warnings


def _check_own_text(document: Document) -> None:
    """Its locations, and the names of dates in them and in its parameters."""
    for key, side in (("data_source", Side.SOURCE), ("data_destination", Side.DESTINATION)):
        for path, text in location_errors(document.data.get(key), side):
            document.error(text, key, *path)
    inputs = document.data.get("inputs")
    for name, source in inputs.items() if isinstance(inputs, dict) else ():
        for path, text in location_errors(source, Side.INPUT):
            document.error(text, "inputs", name, *path)
    for key in ("data_source", "data_destination", "inputs", "params"):
        for path, text in name_errors(document.data.get(key)):
            document.error(text, key, *path)


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


def _block(document: Document, role: Role, own: Block | None, catalog: Catalog) -> Block | None:
    """The block that the template means for a role; None, and an error noted, when there is none."""
    tag = document.data.get(role, "passthrough" if role.is_engine else None)
    if tag is None and own is not None and own.role is Role.APP:
        return own
    if tag is None:
        document.error("is missing: name the app's tag.", role)
    if not isinstance(tag, str):
        return None  # The schema's own error says so.
    try:
        return catalog.find(role, tag)
    except ManifestError as error:
        document.error(str(error), role)
        return None
