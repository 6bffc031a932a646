"""Classes of machines, as operators list them: what a machine of each has, and how Airflow's tasks come to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NoReturn

from triptych.errors import ConfigError

_MOST = 1e6
"""Of cores, GiB and GPUs: what is beyond is a mistake."""
_MOST_LETTERS = 256
"""What Airflow's database holds of a queue's or a pool's name."""
_SHOWN_LETTERS = 60
_EXAMPLE = '{"large": {"cores": 64, "memory_gib": 512, "queue": "large"}}'


@dataclass(frozen=True)
class MachineClass:
    """Machines that are alike; `cores`, `memory_gib` and `gpus` are what one of them has.

    Queue and pool are Airflow's; without one, tasks have those of everybody.
    """

    name: str
    cores: float
    memory_gib: float
    gpus: int = 0
    gpu_name: str = ""
    """The product's, as `nvidia-smi -L` shows it."""
    queue: str = ""
    pool: str = ""

    def __str__(self) -> str:
        gpus = f", {self.gpus} x {self.gpu_name or 'GPU'}" if self.gpus else ""
        return f"{self.name} ({self.cores:g} cores, {self.memory_gib:g} GiB{gpus})"


_KEYS = tuple(field.name for field in fields(MachineClass))[1:]


def read_classes(text: str) -> tuple[MachineClass, ...]:
    """From JSON, an object by the classes' names, in its order; none from an empty text. ConfigError tells where."""
    if not text.strip():
        return ()
    try:
        table = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        _refuse("classes", f"is no JSON: {error.msg} (line {error.lineno}, column {error.colno})")
    except (ValueError, RecursionError) as error:
        _refuse("classes", f"cannot be read: {str(error)[:_SHOWN_LETTERS]}")
    if not isinstance(table, dict):
        _refuse("classes", f"must be an object by the classes' names, such as {_EXAMPLE}")
    return tuple(_class(name, about) for name, about in table.items())


def _class(name: str, about: object) -> MachineClass:
    if not name.strip() or not name.isprintable() or len(name) > _MOST_LETTERS:
        _refuse("classes", f"{name[:_SHOWN_LETTERS]!r} is no name of a class")
    if not isinstance(about, dict):
        _refuse(f"classes.{name}", f"must be an object, such as {_EXAMPLE}")
    unknown = sorted(set(about) - set(_KEYS))
    if unknown:
        _refuse(f"classes.{name}", f"there is no key {unknown[0][:_SHOWN_LETTERS]!r}; there are {', '.join(_KEYS)}")
    gpus = about.get("gpus", 0)
    if isinstance(gpus, bool) or not isinstance(gpus, int) or not 0 <= gpus <= _MOST:
        _refuse(f"classes.{name}", f"gpus must be a whole number of at least 0{_unlike(gpus)}")
    made = MachineClass(
        name,
        _amount(name, about, "cores"),
        _amount(name, about, "memory_gib"),
        gpus,
        *(_word(name, about, key) for key in ("gpu_name", "queue", "pool")),
    )
    if made.gpu_name and not gpus:
        _refuse(f"classes.{name}", "gpu_name is given, and gpus is not: say how many each machine has")
    return made


def _amount(name: str, about: Mapping[str, object], key: str) -> float:
    given = about.get(key)
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= _MOST:
        _refuse(f"classes.{name}", f"{key} must be a number above 0{_unlike(given)}")
    return float(given)


def _word(name: str, about: Mapping[str, object], key: str) -> str:
    given = about.get(key, "")
    if not isinstance(given, str) or len(given) > _MOST_LETTERS or not given.isprintable():
        _refuse(f"classes.{name}", f"{key} must be a name of at most {_MOST_LETTERS} letters{_unlike(given)}")
    return given.strip()


def _unlike(given: object) -> str:
    return ", and is missing" if given is None else f", and is {json.dumps(given)[:_SHOWN_LETTERS]}"


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        msg = f"{next(name for name in names if names.count(name) > 1)!r} is there twice"
        raise ValueError(msg)
    return found


def _no_number(text: str) -> float:
    msg = f"{text} is no number"
    raise ValueError(msg)


def _refuse(where: str, reason: str) -> NoReturn:
    msg = f"[triptych] {where}: {reason}."
    raise ConfigError(msg) from None
