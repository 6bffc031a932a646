"""Every engine on a large input beside the obvious tool: seconds, MB/s, and the peak memory of a process.

    python benchmarks/engines.py [MB [ENGINE ...]]

Partitioners are timed without the upload of their chunks, assemblers with the output written to a local folder.
Tools that are not installed are left out.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from triptych.blocks import read_catalog
from triptych.preview import preview
from triptych.settings import PROJECT, Settings, read_settings

sys.path.insert(0, str(PROJECT / "tests"))
from engines import harness

PART_COUNT = 8
START = datetime(2026, 1, 1, tzinfo=UTC)
PARAGRAPH = "A task is seldom one task. It is many small ones, e.g. these, in a row. Cut where nothing is lost.\n" * 6
SORTED = 'LC_ALL=C sort -t, -k1,1n -o "$OUT" "$IN"/*'


@dataclass(frozen=True)
class Row:
    """One engine, what writes its input of about so many bytes, and commands that do the same from $IN to $OUT."""

    engine: str
    params: dict[str, Any]
    write: Callable[[Path, int], Path]
    beside: Sequence[str] = ()
    joins: bool = False


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        _child(json.loads(sys.argv[2]))
        return
    size = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 200_000_000
    print("| engine | beside | MB | seconds | MB/s | peak MiB |\n| --- | --- | --- | --- | --- | --- |")
    for row in ROWS:
        if not sys.argv[2:] or row.engine in sys.argv[2:]:
            with tempfile.TemporaryDirectory() as name:
                _measure(row, Path(name), size)


def _measure(row: Row, folder: Path, size: int) -> None:
    source = row.write(folder, size)
    if row.joins:
        source = _parts(source, folder / "parts")
    files = [source] if source.is_file() else sorted(source.iterdir())
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    given = {
        "engine": row.engine,
        "params": row.params,
        "folder": str(folder),
        "sources": [str(path) for path in files],
    }
    given["joins"] = row.joins
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(given)], check=True, capture_output=True, text=True
    )
    seconds, peak_mib = map(float, done.stdout.split()[-2:])
    params = json.dumps(row.params) if row.params else ""
    _print(f"`{row.engine}` {params}", "", megabytes, seconds, f"{peak_mib:.0f}")
    for command in row.beside:
        _beside(command, source, folder, megabytes)


def _beside(command: str, source: Path, folder: Path, megabytes: float) -> None:
    tool = command.split()[1] if "=" in command.split()[0] else command.split()[0]
    if shutil.which(tool) is None:
        return
    out = folder / "out"
    out.mkdir()
    target = out / "o" if "-o" in command or ">" in command else out
    script = command if tool != "python" else command.replace("python", sys.executable, 1)
    started = time.perf_counter()
    subprocess.run(script, shell=True, check=True, cwd=out, env={**os.environ, "IN": str(source), "OUT": str(target)})
    _print("", f"`{command}`".replace("|", "\\|"), megabytes, time.perf_counter() - started, "")
    shutil.rmtree(out)


def _print(engine: str, beside: str, megabytes: float, seconds: float, peak: str) -> None:
    print(f"| {engine} | {beside} | {megabytes:.0f} | {seconds:.2f} | {megabytes / seconds:.0f} | {peak} |", flush=True)


def _child(given: dict[str, Any]) -> None:
    folder = Path(given["folder"])
    settings = read_settings(
        {
            "workspace": (folder / "workspace").as_uri(),
            "scratch": str(folder / "scratch"),
            "allowed_roots": str(folder),
            "runner": "process",
        }
    )
    work = _joining(settings, given) if given["joins"] else _cutting(settings, given)
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(seconds, int(peak[1]) / 1024 if peak else 0)


def _cutting(settings: Settings, given: dict[str, Any]) -> Callable[[], object]:
    engine = read_catalog([PROJECT / "include"]).find("partitioner", given["engine"])
    sources = [Path(path).as_uri() for path in given["sources"]]
    return lambda: sum(1 for _ in preview(settings, engine, sources, given["params"]))


def _joining(settings: Settings, given: dict[str, Any]) -> Callable[[], object]:
    """The results are put in place by another process, whose memory is not ours."""
    pid = os.fork()
    if not pid:
        files = [Path(path) for path in given["sources"]]
        results = [harness.Results({path.name: path.read_bytes()}, metadata={"source": "s"}) for path in files]
        harness.finished(settings, given["engine"], results, given["params"])
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        sys.exit("The results could not be put in place.")
    return lambda: harness.join_here({"engine": given["engine"], "run_id": "0"}, settings)


def _parts(source: Path, folder: Path) -> Path:
    """The input in several files, as chunks leave it."""
    folder.mkdir()
    if source.is_dir():
        return source
    command = ["split", "-n", f"l/{PART_COUNT}", f"--additional-suffix={source.suffix}", str(source), str(folder / "p")]
    subprocess.run(command, check=True)
    source.unlink()
    return folder


def _table(folder: Path, size: int, *, header: bool = True) -> Path:
    path, draw = folder / "t.csv", random.Random(1)
    rows = [
        f"{draw.randrange(10**9)},k{draw.randrange(40)},2026-{1 + n % 12:02}-01T00:00:00Z,text\n" for n in range(10_000)
    ]
    block = "".join(rows).encode()
    with path.open("wb") as out:
        out.write(b"id,key,at,text\n" if header else b"")
        for _ in range(size // len(block)):
            out.write(block)
    return path


def _bare_table(folder: Path, size: int) -> Path:
    return _table(folder, size, header=False)


def _tables(folder: Path, size: int) -> Path:
    whole = folder / "tables"
    whole.mkdir()
    for number in range(PART_COUNT):
        _table(folder, size // PART_COUNT).rename(whole / f"t{number}.csv")
    return whole


def _lines(folder: Path, size: int) -> Path:
    path = folder / "l.jsonl"
    line = json.dumps({"id": 1, "value": 2.5, "text": "x" * 60}).encode() + b"\n"
    path.write_bytes(line * (size // len(line)))
    return path


def _document(folder: Path, size: int) -> Path:
    path = folder / "d.json"
    item = json.dumps({"id": 1, "value": 2.5, "text": "x" * 60})
    with path.open("w") as out:
        out.write('{"items": [' + item)
        for _ in range(size // len(item) // 1000):
            out.write(("," + item) * 1000)
        out.write("]}")
    return path


def _log(folder: Path, size: int) -> Path:
    path = folder / "a.log"
    with path.open("w") as out:
        for number in range(size // 80):
            at = START + timedelta(seconds=number // 20)
            out.write(f"{at:%Y-%m-%dT%H:%M:%SZ} INFO some text that fills the line up to eighty bytes or so\n")
    return path


def _markdown(folder: Path, size: int) -> Path:
    path = folder / "t.md"
    with path.open("w") as out:
        for number in range(size // (len(PARAGRAPH) * 10)):
            out.write(f"# Part {number}\n\n" + (PARAGRAPH + "\n") * 10)
    return path


def _sources(folder: Path, size: int) -> Path:
    path = folder / "s.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(size // 20_000):
            archive.writestr(f"src/p{number // 100}/m{number % 100}.py", os.urandom(10_000).hex())
    return path


def _reads(folder: Path, size: int) -> Path:
    path = folder / "r.fastq"
    block = b"".join(b"@read%d lane\n%s\n+\n%s\n" % (n, b"ACGT" * 25, b"I" * 100) for n in range(1000))
    path.write_bytes(block * (size // len(block)))
    return path


def _image(folder: Path, size: int) -> Path:
    import numpy as np
    from PIL import Image

    side = int((size / 3) ** 0.5)
    noise = np.random.default_rng(1).integers(0, 255, (side, 512, 3), np.uint8)
    path = folder / "i.tif"
    Image.fromarray(np.tile(noise, (1, -(-side // 512), 1))[:, :side]).save(path)
    return path


def _audio(folder: Path, size: int) -> Path:
    import numpy as np
    import soundfile

    path = folder / "a.wav"
    second = np.random.default_rng(1).integers(-20000, 20000, (48_000, 2), np.int16)
    second[24_000:] = 0
    with soundfile.SoundFile(path, "w", 48_000, 2, "PCM_16") as out:
        for _ in range(size // second.nbytes):
            out.write(second)
    return path


def _video(folder: Path, size: int) -> Path:
    """As many minutes as there are 100 MB."""
    path = folder / "v.mp4"
    inputs = "-f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine -c:v libx264 -preset ultrafast -g 50 -c:a aac"
    command = ["ffmpeg", "-v", "error", *inputs.split(), "-t", str(max(60, size // 1_700_000)), str(path)]
    subprocess.run(command, check=True)
    return path


POLARS = (
    "python -c \"import os, polars as pl; pl.scan_csv(os.environ['IN'], infer_schema=False).sink_csv("
    "pl.PartitionBy(os.environ['OUT'], key='key'), mkdir=True)\""
)
DUCK = (
    "python -c \"import os, duckdb; duckdb.read_csv(os.environ['IN'] + '/*.csv').write_parquet("
    "os.environ['OUT'] + '/o.parquet')\""
)
FFMPEG = 'ffmpeg -v error -i "$IN" -f segment -segment_time 10 -c copy o%05d.wav'
SEGMENTS = 'ffmpeg -v error -i "$IN" -f segment -segment_time 10 -reset_timestamps 1 -c copy o%05d.mp4'
ENCODED = 'ffmpeg -v error -i "$IN" -c:v libx264 -preset ultrafast -crf 16 -c:a copy o.mp4'
SILENCES = 'ffmpeg -v error -i "$IN" -af silencedetect=noise=-40dB:d=0.3 -f null -'
TILES = (
    "python -c \"import os, pyvips; pyvips.Image.new_from_file(os.environ['IN'], access='sequential')"
    ".dzsave(os.environ['OUT'] + '/d', tile_size=512, overlap=0, depth='one', suffix='.png')\""
)
ROWS = (
    Row("bytes", {"size_mib": 16}, _table, ('split -b 16M "$IN"',)),
    Row("rows", {"rows": 100_000}, _table, ('wc -l "$IN" > "$OUT"', 'split -l 100000 "$IN"')),
    Row("keys", {"columns": ["key"]}, _table, (POLARS,)),
    Row("dates", {"column": "at", "unit": "month"}, _table),
    Row("keys", {"columns": ["id"], "buckets": 64}, _lines),
    Row("json_keys", {"path": "items", "count": 10_000}, _document),
    Row("log_times", {"window_s": 3600}, _log),
    Row("sections", {}, _markdown, ("csplit -sz -n7 \"$IN\" '/^# /' '{*}'",)),
    Row("text_size", {"size": 2000}, _markdown, ('split -C 2000 -a 6 "$IN"',)),
    Row("codebase", {}, _sources, ('unzip -q "$IN"',)),
    Row("sequences", {"records": 100_000}, _reads, ('split -l 400000 "$IN"',)),
    Row("image_tiles", {"size": 512}, _image, (TILES,)),
    Row("audio_time", {"seconds": 10}, _audio, (FFMPEG,)),
    Row("audio_silence", {"gap_ms": 300}, _audio, (SILENCES,)),
    Row("video_frames", {"seconds": 10}, _video, (SEGMENTS,)),
    Row("video_frames", {"frames": 240, "crf": 16}, _video, (ENCODED,)),
    Row("concat", {"header": False}, _bare_table, ('cat "$IN"/* > "$OUT"',), joins=True),
    Row("tar", {}, _bare_table, ('tar -C "$IN" -c . | zstd -q > "$OUT"',), joins=True),
    Row("zip", {}, _bare_table, ('zip -q -r - "$IN" > "$OUT"',), joins=True),
    Row("sorted_concat", {"by": ["id:number"]}, _tables, (SORTED,), joins=True),
    Row("merge_keys", {"keys": ["id"], "conflicts": "first"}, _tables, joins=True),
    Row("logs", {}, _log, ('sort -m -s -k1,1 -o "$OUT" "$IN"/*',), joins=True),
    Row("validate_merge", {"schema": {"type": "object", "required": ["id"]}}, _lines, joins=True),
    Row("reduce", {}, _lines, joins=True),
    Row("parquet", {}, _tables, (DUCK,), joins=True),
)


if __name__ == "__main__":
    main()
