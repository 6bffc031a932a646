"""Programs that tests compare with, and that a machine may lack."""

from __future__ import annotations

import shutil

import pytest

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg: apt-get install ffmpeg")
