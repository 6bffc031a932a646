"""What a check found: how it stands, in a sentence, and what to do where something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from triptych.errors import TriptychError


class Standing(StrEnum):
    """How a thing stands: `wrong` keeps jobs from ending well, `warning` may."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """Of the thing that was looked at: its standing, what is known of it, and a remedy unless it is `ok`."""

    about: str
    standing: Standing
    said: str
    remedy: str = ""


def guarded(about: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The check's findings; an error of ours that it meets is one more, and its last: the others go on."""
    try:
        yield from check()
    except TriptychError as error:
        yield Finding(about, Standing.WRONG, str(error))
