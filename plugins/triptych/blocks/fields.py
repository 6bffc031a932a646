"""Reading one JSON file of ours: both spellings of keys, every fault at once, each with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from triptych.blocks.model import Problem
from triptych.schemas.faults import nearest_or_all

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Fields:
    """The keys of one object of a file; collects problems and warnings instead of raising."""

    def __init__(self, path: Path, data: Mapping[str, Any], where: str = "$") -> None:
        self.path = path
        self.where = where
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._data = {_WORD_START.sub("_", key).lower(): value for key, value in data.items()}
        self._spelled = {_WORD_START.sub("_", key).lower(): key for key in data}

    def get(self, key: str, kinds: type | tuple[type, ...], default: Any = None) -> Any:
        """The value when it is of one of these types; a fault otherwise. A bool is no number here."""
        value = self._data.get(key)
        if value is None:
            return default
        allowed = kinds if isinstance(kinds, tuple) else (kinds,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            names = " or ".join(kind.__name__ for kind in allowed)
            self.fault(key, f"must be of type {names}, and is {json.dumps(value)[:60]}.")
            return default
        return value

    def number(self, key: str, whole: bool = False) -> Any:
        """A positive number, or None when it is not there."""
        value = self.get(key, int if whole else (int, float))
        if value is not None and value <= 0:
            self.fault(key, f"must be above 0, and is {value}.")
            return None
        return value

    def fields(self, key: str) -> Fields:
        """The object under `key`; its problems are reported with ours by `merge`."""
        return Fields(self.path, self.get(key, dict, {}), f"{self.where}.{self._spelled.get(key, key)}")

    def merge(self, inner: Fields) -> None:
        self.problems += inner.problems
        self.warnings += inner.warnings

    def fault(self, key: str, message: str) -> None:
        self.problems.append(Problem(self.path, f"{self.where}.{self._spelled.get(key, key)}", message))

    def only(self, known: Collection[str]) -> None:
        """Warn of every other key, with the nearest known one."""
        for key in self._data.keys() - set(known):
            place = f"{self.where}.{self._spelled[key]}"
            self.warnings.append(Problem(self.path, place, f"unknown key, ignored.{nearest_or_all(key, known)}"))

    def keys(self) -> Collection[str]:
        return self._data.keys()


def read_object(path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The JSON object in a file, or an empty one and what is wrong with it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        return {}, [Problem(path, f"line {error.lineno}, column {error.colno}", f"is no JSON: {error.msg}.")]
    except (OSError, UnicodeDecodeError) as error:
        return {}, [Problem(path, "$", f"cannot be read: {error}.")]
    if not isinstance(data, dict):
        return {}, [Problem(path, "$", "must be a JSON object ({...}).")]
    return data, []
