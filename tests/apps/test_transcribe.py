"""`transcribe` beside the transcript of its sample, by the sample's own script, which knows nothing of Triptych."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.conftest import App
from tests.support.app_images import APPS
from tests.support.programs import needs_ffmpeg

TEST = APPS / "transcribe" / "test"
SAMPLE = TEST / "sense_and_sensibility.flac"
MIXED = APPS.parent / "engines" / "samples" / "speech.flac"
"""English for nine seconds, then Spanish."""


def _check(output: Path) -> subprocess.CompletedProcess[str]:
    """The script alone: -I keeps Triptych, and all else, out of it."""
    return subprocess.run(
        [sys.executable, "-I", str(TEST / "check.py"), str(output)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("template", "suffix"), [("transcribe", "srt"), ("transcribe_text", "txt")])
def test_what_is_said_is_written_down(run_app: App, template: str, suffix: str) -> None:
    output = run_app(template, [SAMPLE])
    checked = _check(output / f"sense_and_sensibility.{suffix}")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@needs_ffmpeg
def test_the_check_finds_another_recording_wrong(run_app: App, tmp_path: Path) -> None:
    cut = tmp_path / "cut.flac"
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "3", "-i", str(SAMPLE), str(cut)], check=True)
    checked = _check(run_app("transcribe", [cut]) / "cut.srt")
    assert checked.returncode == 1
    wrong, late = (float(each) for each in re.findall(r"[:=] ([\d.]+)(?:%| s)", checked.stdout))
    assert wrong > 5
    assert late > 2.5


def test_each_language_is_written_down_as_it_is_spoken(run_app: App) -> None:
    output = run_app("transcribe_languages", [MIXED])
    shown = (output / "speech.srt").read_text()
    english, spanish = shown.split("00:00:09,", 1)
    assert "leisure to consider how much" in english.replace("\n", " ")
    assert "español" in spanish
