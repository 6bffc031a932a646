"""Who runs a local job: a file that its process holds locked, and that the kernel lets go of when the process ends.

It lies beside the jobs of a workspace of files; else in the folder `cache` of the machine, which alone knows the run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from triptych.errors import StorageError, UnfinishedRunError
from triptych.jobs.workspace import LOCKS, folder_name
from triptych.running import file_system
from triptych.running.rights.private_folders import make_private
from triptych.settings import Settings
from triptych.storage.walls import workspace_folder


@contextmanager
def held_run(settings: Settings, dag_id: str, run_id: str) -> Iterator[None]:
    """The run is ours while the context lasts; UnfinishedRunError when it is somebody's.

    The file stays when it ends: it says that the run was launched from here.
    """
    lock = lock_path(settings, folder_name(dag_id), folder_name(run_id))
    try:
        if lock.is_relative_to(settings.cache):
            make_private(settings.cache)  # The modes of parents are nobody's choice.
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = file_system.open_lock(lock)
    except OSError as error:
        msg = f"{lock}: {error.strerror}. The run's lock has to be there: mend the folder's rights, or make room."
        raise StorageError(msg) from error
    try:
        if not file_system.is_locked(descriptor):
            msg = f"The run {run_id} is in use: another `triptych run` does it, or it is being removed. Wait for that."
            raise UnfinishedRunError(msg)
        yield
    finally:
        os.close(descriptor)


def is_held(settings: Settings, dag: str, run: str) -> bool | None:
    """Whether a process holds the run of these folders; None where it was not launched from here."""
    return file_system.is_held(lock_path(settings, dag, run))


def forget(settings: Settings, dag: str, run: str) -> None:
    """Remove the lock of a run that is gone."""
    with suppress(OSError):
        lock_path(settings, dag, run).unlink()


def lock_path(settings: Settings, dag: str, run: str) -> Path:
    """Where the lock of the run of these folders lies."""
    folder = next(iter(workspace_folder(settings)), settings.cache)
    return folder / LOCKS / dag / f"{run}.lock"
