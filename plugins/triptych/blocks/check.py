"""What reading at parse time leaves out: schemas that are no schemas, defaults that break their own rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from triptych.blocks.model import Block, Catalog, Problem, Role, Template
from triptych.schemas.faults import draft_of, placed_faults


def check_blocks(catalog: Catalog) -> list[Problem]:
    """Every fault of the catalog: those found while reading, then those of schemas and default parameters."""
    deep = [fault for block in catalog.blocks for fault in check_schema(block)]
    own = [fault for template in catalog.templates for role in Role for fault in _check_params(template, role)]
    return [*catalog.problems, *deep, *own]


def check_schema(block: Block) -> Iterator[Problem]:
    """Whether `schema.json` is a JSON Schema of its draft and its defaults hold against it."""
    from jsonschema import SchemaError

    path = block.folder / "schema.json"
    try:
        draft_of(block.schema).check_schema(dict(block.schema))
    except SchemaError as error:
        yield Problem(path, error.json_path, f"is not valid JSON Schema: {error.message}.")
        return
    for name, leaf in block.schema.get("properties", {}).items():
        if isinstance(leaf, Mapping) and "default" in leaf:
            rooted = {key: value for key, value in block.schema.items() if key in ("$schema", "$defs", "definitions")}
            for place, fault in placed_faults(leaf["default"], {**rooted, **leaf}, f"$.properties.{name}.default"):
                yield Problem(path, place, f"breaks its own rule: {fault}")


def _check_params(template: Template, role: Role) -> Iterator[Problem]:
    """Faults of a template's own parameters; dates in `{{ }}` are filled later and are not judged here."""
    from jsonschema import SchemaError

    schema = {key: value for key, value in template.blocks[role].schema.items() if key != "required"}
    given = {key: value for key, value in template.params.get(role, {}).items() if "{{" not in str(value)}
    try:
        draft_of(schema).check_schema(schema)
    except SchemaError:
        return  # The schema's own fault says why.
    for place, fault in placed_faults(given, schema, f"$.params.{role}"):
        yield Problem(template.path, place, fault)
