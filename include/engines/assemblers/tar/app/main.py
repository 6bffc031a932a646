"""All results in one archive, written as a stream."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

import zstandard

from triptych.engines import Output, Result
from triptych.engines.archives.members import tar_of
from triptych.engines.streams.file_objects import OutputFile
from triptych.storage import Writer

SUFFIXES = {"zstd": ".zst", "gzip": ".gz", "none": ""}
LEVELS = {"zstd": 3, "gzip": 6, "none": 0}


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    """The same results give the same archive: times are 0, owners nobody."""
    method = params["compression"]
    with (
        output.open(params["name"] or f"output.tar{SUFFIXES[method]}") as out,
        _compressed(out, method, params["level"] or LEVELS[method]) as stream,
    ):
        for block in tar_of((result.flat_name, result.size, result.stream()) for result in results):
            stream.write(block)


@contextmanager
def _compressed(out: Writer, method: str, level: int) -> Iterator[Writer]:
    target = OutputFile(out)
    if method == "gzip":
        with gzip.GzipFile("", "wb", level, target, mtime=0) as stream:
            yield stream
    elif method == "zstd":
        with zstandard.ZstdCompressor(level).stream_writer(cast("IO[bytes]", target), closefd=False) as stream:
            yield stream
    else:
        yield target
