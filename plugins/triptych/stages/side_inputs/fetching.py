"""Fetching a side input: every file from its store into a local path, read once, hashed on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from triptych.errors import IntegrityError
from triptych.jobs.side_inputs import InputFile, SideInput
from triptych.running import Stop
from triptych.storage import Stores
from triptych.storage.copying import HashingWriter, checked

READ_ONLY, READ_ONLY_FOLDER = 0o444, 0o555
"""Whoever a script runs as can read them, and nobody can write."""
_MODIFIED = (946_684_800, 946_684_800)
"""When each file was modified, as far as it says: at the beginning of 2000. One that somebody wrote to says otherwise,
and of files that belong together none is newer."""


def fetch(side: SideInput, target: Path, stores: Stores, parallelism: int, stop: Stop) -> SideInput:
    """Write it to `target`, a file or a folder, so that a power cut leaves it whole; with its files' digests.

    IntegrityError where a file is frozen already and its bytes are others; SourceError where its store has another
    version by now. Stops at the next block when `stop` is asked for.
    """
    if not side.is_folder:
        return replace(side, files=(_saved(side.files[0], target, stores, stop),))
    ended = Stop()
    with ThreadPoolExecutor(parallelism) as pool, stop.register(ended.ask):
        try:
            saved = list(pool.map(lambda file: _saved(file, target / file.path, stores, ended), side.files))
        except BaseException:
            ended.ask()
            pool.shutdown(cancel_futures=True)
            raise
    for folder in [*(path for path in target.rglob("*") if path.is_dir()), target]:
        folder.chmod(READ_ONLY_FOLDER)
    return replace(side, files=tuple(saved))


def is_untouched(side: SideInput, target: Path) -> bool:
    """Whether all files are there as they were written, by their sizes and times: nothing is read."""
    for file in side.files:
        try:
            found = (target / file.path if side.is_folder else target).lstat()
        except OSError:
            return False
        if (found.st_size, found.st_mtime) != (file.source.size, _MODIFIED[1]):
            return False
    return True


def _saved(file: InputFile, path: Path, stores: Stores, stop: Stop) -> InputFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as out:
        hashing = HashingWriter(out)
        for block in checked(_blocks(file, stores), file.source.size, None, file.source.uri):
            stop.check()
            hashing.write(block)
        out.flush()
        os.fchmod(out.fileno(), READ_ONLY)
        os.utime(out.fileno(), _MODIFIED)
        os.fsync(out.fileno())
    if file.sha256 not in ("", hashing.sha256):
        msg = (
            f"{file.source.uri}: has SHA-256 {hashing.sha256}, and had {file.sha256} when the job began, of the same "
            "etag: its store mixes versions. Launch the job again."
        )
        raise IntegrityError(msg)
    return replace(file, sha256=hashing.sha256)


def _blocks(file: InputFile, stores: Stores) -> Iterator[bytes]:
    source = file.source
    if not source.size:
        return iter(())
    return stores.open(source.uri, source.conn_id, source.service).stream(source.uri, etag=source.etag)
