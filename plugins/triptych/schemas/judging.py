"""jsonschema's validators as this house uses them: they fetch nothing, and end.

A schema of a few lines can ask for a step per atom of the universe (`$ref`s that double, patterns that backtrack), and
jsonschema would take them, and would fetch a `$ref` to a URL. So the steps of one judgement are counted, patterns are
matched by `triptych.schemas.patterns`, and no reference leads out of the schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from triptych.schemas.patterns import is_plain, matches
from triptych.schemas.walking import REFERENCES, subschemas

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MOST_STEPS = 300_000
"""Keywords looked at in one judgement: some seconds. Ten thousand objects of ten keys take 200,000."""
_STEPS_OF_A_REFERENCE = 20
"""To follow one takes as long as so many keywords."""

_steps_left: ContextVar[list[int]] = ContextVar("steps_left")

Keyword = Callable[[Any, Any, Any, Any], Any]


class EndlessError(Exception):
    """A judgement took more steps than it may."""


@contextmanager
def counted_steps(most: int = MOST_STEPS) -> Iterator[None]:
    """What is judged inside by a validator of `validator` ends by then: EndlessError."""
    token = _steps_left.set([most])
    try:
        yield
    finally:
        _steps_left.reset(token)


def draft_of(schema: Mapping[str, Any]) -> type[Validator]:
    """jsonschema's own class for the draft that the schema names, by default 2020-12."""
    from jsonschema.validators import Draft202012Validator, validator_for

    try:
        return validator_for(schema, Draft202012Validator)
    except (AttributeError, TypeError, ValueError):  # A `$schema` that is no text, or no URI.
        return Draft202012Validator


def validator(schema: Mapping[str, Any]) -> Validator:
    """The judge of a schema that somebody else wrote, by the draft that it names; use it inside `counted_steps`."""
    from referencing import Registry

    judge = _bounded(draft_of(schema), _has_slow_names(schema))
    return judge(_without_drafts(schema), registry=Registry())


def _without_drafts(value: Any) -> Any:
    """Without any `$schema`: for each that it comes to, jsonschema would take a class of its own again."""
    if isinstance(value, Mapping):
        return {
            key: _without_drafts(inner)
            for key, inner in value.items()
            if key != "$schema" or not isinstance(inner, str)
        }
    return [_without_drafts(inner) for inner in value] if isinstance(value, list) else value


def _has_slow_names(schema: Mapping[str, Any]) -> bool:
    """Whether names of properties are matched by patterns that Python's `re` may be slow with."""
    maps = [each.get("patternProperties") for _, each in subschemas(schema)]
    return not all(is_plain(pattern) for each in maps if isinstance(each, Mapping) for pattern in each)


@cache
def _bounded(draft: type[Validator], has_slow_names: bool) -> type[Validator]:
    from jsonschema.validators import extend

    own: dict[str, Keyword] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    if has_slow_names:
        own["unevaluatedProperties"] = _unevaluated_by_slow_names
    keywords = {name: _counted(name, own.get(name) or keyword) for name, keyword in draft.VALIDATORS.items()}
    made: type[Validator] = extend(draft, keywords)  # type: ignore[no-untyped-call]  # Not in its stub.
    return made


def _counted(name: str, keyword: Keyword) -> Keyword:
    steps = _STEPS_OF_A_REFERENCE if name in REFERENCES else 1

    def counted(judge: Any, value: Any, instance: Any, schema: Any) -> Any:
        left = _steps_left.get()
        left[0] -= steps
        if left[0] < 0:
            raise EndlessError
        return keyword(judge, value, instance, schema)

    return counted


def _pattern(judge: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if judge.is_type(instance, "string") and not matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(judge: Any, patterns: Mapping[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
    if judge.is_type(instance, "object"):
        for pattern, inner in patterns.items():
            for key, value in instance.items():
                if matches(pattern, key):
                    yield from judge.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(judge: Any, allowed: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not judge.is_type(instance, "object"):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [key for key in instance if key not in known and not any(matches(each, key) for each in patterns)]
    if isinstance(allowed, Mapping):
        for key in extra:
            yield from judge.descend(instance[key], allowed, path=key)
    elif allowed is False and extra:
        yield ValidationError(f"{', '.join(map(repr, extra))} may not be given")


def _unevaluated_by_slow_names(judge: Any, allowed: Any, instance: Any, schema: Any) -> Any:
    """jsonschema's own keyword matches the names by `re`, and cannot be given another matcher."""
    raise EndlessError


def _unique_items(judge: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    """jsonschema compares each with each where they are objects: hours, for a list that fits into a parameter."""
    from jsonschema import ValidationError

    if wanted and judge.is_type(instance, "array"):
        texts = {json.dumps(_as_equal(item), sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError(f"{instance!r} has items that are equal")


def _as_equal(value: Any) -> Any:
    """1 and 1.0 are one number of JSON, and true is none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _as_equal(inner) for key, inner in value.items()}
    return [_as_equal(item) for item in value] if isinstance(value, list) else value
