"""Reading what stages wrote for each other: an object that is no such record is named, whoever spoiled it."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Mapping, Sequence
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
        fits = _fits(made)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        msg = f"{label}: is no record as Triptych writes it there ({type(error).__name__}: {error})."
        raise IntegrityError(msg) from error
    if not fits:
        msg = f"{label}: is no record as Triptych writes it there: a value in it has another type."
        raise IntegrityError(msg)
    return made


def _fits(made: object) -> bool:
    kind: Any = type(made)
    return _check(kind)(made)


@cache
def _check(wanted: Any) -> Callable[[Any], bool]:
    """Whether a value, with all that it holds, is of a type; bool is no number, and a whole number is one.

    Made once for each type: of a job of 10,000 chunks a third of a million values are looked at.
    """
    origin = get_origin(wanted)
    if wanted is Any:
        return lambda value: True
    if origin in (Union, types.UnionType):
        each_of = tuple(_check(each) for each in get_args(wanted))
        return lambda value: any(check(value) for check in each_of)
    if wanted is float:
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    if dataclasses.is_dataclass(wanted):
        kind: Any = wanted
        return lambda value: (
            isinstance(value, kind) and all(check(getattr(value, name)) for name, check in _fields(value.__class__))
        )
    if origin is not None:
        return _holds(origin, tuple(_check(each) for each in get_args(wanted) if each is not Ellipsis))
    return lambda value: isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))


def _holds(origin: Any, inner: Sequence[Callable[[Any], bool]]) -> Callable[[Any], bool]:
    """Of a mapping its keys and values, of a list or tuple each item."""

    def check(value: Any) -> bool:
        if not isinstance(value, origin):
            return False
        if isinstance(value, Mapping):
            key, item = inner
            return all(key(k) and item(v) for k, v in value.items())
        return not isinstance(value, list | tuple) or all(inner[0](each) for each in value)

    return check


@cache
def _fields(kind: type) -> Sequence[tuple[str, Callable[[Any], bool]]]:
    hints = get_type_hints(kind)
    return tuple((each.name, _check(hints[each.name])) for each in dataclasses.fields(kind))
