"""The engines for documents and code beside cat, csplit, split, tar and unzip: seconds, MB/s, peak memory of a process.

python benchmarks/engines_documents.py [MB]
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triptych.blocks import read_catalog
from triptych.engines import Chunk
from triptych.engines.loading import load_engine
from triptych.engines.resources import Resources, using
from triptych.fan_out import engine_sources
from triptych.job import open_job, resolve_sources
from triptych.jobspec import build_job_spec
from triptych.settings import PROJECT, read_settings

MEMORY_BYTES = 512 * 1024 * 1024
PARAGRAPH = b"A task is seldom one task. It is many small ones, e.g. these, in a row. Cut where nothing is lost.\n" * 6


def main() -> None:
    if len(sys.argv) > 2:
        print(json.dumps(_child(sys.argv[1], json.loads(sys.argv[2]))))
        return
    size = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 200_000_000
    print("| engine | beside | input (MB) | seconds | MB/s | peak (MiB) |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text, tree = _write_text(folder / "text.md", size), _write_tree(folder / "tree.zip", size)
        for params in ({"size": 2000}, {"size": 300, "unit": "words"}, {"size": 400, "unit": "tokens"}):
            _row(f"text_size {params}", "text_size", text, params)
        _command("split", ["split", "-C", "2000", "-a", "6", str(text), str(folder / "x")], text, folder)
        _row("sections (Markdown)", "sections", text, {})
        _row("sections (plain text)", "sections", text, {"format": "text"})
        _command("csplit", ["csplit", "-sz", "-n7", "-f", str(folder / "x"), str(text), "/^# /", "{*}"], text, folder)
        _row("codebase, files of a zip", "codebase", tree, {})
        _row("codebase, packages of a zip", "codebase", tree, {"unit": "package"})
        _command("unzip", ["unzip", "-q", str(tree), "-d", str(folder / "x")], tree, folder)


def _write_text(path: Path, size: int) -> Path:
    with path.open("wb") as out:
        number = 0
        while out.tell() < size:
            out.write(f"# Part {number}\n\n".encode() + (PARAGRAPH + b"\n") * 10)
            number += 1
    return path


def _write_tree(path: Path, size: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(size // 20_000):
            noise = os.urandom(10_000).hex().encode()
            archive.writestr(f"src/p{number // 100}/__init__.py" if not number % 100 else _name(number), noise)
    return path


def _name(number: int) -> str:
    return f"src/p{number // 100}/m{number % 100}.py"


def _row(what: str, engine: str, source: Path, params: dict[str, Any]) -> None:
    given = json.dumps({"source": str(source), "params": params})
    done = subprocess.run([sys.executable, __file__, engine, given], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    size = source.stat().st_size / 1e6
    seconds, peak = found["seconds"], found["peak_mib"]
    print(f"| {what}, {found['chunks']:,} chunks | | {size:.0f} | {seconds:.1f} | {size / seconds:.0f} | {peak:.0f} |")


def _command(what: str, arguments: list[str], source: Path, folder: Path) -> None:
    size = source.stat().st_size / 1e6
    seconds = _seconds(lambda: subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL))
    for made in folder.glob("x*"):
        subprocess.run(["rm", "-r", str(made)], check=True)
    print(f"| | `{what}` | {size:.0f} | {seconds:.1f} | {size / seconds:.0f} | |")


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _child(engine: str, given: dict[str, Any]) -> dict[str, float]:
    """Cut the source, and drop the chunks."""
    source = Path(given["source"])
    with _chunks(engine, source, given["params"]) as chunks:
        started = time.perf_counter()
        count = sum(1 for _ in chunks)
        seconds = time.perf_counter() - started
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"chunks": count, "seconds": seconds, "peak_mib": peak_mib}


@contextmanager
def _chunks(engine: str, source: Path, params: dict[str, Any]) -> Iterator[Iterator[Chunk]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        roots = f"{folder}:{source.parent}"
        settings = read_settings({"workspace": (folder / "workspace").as_uri(), "allowed_roots": roots})
        catalog = read_catalog([PROJECT / "include"])
        block = catalog.find("partitioner", engine)
        spec = build_job_spec(catalog.template("wordcount"), {"dataSource": source.as_uri()})
        job = open_job(settings, catalog.template("wordcount"), spec, "bench", "run")
        defaults = {key: leaf.get("default") for key, leaf in block.schema["properties"].items()}
        sources = engine_sources(job, resolve_sources(job), folder)
        with using(Resources(folder, MEMORY_BYTES)):
            yield load_engine(block, "partition")(sources, {**defaults, **params})


if __name__ == "__main__":
    main()
