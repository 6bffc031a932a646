"""What reading at parse time leaves out: schemas that are no schemas, defaults that break their rules, odd pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from triptych.blocks.model import Block, Catalog, Diagnostic, Role, Template
from triptych.schemas.diagnostics import dotted, draft_of, located_errors, validator


def check_blocks(catalog: Catalog) -> list[Diagnostic]:
    """All that is wrong in the catalog: what was found while reading, then schemas and default parameters."""
    deep = [error for block in catalog.blocks for error in check_schema(block)]
    own = [error for template in catalog.templates for role in Role for error in _check_params(template, role)]
    return [*catalog.errors, *deep, *own]


def check_pairs(catalog: Catalog) -> list[Diagnostic]:
    """A warning for each template whose assembler does not know what its partitioner tells of the chunks."""
    pairs = [(template, odd_pair(template.blocks)) for template in catalog.templates]
    return [Diagnostic(template.path, "$.assembler", message) for template, message in pairs if message]


def odd_pair(blocks: Mapping[Role, Block]) -> str:
    """What is odd about joining that partitioner's chunks with that assembler; empty when they fit (`joins_with`)."""
    partitioner, assembler = blocks[Role.PARTITIONER], blocks[Role.ASSEMBLER]
    if assembler.joins(partitioner):
        return ""
    known = ", ".join(assembler.joins_with or ()) or "no partitioner"
    return (
        f"{assembler.tag} joins what these partitioners cut: {known}. It may find no place for the chunks of "
        f"{partitioner.tag}: choose one of these, or another assembler (`triptych engine list`)."
    )


def check_schema(block: Block) -> Iterator[Diagnostic]:
    """Whether `schema.json` is a JSON Schema of its draft and its defaults hold against it."""
    from jsonschema import SchemaError

    path = block.folder / "schema.json"
    try:
        draft_of(block.schema).check_schema(dict(block.schema))
    except SchemaError as error:
        yield Diagnostic(path, error.json_path, f"is not valid JSON Schema: {error.message}.")
        return
    rooted = {key: value for key, value in block.schema.items() if key in ("$schema", "$defs", "definitions")}
    for name, inner in block.schema.get("properties", {}).items():
        if isinstance(inner, Mapping) and "default" in inner:
            for keys, message in located_errors(inner["default"], validator({**rooted, **inner})):
                location = dotted(f"$.properties.{name}.default", keys)
                yield Diagnostic(path, location, f"breaks its own rule: {message}")


def _check_params(template: Template, role: Role) -> Iterator[Diagnostic]:
    """What is wrong with a template's own parameters; dates in `{{ }}` are filled later and are not judged here."""
    from jsonschema import SchemaError

    schema = {key: value for key, value in template.blocks[role].schema.items() if key != "required"}
    given = {key: value for key, value in template.params.get(role, {}).items() if "{{" not in str(value)}
    try:
        draft_of(schema).check_schema(schema)
    except SchemaError:
        return  # The schema's own error says why.
    for keys, message in located_errors(given, validator(schema)):
        yield Diagnostic(template.path, dotted(f"$.params.{role}", keys), message)
