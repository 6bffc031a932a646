"""No GPU is given to two sessions of one machine at once: each is held by a lock, which ends with its process.

The locks lie in `gpus/` of the scratch folder, so that all workers of a machine that have one scratch folder keep to
them; what else uses a GPU is not seen.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from triptych.blocks import Block
from triptych.blocks.gpus import gpu_count
from triptych.errors import CapacityError, StorageError
from triptych.harmless import harmless_logger
from triptych.running.file_system import is_locked, open_lock
from triptych.running.gpus.devices import devices_of_engine, lacking_gpus
from triptych.running.stop import Stop
from triptych.settings import Runner, Settings

LOCKS = "gpus"
ASKED_EVERY_S = 1.0
"""A kernel tells nobody that one of several locks is free: so long is between two looks."""
_CHOOSING = ".choosing"
_log = harmless_logger(__name__)


@contextmanager
def held_gpus(block: Block, settings: Settings, stop: Stop) -> Iterator[tuple[str, ...]]:
    """Ids of the devices that one session of the block has alone while the context lasts; it waits until they are free.

    Empty where the block asks for none, and where nobody here can tell which there are: the engine gives it any then,
    maybe another session's, too. CapacityError where the block names products that are not here.
    """
    if not gpu_count(block):
        yield ()
        return
    found = devices_of_engine(settings)
    fitting = found.fit_for(block)
    count = min(gpu_count(block), len(fitting)) if isinstance(block.gpu, tuple) else gpu_count(block)
    lacking = lacking_gpus(block, found)
    if lacking and settings.runner is Runner.DOCKER:
        msg = f"{block.role} {block.tag} needs {lacking}."
        raise CapacityError(msg)
    if not fitting or len(fitting) < count:
        told = found.unknown or f"there are {found}"
        _log.warning("%s asks for %d GPU(s); which are free is not known (%s).", block.tag, count, told)
        yield ()
        return
    with _held(settings.scratch / LOCKS, fitting, count, stop, block.tag) as ids:
        _log.info("%s has the GPU(s) %s.", block.tag, ", ".join(ids))
        yield ids


@contextmanager
def _held(folder: Path, ids: Sequence[str], count: int, stop: Stop, tag: str) -> Iterator[tuple[str, ...]]:
    """So many of these ids, the first that are free, once that many are."""
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        held = _taken(folder, ids, count)
        if held is None:
            _log.warning("%s waits for %d GPU(s): too few of %s are free.", tag, count, ", ".join(ids))
        while held is None:
            stop.check()
            time.sleep(ASKED_EVERY_S)
            held = _taken(folder, ids, count)
    except OSError as error:
        msg = (
            f"{folder}: {error.strerror}: GPUs are given out by locks there. Make room, or correct [triptych] scratch."
        )
        raise StorageError(msg) from error
    try:
        yield tuple(held)
    finally:
        for descriptor in held.values():
            os.close(descriptor)


def _taken(folder: Path, ids: Sequence[str], count: int) -> dict[str, int] | None:
    """Open locks by id; None, and nothing held, unless there are enough.

    One session at a time looks, and takes all or none: two that want two devices each never have one each.
    """
    choosing = open_lock(folder / _CHOOSING)
    held: dict[str, int] = {}
    try:
        fcntl.flock(choosing, fcntl.LOCK_EX)  # Nobody has it for longer than it takes to look.
        for each in ids:
            descriptor = open_lock(folder / f"{re.sub('[^A-Za-z0-9-]', '_', each)}.lock")
            if is_locked(descriptor):
                held[each] = descriptor
            else:
                os.close(descriptor)
            if len(held) == count:
                return held
    finally:
        os.close(choosing)
        if len(held) < count:
            for descriptor in held.values():
                os.close(descriptor)
    return None
