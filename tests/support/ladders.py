"""Ladders of renditions, encoded by the script of the app `transcode_ladder` itself, outside a container."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.engine_harness import Piece, Results
from triptych.settings import PROJECT

APP = PROJECT / "include" / "apps" / "transcode_ladder"
FLASHES = APP / "test" / "flashes.mp4"
"""Six seconds, 320 x 180, 25 frames a second: white for two frames at each full second, while it beeps."""
LADDER = [{"height": 180, "bitrate_kbps": 300}, {"height": 90, "bitrate_kbps": 100}]


def encoded(pieces: Sequence[Piece], **params: Any) -> list[Results]:
    """What the app leaves of each chunk."""
    told = json.dumps({"preset": "veryfast", **params})
    made = [_encode(piece.data, json.dumps(dict(piece.metadata)), told) for piece in pieces]
    return [Results({"segment.mp4": data}, p.name, p.metadata) for data, p in zip(made, pieces, strict=True)]


@functools.cache
def _encode(data: bytes, metadata: str, params: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "data.bin").write_bytes(data)
        own = {"APP_PARAMS": params, "CHUNK_METADATA": metadata, "TASK_DIR": folder, "TASK_RESULTS_DIR": folder}
        script = [sys.executable, str(APP / "app" / "main.py")]
        subprocess.run(script, env={**os.environ, **own}, check=True, capture_output=True)
        return Path(folder, "segment.mp4").read_bytes()
