"""Finding every block and template below the include folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from triptych.blocks.broken import by_id
from triptych.blocks.digest import code_digest
from triptych.blocks.manifest import read_block
from triptych.blocks.model import Block, Catalog, Diagnostic, Role, Template
from triptych.blocks.template import default_template, read_template
from triptych.errors import ManifestError

_PACKAGE = Path(__file__).resolve().parents[1]
BUILT_IN = next(
    (folder for folder in (_PACKAGE / "include", _PACKAGE.parents[1] / "include") if folder.is_dir()),
    _PACKAGE / "include",
)
"""Our own include folder: inside the package when it is installed, beside `plugins` in a checkout."""


def read_catalog(include: Sequence[Path], only: str | None = None, built_in: Sequence[Block] | None = None) -> Catalog:
    """Everything below `apps/` and `engines/` of each folder, at any depth, and the engines that come with Triptych.

    With `only`, just that template is built. One broken block never hides another. `built_in` are the engines that come
    with Triptych, where they were read before.
    """
    blocks: list[Block] = list(built_in or ())
    errors: list[Diagnostic] = []
    warnings: list[Diagnostic] = []
    templates: list[Path] = []
    manifests = [*_files(include, ("apps", "engines"), "manifest.json", errors)]
    if BUILT_IN not in include and built_in is None:
        manifests += _files([BUILT_IN], ("engines",), "manifest.json", errors)
    for manifest in manifests:
        block, found, odd = read_block(manifest)
        errors += found
        warnings += odd
        if block:
            blocks.append(block)
    blocks = _without_twins(blocks, errors)
    # What below `apps` cannot be read was told above.
    templates = [
        *_files(include, ("apps",), "template.json", []),
        *_files(include, ("templates",), "template.json", errors),
    ]
    catalog = Catalog(tuple(blocks), (), tuple(errors), tuple(warnings))
    return _with_templates(catalog, templates, only)


def _with_templates(catalog: Catalog, paths: Sequence[Path], only: str | None) -> Catalog:
    made: dict[str, Template] = {}
    errors, warnings = list(catalog.errors), list(catalog.warnings)
    beside = {path.parent for path in paths}
    in_folder = {block.folder: block for block in catalog.blocks}
    for path in paths:
        own = in_folder.get(path.parent)
        if own is None and os.path.lexists(path.parent / "manifest.json"):
            continue  # What is wrong with the manifest says why.
        template, found, odd = read_template(path, own, catalog)
        warnings += odd
        if template and template.id in made:
            found.append(Diagnostic(path, "$.id", f"{template.id!r} is the id of {made[template.id].path} too."))
        elif template:
            made[template.id] = template
        errors += found
    for app in catalog.blocks:
        if app.role is Role.APP and app.folder not in beside:
            try:
                template = default_template(app, catalog)
            except ManifestError as error:
                errors += [Diagnostic(app.folder / "manifest.json", "$", line) for line in error.diagnostics]
                continue
            # Of several versions of one app the highest has the plain name.
            key = template.id if template.id not in made else f"{app.name}-{app.version}"
            made[key] = template
    chosen = [template for template in made.values() if only in (None, template.id, template.app.name)]
    broken = by_id(errors, {template.id for template in made.values()})
    return Catalog(catalog.blocks, tuple(chosen), tuple(errors), tuple(warnings), broken)


def _without_twins(blocks: Sequence[Block], errors: list[Diagnostic]) -> list[Block]:
    first: dict[tuple[Role, str, str], Block] = {}
    for block in blocks:
        twin = first.setdefault((block.role, block.name, block.version), block)
        # Our own engines come last; an unchanged copy of one in a user's include folder is no contradiction.
        is_copy = twin is not block and block.folder.is_relative_to(BUILT_IN) and _same_code(twin, block)
        if twin is not block and not is_copy:
            message = f"{block.role} {block.tag} is in {twin.folder} too. Raise one's version or rename it."
            errors.append(Diagnostic(block.folder / "manifest.json", "$.name", message))
    order = list(Role)
    return sorted(first.values(), key=lambda block: (order.index(block.role), block.name, block.version))


def _same_code(one: Block, other: Block) -> bool:
    try:
        return code_digest(one) == code_digest(other)
    except OSError:
        return False  # What cannot be read is no copy that we know.


def _files(include: Sequence[Path], rooms: Sequence[str], name: str, errors: list[Diagnostic]) -> Iterator[Path]:
    """The files of that name, in order of path; folders that cannot be read are noted in `errors`."""

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            errors.append(Diagnostic(Path(error.filename, name), "$", f"cannot be looked for: {error.strerror}."))

    for folder in include:
        for room in rooms:
            for parent, folders, files in os.walk(folder / room, onerror=note):
                folders[:] = sorted(f for f in folders if f not in ("app", "test") and not f.startswith("."))
                if name in files:
                    yield Path(parent, name)
