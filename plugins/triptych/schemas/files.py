"""The schemas of our own files: read once, with a validator that is made once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triptych.schemas.judging import draft_of

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

FOLDER = Path(__file__).parent


class Kind(StrEnum):
    """What a schema of ours is for."""

    MANIFEST = "manifest"
    TEMPLATE = "template"
    JOB = "job"
    CASE = "case"

    @property
    def file_name(self) -> str:
        """As it lies in this folder, and as `$ref` between them and `$schema` name it."""
        return f"{self}.schema.json"


@cache
def own_schema(kind: Kind) -> Mapping[str, Any]:
    """The schema as its file has it. Treat it as constant: every caller gets the same one."""
    schema: Mapping[str, Any] = json.loads((FOLDER / kind.file_name).read_text(encoding="utf-8"))
    return schema


@cache
def own_validator(kind: Kind) -> Validator:
    """jsonschema's validator of it; those of templates and cases refer to that of jobs."""
    from jsonschema.validators import extend
    from referencing import Registry, Resource

    files = [(each.file_name, Resource.from_contents(own_schema(each))) for each in Kind]
    schema = own_schema(kind)
    judge: type[Validator] = extend(draft_of(schema), {"pattern": _pattern})  # type: ignore[no-untyped-call]  # Not in its stub.
    return judge(schema, registry=Registry().with_resources(files))


def _pattern(judge: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    """By `re`, which is at hand, as patterns of ours are simple. Its `$` lets a newline through, unlike JSON's."""
    from jsonschema import ValidationError

    if judge.is_type(instance, "string"):
        has_newline = pattern.endswith("$") and instance.endswith("\n")
        if has_newline or not re.search(pattern, instance):
            yield ValidationError(f"does not match {pattern!r}")
