"""What a chunk costs around its script, in each way to give it a container: the script is `:` of the image's shell.

PYTHONPATH=plugins:. .venv/bin/python benchmarks/platform/containers.py --chunks 200

Prints the median and the ninth decile of one unit's milliseconds, laid out, run and removed. `warm` is the default of
a pack; `chunk` is `"isolation": "chunk"`; `archive` is an engine that does not share our files.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path

from triptych.blocks import Role, read_catalog
from triptych.running import Cache, RunSpec, Session, Unit, open_session, unit_folder
from triptych.running.removal import remove_folder
from triptych.settings import Settings, read_settings

IMAGE = "python:3.11-slim"
WAYS = {"warm": ("bind", {}), "chunk": ("bind", {"isolation": "chunk"}), "archive": ("archive", {})}


def main() -> None:
    """Each way in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--ways", nargs="*", default=list(WAYS))
    arguments = parser.parse_args()
    for way in arguments.ways:
        files, manifest = WAYS[way]
        # Few are enough where each costs what a container does.
        chunks = arguments.chunks if way == "warm" else max(10, arguments.chunks // 10)
        with tempfile.TemporaryDirectory() as folder:
            settings = dataclasses.replace(read_settings({"scratch": folder}), docker_files=files)
            times = sorted(_times(Path(folder), settings, manifest, chunks))
        print(
            f"{way:8} {chunks:5} chunks  median {statistics.median(times) * 1e3:7.1f} ms  "
            f"ninth decile {times[len(times) * 9 // 10] * 1e3:7.1f} ms"
        )


def _times(root: Path, settings: Settings, manifest: dict[str, str], chunks: int) -> list[float]:
    """The seconds of each unit but the first, which starts the session."""
    app = root / "include" / "apps" / "nothing"
    (app / "app").mkdir(parents=True)
    (app / "app" / "main.sh").write_text(":")
    about = {"name": "nothing", "version": "1.0", "entrypoint": "main.sh", **manifest}
    (app / "manifest.json").write_text(json.dumps({**about, "platform_config": {"container": IMAGE}}))
    (app / "template.json").write_text("{}")
    block = read_catalog([root / "include"]).template("nothing").app
    work = root / "work"
    work.mkdir()
    spec = RunSpec(block, work, Cache.of(root / "cache", block), {"triptych.benchmark": "containers"})
    with open_session(spec, settings) as session:
        return [_one(session, spec, number) for number in range(chunks + 1)][1:]


def _one(session: Session, spec: RunSpec, number: int) -> float:
    began = time.perf_counter()
    folder = unit_folder(spec.work, str(number))
    (folder / "in" / "data.bin").touch()
    session.run(Unit(Role.APP, folder, {}, {}))
    remove_folder(folder)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
