"""Whether a schema that somebody else wrote is one, and can be judged by: before any value is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triptych.schemas.diagnostics import TYPES, nearest_or_all
from triptych.schemas.judging import draft_of
from triptych.schemas.patterns import is_plain, pattern_error
from triptych.schemas.walking import Keys, circle, led_to, references, subschemas

MOST_SUBSCHEMAS = 2000
"""Every job is judged by them, and every form is made of them."""


def schema_diagnostics(schema: Mapping[str, Any]) -> list[tuple[Keys, str]]:
    """(path, sentence) of each thing that is wrong with a schema; later steps only where the earlier found nothing."""
    if sum(1 for _ in subschemas(schema)) > MOST_SUBSCHEMAS:
        return [((), f"holds more than {MOST_SUBSCHEMAS:,} schemas: make it smaller.")]
    for step in (_against_its_draft, _drafts_inside, _lost_references, _circles, _patterns):
        found = list(step(schema))
        if found:
            return found
    return []


def _against_its_draft(schema: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    """By the schema of schemas; the first error only, as one mistake there breaks many rules."""
    draft = draft_of(schema)
    name = draft.META_SCHEMA.get("$schema")
    if draft.__name__ == "Draft3Validator":
        yield from _by_jsonschema(schema)
        return
    import jsonschema_rs

    try:
        # Under the draft's own name: any other would be fetched.
        jsonschema_rs.meta.validate({**schema, "$schema": name})
    except jsonschema_rs.ValidationError as error:
        keys = tuple(error.instance_path)
        yield keys, _unknown_type(keys, error.instance) or f"is not valid JSON Schema: {error.message}."
    if not isinstance(schema.get("$schema", ""), str):
        yield ("$schema",), "must be text: the URI of a draft of JSON Schema."


def _unknown_type(keys: Keys, value: Any) -> str:
    """The sentence for the commonest mistake, which the schema of schemas only calls none of its alternatives."""
    if keys[-1:] != ("type",) or not isinstance(value, str):
        return ""
    return f"is {value[:80]!r}, which is no type of JSON Schema.{nearest_or_all(value, TYPES)}"


def _by_jsonschema(schema: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    from jsonschema import SchemaError

    try:
        draft_of(schema).check_schema(dict(schema))
    except SchemaError as error:
        yield tuple(error.absolute_path), f"is not valid JSON Schema: {error.message}."


def _drafts_inside(schema: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    for keys, each in subschemas(schema):
        if keys and "$schema" in each:
            yield (*keys, "$schema"), "can stand at the top only: the whole file is of one draft."


def _lost_references(schema: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012, specification_with

    draft = specification_with(str(draft_of(schema).META_SCHEMA.get("$schema")), default=DRAFT202012)
    resolver = Registry().resolver_with_root(draft.create_resource(schema))
    has_names = any(keys and ({"$id", "id"} & each.keys()) for keys, each in subschemas(schema))
    for keys, each in subschemas(schema):
        for reference in references(each):
            if led_to(schema, reference) is not None:
                continue
            try:
                resolver.lookup(reference)
            except Unresolvable:
                if reference.startswith("#") and has_names:
                    continue  # Seen from the schema that has a name of its own, it may lead somewhere.
                message = (
                    f"leads to {reference[:200]!r}, which is not in this file. None is fetched: put it into $defs."
                )
                yield (*keys, "$ref"), message


def _circles(schema: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    found = circle(schema)
    if found is not None:
        yield found, "refers to itself again and again, whatever the value: no value could be judged."


def _patterns(schema: Mapping[str, Any]) -> Iterator[tuple[Keys, str]]:
    slow: list[Keys] = []
    for keys, each in subschemas(schema):
        names = each.get("patternProperties")
        given = [((*keys, "pattern"), each["pattern"])] if isinstance(each.get("pattern"), str) else []
        given += [((*keys, "patternProperties", name), name) for name in names] if isinstance(names, Mapping) else []
        for place, pattern in given:
            reason = pattern_error(pattern)
            if reason:
                yield place, f"{reason}."
        slow += [(*keys, "patternProperties", name) for name in names or () if not is_plain(name)]
    if slow and any("unevaluatedProperties" in each for _, each in subschemas(schema)):
        for place in slow:
            yield (
                place,
                "is a pattern of unbounded time, which unevaluatedProperties cannot take: use additionalProperties, or "
                "begin it with ^ and repeat without an end once at most.",
            )
