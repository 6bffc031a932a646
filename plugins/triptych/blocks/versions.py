"""Versions and tags: `name`, `name@1`, `name@1.2`."""

from __future__ import annotations

import re
from collections.abc import Iterable

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
VERSION = re.compile(r"\d+\.\d+(\.[A-Za-z0-9_-]+)*")


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Orders versions: numbers as numbers, and a number after any word (`0.4.rev0` < `0.4.1`)."""
    return tuple((1, int(part), "") if part.isdigit() else (0, 0, part) for part in version.split("."))


def highest_match(tag: str, versions: Iterable[str]) -> str | None:
    """The highest of `versions` that the tag's part after `@` names, whole or by its first parts."""
    wanted = tag.partition("@")[2].split(".") if "@" in tag else []
    fitting = [version for version in versions if version.split(".")[: len(wanted)] == wanted]
    return max(fitting, key=version_key, default=None)
