"""The lines of a local job: what scripts print, and what happens around them, when they are asked for."""

from __future__ import annotations

import logging

import pytest

from triptych.cli.progress import Progress
from triptych.stages.run_pack import ChunkOutcome

LOG = logging.getLogger("triptych.running.lines")


def _say() -> None:
    LOG.info("%s", "50 % done: a [bold] line")
    LOG.warning("another image")
    logging.getLogger("somebody.else").warning("not ours")


def test_verbose_shows_lines_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=False, verbose=True):
        _say()
    assert capsys.readouterr().err.splitlines() == ["50 % done: a [bold] line", "warning: another image"]


def test_else_only_warnings_and_a_failed_chunk_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=False, verbose=False) as progress:
        _say()
        LOG.error("Chunk 1 (x): exit code 3.")
        progress.on_chunk(ChunkOutcome(1, 0.5, "Chunk 1 (x): exit code 3."))
    assert capsys.readouterr().err.splitlines() == ["warning: another image", "Chunk 1 (x): exit code 3."]


def test_quiet_has_no_lines_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(quiet=True, verbose=False):
        _say()
        LOG.error("Chunk 1 (x): exit code 3.")
    assert capsys.readouterr().err == ""


def test_logging_is_afterwards_as_it_was_before() -> None:
    package = logging.getLogger("triptych")
    before = package.level, package.propagate, list(package.handlers)
    with pytest.raises(ZeroDivisionError), Progress(quiet=True, verbose=True):
        raise ZeroDivisionError
    assert (package.level, package.propagate, package.handlers) == before
