"""Every engine on a large input beside the obvious tool: seconds, MB/s, and the peak memory of a process.

The engine runs twice in a process of its own: "first" loads its libraries, too. MB/s are of the second run, and of the
whole command for a tool. Partitioners are timed without the upload of their chunks, assemblers with the output
written to a local folder. Tools that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.engines import inputs
from tests.support import engine_harness as harness
from triptych.blocks import Role, read_catalog
from triptych.local.preview import preview
from triptych.settings import PROJECT, Settings, read_settings

MOST_SHOWN = 100
"""Characters of an engine's parameters."""


@dataclass(frozen=True)
class Cut:
    """A partitioner, what writes its input (None: it needs none), and commands that do the same from $IN to $OUT."""

    engine: str
    params: dict[str, Any]
    write: inputs.Writer | None
    beside: Sequence[str] = ()


@dataclass(frozen=True)
class Join:
    """An assembler of what an app that changes nothing leaves: of the input in parts, or of what `after` has cut.

    The commands find the results' files in the folder $IN.
    """

    engine: str
    params: dict[str, Any]
    write: inputs.Writer
    beside: Sequence[str] = ()
    after: tuple[str, dict[str, Any]] | None = None


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        _child(json.loads(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("megabytes", nargs="?", type=float, default=200)
    parser.add_argument("engines", nargs="*", metavar="engine", help="by default all")
    given = parser.parse_args()
    if unknown := set(given.engines) - {row.engine for row in ROWS}:
        parser.error(f"no row for {', '.join(sorted(unknown))}")
    print("| engine | beside | MB | first s | seconds | MB/s | peak MiB |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for row in ROWS:
        if not given.engines or row.engine in given.engines:
            with tempfile.TemporaryDirectory() as name:
                _measure(row, Path(name), int(given.megabytes * 1e6))


def _measure(row: Cut | Join, folder: Path, size: int) -> None:
    source = row.write(folder, size) if row.write else None
    settings = _settings(folder)
    if isinstance(row, Join):
        source = _results(row, settings, _files(source), folder)
    files = _files(source)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    given = {"engine": row.engine, "params": row.params, "folder": str(folder)}
    if isinstance(row, Join):
        given["runs"] = json.loads((folder / "runs").read_text())
    else:
        given["sources"] = list(map(str, files))
    command = [sys.executable, __file__, "--child", json.dumps(given)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, again, peak_mib = map(float, done.stdout.split()[-3:])
    params = json.dumps(row.params)[:MOST_SHOWN] if row.params else ""
    _print(f"`{row.engine}` {params}", "", megabytes, f"{first:.2f}", again, f"{peak_mib:.0f}")
    for beside in row.beside:
        _beside(beside, source, folder, megabytes)


def _files(source: Path | None) -> list[Path]:
    if source is None:
        return []
    return [source] if source.is_file() else sorted(source.iterdir())


def _results(row: Join, settings: Settings, sources: Sequence[Path], folder: Path) -> Path:
    """A folder with the results as plain files, for the tools; two jobs whose chunks have committed the same.

    Made by another process, whose memory is not ours; the jobs' runs are in the file `runs` beside the folder.
    """
    whole = folder / "results"
    whole.mkdir()
    pid = os.fork()
    if not pid:
        results = list(_left_by_app(row, settings, sources))
        for number, result in enumerate(results):
            for name, data in result.files.items():
                (whole / f"{number:06d}_{name}").write_bytes(data)
        runs = [harness.finished(settings, row.engine, results, row.params).run_id for _ in range(2)]
        (folder / "runs").write_text(json.dumps(runs))
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        sys.exit("The results could not be put in place.")
    return whole


def _left_by_app(row: Join, settings: Settings, sources: Sequence[Path]) -> Any:
    if row.after:
        for piece in harness.split(settings, row.after[0], sources, row.after[1]):
            name = f"r{PurePosixPath(piece.name).suffix}"
            yield harness.Results({name: piece.data}, piece.name, piece.metadata)
    elif len(sources) > 1:
        for path in sources:
            yield harness.Results({f"r{path.suffix}": path.read_bytes()}, metadata={"source": "s"})
    else:
        yield from _parts(sources[0])


def _parts(source: Path) -> Any:
    """The lines of one file in several results, as chunks leave them."""
    folder = source.with_name("parts")
    folder.mkdir()
    suffix = f"--additional-suffix={source.suffix}"
    split: list[str | Path] = ["split", "-n", f"l/{inputs.PART_COUNT}", suffix, source, folder / "p"]
    subprocess.run(split, check=True)
    for path in sorted(folder.iterdir()):
        yield harness.Results({f"r{path.suffix}": path.read_bytes()}, metadata={"source": "s"})


def _beside(command: str, source: Path | None, folder: Path, megabytes: float) -> None:
    tool = command.split()[1] if "=" in command.split()[0] else command.split()[0]
    if shutil.which(tool) is None:
        return
    out = folder / "out"
    out.mkdir()
    target = out / "o" if "-o" in command or ">" in command else out
    script = command if tool != "python" else command.replace("python", sys.executable, 1)
    started = time.perf_counter()
    subprocess.run(script, shell=True, check=True, cwd=out, env={**os.environ, "IN": str(source), "OUT": str(target)})
    _print("", f"`{command}`".replace("|", "\\|"), megabytes, "", time.perf_counter() - started, "")
    shutil.rmtree(out)


def _print(engine: str, beside: str, megabytes: float, first: str, seconds: float, peak: str) -> None:
    speed = f"{megabytes / seconds:.0f}" if megabytes else ""
    print(f"| {engine} | {beside} | {megabytes:.0f} | {first} | {seconds:.2f} | {speed} | {peak} |", flush=True)


def _settings(folder: Path, root: Path | None = None) -> Settings:
    values = {"workspace": (folder / "workspace").as_uri(), "scratch": str(folder / "scratch"), "runner": "process"}
    return read_settings({**values, "allowed_roots": str(root or folder)})


def _child(given: dict[str, Any]) -> None:
    settings = _settings(Path(given["folder"]))
    seconds = [_seconds(work) for work in (_joins if "runs" in given else _cuts)(settings, given)]
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(*seconds, int(peak[1]) / 1024 if peak else 0)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _cuts(settings: Settings, given: dict[str, Any]) -> list[Callable[[], object]]:
    engine = read_catalog([PROJECT / "include"]).find(Role.PARTITIONER, given["engine"])
    sources = [Path(path).as_uri() for path in given["sources"]]
    return [lambda: sum(1 for _ in preview(settings, engine, sources, given["params"]))] * 2


def _joins(settings: Settings, given: dict[str, Any]) -> list[Callable[[], object]]:
    return [partial(harness.join_here, {"engine": given["engine"], "run_id": run}, settings) for run in given["runs"]]


POLARS = (
    "python -c \"import os, polars as pl; pl.scan_csv(os.environ['IN'], infer_schema=False).sink_csv("
    "pl.PartitionBy(os.environ['OUT'], key='key'), mkdir=True)\""
)
DUCK = (
    "python -c \"import os, duckdb; duckdb.read_csv(os.environ['IN'] + '/*.csv').write_parquet("
    "os.environ['OUT'] + '/o.parquet')\""
)
MERGED = (
    "python -c \"import os, duckdb; duckdb.read_csv(os.environ['IN'] + '/*.csv', all_varchar=True)"
    ".query('t', 'select id, first(columns(* exclude id)) from t group by id order by id')"
    ".write_csv(os.environ['OUT'] + '/o.csv')\""
)
GROUPED = (
    "python -c \"import os, duckdb; duckdb.read_csv(os.environ['IN'] + '/*.csv')"
    ".query('t', 'select key, count(*), sum(id), avg(id) from t group by key order by key')"
    ".write_csv(os.environ['OUT'] + '/o.csv')\""
)
AVERAGED = (
    'python -c "import os, pathlib, numpy as np;'
    " models = [np.load(p) for p in pathlib.Path(os.environ['IN']).iterdir()];"
    "np.savez(os.environ['OUT'] + '/o.npz', **{n: np.mean([m[n] for m in models], axis=0) for n in models[0]})\""
)
JOINED = (
    "python -c \"import os, pathlib, pyvips; tiles = sorted(pathlib.Path(os.environ['IN']).iterdir());"
    "pyvips.Image.arrayjoin([pyvips.Image.new_from_file(str(t), access='sequential') for t in tiles],"
    " across=round(len(tiles) ** 0.5)).tiffsave(os.environ['OUT'] + '/o.tif', tile=True, compression='deflate',"
    " predictor='horizontal')\""
)
TILES = (
    "python -c \"import os, pyvips; pyvips.Image.new_from_file(os.environ['IN'], access='sequential')"
    ".dzsave(os.environ['OUT'] + '/d', tile_size=512, overlap=0, depth='one', suffix='.png')\""
)
SEGMENTS = 'ffmpeg -v error -i "$IN" -f segment -segment_time 10 -reset_timestamps 1 -c copy o%05d'
COUNT = "ffprobe -v error -count_packets -select_streams v -show_entries stream=nb_read_packets"
COUNTED = f"{SEGMENTS}.mp4 && for f in o*.mp4; do {COUNT} $f; done > count"
ENCODED = 'ffmpeg -v error -i "$IN" -c:v libx264 -preset ultrafast -crf 16 -c:a copy o.mp4'
CHANGES = 'ffmpeg -v error -i "$IN" -an -vf "select=\'gt(scene,0.3)\'" -f null -'
LISTED = """printf "file '%s'\\n" "$IN"/* > list && ffmpeg -v error -f concat -safe 0 -i list -c copy o"""
SILENCES = 'ffmpeg -v error -i "$IN" -af silencedetect=noise=-40dB:d=0.3 -f null -'
FLAC = 'ffmpeg -v error -i "$IN" -f segment -segment_time 10 -c:a flac o%05d.flac'
LADDER = [{"height": 360, "bitrate_kbps": 800}]
TILED = ("image_tiles", {"tile_size": 1024})
ROWS = (
    Cut("bytes", {"chunk_mib": 16}, inputs.table, ('split -b 16M "$IN"',)),
    Cut("rows", {"items_per_chunk": 100_000}, inputs.table, ('wc -l "$IN" > "$OUT"', 'split -l 100000 "$IN"')),
    Cut("keys", {"columns": ["key"]}, inputs.table, (POLARS,)),
    Cut("keys", {"columns": ["key"]}, inputs.many_keys, (POLARS,)),
    Cut("keys", {"columns": ["id"], "buckets": 64}, inputs.lines),
    Cut("dates", {"column": "at", "freq": "month"}, inputs.table),
    Cut("kfold", {"folds": 5}, inputs.table),
    Cut("kfold", {"folds": 5, "stratify": "key"}, inputs.table),
    Cut("json_keys", {"path": "items", "items_per_chunk": 10_000}, inputs.document),
    Cut("log_times", {"window_s": 3600}, inputs.log),
    Cut("sections", {}, inputs.markdown, ("csplit -sz -n7 \"$IN\" '/^# /' '{*}'",)),
    Cut("text_size", {"chunk_size": 2000}, inputs.markdown, ('split -C 2000 -a 6 "$IN"',)),
    Cut("codebase", {}, inputs.sources, ('unzip -q "$IN"',)),
    Cut("urls", {"items_per_chunk": 1000}, inputs.urls, ('split -l 1000 -a 5 "$IN"',)),
    Cut("sweep", {"space": {"a": list(range(500)), "b": list(range(200))}}, None),
    Cut("sequences", {"items_per_chunk": 100_000}, inputs.reads, ('split -l 400000 "$IN"',)),
    Cut("sequences", {"items_per_chunk": 10_000}, inputs.genome),
    Cut("sequences", {"items_per_chunk": 100_000}, inputs.packed_reads, ('gzip -dc "$IN" | split -l 400000 -',)),
    Cut("image_tiles", {"tile_size": 512}, inputs.picture, (TILES,)),
    Cut("image_batches", {}, inputs.photos, ('tar -cf "$OUT"/o.tar -C "$IN" .',)),
    Cut("audio_time", {"segment_s": 10}, inputs.sound, (SEGMENTS + ".wav",)),
    Cut("audio_time", {"segment_s": 10}, inputs.flac, (FLAC,)),
    Cut("audio_silence", {"min_silence_ms": 300}, inputs.sound, (SILENCES,)),
    Cut("audio_silence", {"min_silence_ms": 300}, inputs.flac, (SILENCES, FLAC)),
    Cut("audio_language", {}, inputs.speech),
    Cut("video_frames", {"segment_s": 10}, inputs.video, (SEGMENTS + ".mp4", COUNTED)),
    Cut("video_frames", {"items_per_chunk": 240, "crf": 16}, inputs.video, (ENCODED,)),
    Cut("video_scenes", {}, inputs.video, (CHANGES,)),
    Cut("video_renditions", {"segment_s": 10, "ladder": LADDER}, inputs.video, (SEGMENTS + ".mp4",)),
    Join("concat", {"header": False}, inputs.bare_table, ('cat "$IN"/* > "$OUT"',)),
    Join("tar", {}, inputs.bare_table, ('tar -C "$IN" -c . | zstd -q > "$OUT"',)),
    Join("zip", {}, inputs.bare_table, ('zip -q -r - "$IN" > "$OUT"',)),
    Join("indexed", {}, inputs.bare_table, ('cp "$IN"/* "$OUT"',)),
    Join("sorted_concat", {"by": ["id:number"]}, inputs.tables, ('LC_ALL=C sort -t, -k1,1n -o "$OUT" "$IN"/*',)),
    Join(
        "sorted_concat",
        {"by": ["id:number"]},
        inputs.tables_in_order,
        ('LC_ALL=C sort -m -t, -k1,1n -o "$OUT" "$IN"/*',),
    ),
    Join("merge_keys", {"on": ["id"], "on_conflict": "first"}, inputs.tables, (MERGED,)),
    Join(
        "group_by",
        {"by": ["key"], "aggregates": ["count", "id:sum", "id:mean"]},
        inputs.tables,
        (GROUPED,),
    ),
    Join("group_by", {"by": ["id"], "aggregates": ["count", "text:distinct"]}, inputs.tables),
    Join("models", {}, inputs.models, (AVERAGED,)),
    Join("logs", {}, inputs.log, ('LC_ALL=C sort -m -s -k1,1 -o "$OUT" "$IN"/*',)),
    Join("validate_merge", {"schema": {"type": "object", "required": ["id"]}}, inputs.lines),
    Join("reduce", {}, inputs.lines),
    Join("parquet", {}, inputs.tables, (DUCK,)),
    Join("documents", {}, inputs.markdown, ('cat "$IN"/* > "$OUT"',)),
    Join("codebase", {"format": "tar"}, inputs.sources, after=("codebase", {})),
    Join("mosaic", {"format": "tiff"}, inputs.picture, (JOINED,), after=TILED),
    Join("image_package", {"contact_sheet": False}, inputs.photos, ('tar -cf "$OUT"/o.tar -C "$IN" .',)),
    Join("audio_concat", {}, inputs.sound, (LISTED + ".wav",), after=("audio_time", {"segment_s": 10})),
    Join(
        "video_concat",
        {},
        inputs.video,
        (LISTED + ".mp4", f"{LISTED}.mp4 && {COUNT} o.mp4 > count"),
        after=("video_frames", {"segment_s": 10}),
    ),
    Join("video_scenes", {}, inputs.video, (LISTED + ".mp4",), after=("video_frames", {"segment_s": 10})),
)


if __name__ == "__main__":
    main()
