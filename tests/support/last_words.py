"""What a suite prints when all tests have ended, also where pytest-xdist ran them in processes of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_here: dict[str, Callable[[], str]] = {}
_elsewhere: dict[str, str] = {}


def at_the_end(title: str, text: Callable[[], str]) -> None:
    """Print `text()` under this title; nothing where it is empty."""
    _here[title] = text


def told_here() -> dict[str, str]:
    """By title, what the suites of this process have to say."""
    return {title: said for title, text in _here.items() if (said := text())}


def told_elsewhere(texts: Mapping[str, str]) -> None:
    """Take in what another process had to say."""
    _elsewhere.update(texts)


def write_last_words(reporter: pytest.TerminalReporter) -> None:
    for title, text in {**told_here(), **_elsewhere}.items():
        reporter.section(title)
        reporter.write_line(text)
