"""What reading at parse time leaves out: schemas that are no schemas, defaults that break their rules, odd pairs.

The same for `triptych validate`, for a DAG that is made, and for a job that begins; the factory keeps the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from triptych.blocks.model import Block, Catalog, Diagnostic, Role, Template
from triptych.schemas.diagnostics import dotted, located_errors
from triptych.schemas.judging import validator
from triptych.schemas.soundness import schema_diagnostics


def check_blocks(catalog: Catalog) -> list[Diagnostic]:
    """All that is wrong in the catalog: what was found while reading, then schemas and default parameters."""
    deep = [error for block in catalog.blocks for error in check_schema(block)]
    own = [error for template in catalog.templates for error in check_params(template)]
    return [*catalog.errors, *deep, *own]


def check_template(template: Template) -> list[Diagnostic]:
    """All that is wrong with a template's blocks and with its own parameters."""
    deep = [error for block in template.blocks.values() for error in check_schema(block)]
    return deep or list(check_params(template))


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


def check_schema(block: Block) -> list[Diagnostic]:
    """Whether `schema.json` is a JSON Schema of its draft that can be judged by, and its defaults hold against it."""
    path = block.folder / "schema.json"
    wrong = schema_diagnostics(block.schema)
    if wrong:
        return [Diagnostic(path, dotted("$", keys), message) for keys, message in wrong]
    return list(_check_defaults(block))


def _check_defaults(block: Block) -> Iterator[Diagnostic]:
    rooted = {key: value for key, value in block.schema.items() if key not in ("required", "type", "default")}
    for name, inner in block.schema.get("properties", {}).items():
        if isinstance(inner, Mapping) and "default" in inner:
            # By the whole schema, so that its definitions are there; what other properties ask for is not meant.
            judge = validator({**rooted, "properties": {**block.schema["properties"]}, "required": []})
            for keys, message in located_errors({name: inner["default"]}, judge):
                if keys[:1] in ((), (name,)):
                    location = dotted(f"$.properties.{name}.default", keys[1:])
                    yield Diagnostic(block.folder / "schema.json", location, f"breaks its own rule: {message}")


def check_params(template: Template) -> Iterator[Diagnostic]:
    """What is wrong with a template's own parameters; dates in `{{ }}` are filled later and are not judged here."""
    for role, block in template.blocks.items():
        given = {key: value for key, value in template.params.get(role, {}).items() if "{{" not in str(value)}
        if given and not schema_diagnostics(block.schema):
            schema = {key: value for key, value in block.schema.items() if key != "required"}
            for keys, message in located_errors(given, validator(schema)):
                yield Diagnostic(template.path, dotted(f"$.params.{role}", keys), message)
