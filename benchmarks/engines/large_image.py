"""20,000 x 20,000 pixels through image_tiles, an app that changes nothing, and mosaic: seconds and peak memory of each.

    python benchmarks/engines/large_image.py [SIDE]

The picture's values are a formula of x and y, by which the mosaic is judged strip by strip. Each engine has a process
of its own, which stores the chunks or writes the output, too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support import engine_harness as harness
from tests.support.large_pictures import Untouched, differing_values, write_picture
from triptych.settings import Settings, read_settings

BANDS = 3
MEMORY_MIB = 64
FORMATS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("TIFF, strips", "tif", "tiff", {"bigtiff": True}),
    ("TIFF, tiles, pyramid", "tif", "tiff", {"bigtiff": True, "tile": True, "pyramid": True, "compression": "deflate"}),
    ("PNG", "png", "png", {}),
)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        _child(json.loads(sys.argv[2]))
        return
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print(f"{side} x {side} pixels in RGB, {side * side * BANDS >> 20} MiB; engines may use {MEMORY_MIB} MiB.\n")
    print("| format | file MiB | tiles | image_tiles s | peak MiB | mosaic s | peak MiB | values that differ |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, extension, kind, options in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            _measure(name, Path(folder) / f"picture.{extension}", kind, side, options)


def _measure(name: str, source: Path, kind: str, side: int, options: dict[str, Any]) -> None:
    folder = source.parent
    write_picture(source, side, BANDS, **options)
    cut_s, cut_mib = _run({"engine": "image_tiles", "sources": [str(source)], "params": {}}, folder)
    tiles = Untouched(folder / "workspace", "output.png")
    job = harness.finished(_settings(folder), "mosaic", tiles, {"format": kind})
    join_s, join_mib = _run({"engine": "mosaic", "run_id": job.run_id}, folder)
    (mosaic,) = (folder / "workspace").rglob(f"outputs/*/*/{source.name}")
    wrong = differing_values(mosaic, side, BANDS)
    figures = f"{cut_s:.1f} | {cut_mib:.0f} | {join_s:.1f} | {join_mib:.0f}"
    print(f"| {name} | {source.stat().st_size >> 20} | {len(tiles)} | {figures} | {wrong} |", flush=True)


def _run(given: dict[str, Any], folder: Path) -> tuple[float, float]:
    """Seconds, and the peak in MiB, of a process that runs one engine."""
    command = [sys.executable, __file__, "--child", json.dumps({**given, "folder": str(folder)})]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds, peak_mib = map(float, done.stdout.split()[-2:])
    return seconds, peak_mib


def _child(given: dict[str, Any]) -> None:
    run = harness.join_here if "run_id" in given else harness.split_here
    started = time.perf_counter()
    run(given, _settings(Path(given["folder"])))
    seconds = time.perf_counter() - started
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(seconds, int(peak[1]) / 1024 if peak else 0)


def _settings(folder: Path) -> Settings:
    return read_settings(
        {
            "workspace": (folder / "workspace").as_uri(),
            "scratch": str(folder / "scratch"),
            "allowed_roots": str(folder),
            "runner": "process",
            "engine_memory_mib": str(MEMORY_MIB),
        }
    )


if __name__ == "__main__":
    main()
