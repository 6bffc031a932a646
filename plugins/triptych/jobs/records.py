"""Reading what stages wrote for each other: an object that is no such record is named, whoever spoiled it."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from triptych.errors import IntegrityError

T = TypeVar("T")


def read_record(data: bytes, label: str, make: Callable[[Any], T]) -> T:
    """What `make` makes of the JSON in an object; IntegrityError, which says `label`, when it is no such record.

    Dataclasses in it have fields of the types that they are declared with.
    """
    try:
        made = make(json.loads(data))
        fits = _fits(made, type(made))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        msg = f"{label}: is no record as Triptych writes it there ({type(error).__name__}: {error})."
        raise IntegrityError(msg) from error
    if not fits:
        msg = f"{label}: is no record as Triptych writes it there: a value in it has another type."
        raise IntegrityError(msg)
    return made


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value, with all that it holds, is of a type; bool is no number, and a whole number is one."""
    origin = get_origin(wanted)
    if wanted is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in get_args(wanted))
    if isinstance(value, bool):
        return wanted is bool
    if wanted is float:
        return isinstance(value, int | float)
    if dataclasses.is_dataclass(value):
        kind: type = type(value)
        hints = _hints(kind)
        fields = dataclasses.fields(value)
        return isinstance(value, wanted) and all(_fits(getattr(value, each.name), hints[each.name]) for each in fields)
    if isinstance(value, Mapping) and origin is not None:
        key, inner = get_args(wanted)
        return isinstance(value, origin) and all(_fits(k, key) and _fits(v, inner) for k, v in value.items())
    if isinstance(value, list | tuple) and origin is not None:
        return isinstance(value, origin) and all(_fits(each, get_args(wanted)[0]) for each in value)
    return isinstance(value, origin or wanted)


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
