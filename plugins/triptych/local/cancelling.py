"""The end of a job on this machine, asked for from outside by a file beside its lock.

No process is signalled by its id, which may be another's by now, or of another container: the one that holds the run's
lock looks for the file, and ends itself as at Ctrl-C, so that no container and no scratch folder stays.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from triptych.errors import ConfigError, StorageError, UnfinishedRunError
from triptych.jobs.workspace import folder_name
from triptych.retention.run_lock import is_held, lock_path
from triptych.settings import Settings

LOOK_S = 0.2
"""So often it is looked for."""
END_S = 60.0
"""For so long the end is waited for: containers are stopped at once, what is being stored is not."""
_nap = threading.Event().wait


@contextmanager
def ends_when_asked(settings: Settings, dag_id: str, run_id: str) -> Iterator[None]:
    """While this lasts, whoever asks for the run's end ends the main thread by KeyboardInterrupt."""
    asked, over = _request(settings, dag_id, run_id), threading.Event()
    if not is_held(settings, folder_name(dag_id), folder_name(run_id)):
        _drop(asked)  # Of an earlier round: nobody was there any more to hear it.

    def listen() -> None:
        while not over.wait(LOOK_S):
            if asked.exists():
                _interrupt()
                return

    listener = threading.Thread(target=listen, daemon=True, name="ends when asked")
    listener.start()
    try:
        yield
    finally:
        over.set()
        listener.join()
        _drop(asked)


def cancel(settings: Settings, dag_id: str, run_id: str, within_s: float = END_S) -> bool:
    """End the run, wait for that, and say whether there was anything to end.

    ConfigError for a run that was not launched from here, UnfinishedRunError when it has not ended in time.
    """
    dag, run = folder_name(dag_id), folder_name(run_id)
    held = is_held(settings, dag, run)
    if held is None:
        msg = (
            f"{run_id}: was not launched by `triptych run` on this machine, which could end it: ask there; one of "
            "Airflow's ends by --airflow URL or --profile NAME."
        )
        raise ConfigError(msg)
    if not held:
        return False
    asked = _request(settings, dag_id, run_id)
    try:
        asked.touch(mode=0o600)
    except OSError as error:
        msg = f"{asked}: {error.strerror}. Who launched the run can end it."
        raise StorageError(msg) from error
    deadline = time.monotonic() + within_s
    while is_held(settings, dag, run):
        if time.monotonic() >= deadline:
            msg = (
                f"The run {run_id} was asked to end, and has not within {within_s:.0f} s: it does as soon as "
                "what it is in is over. Ask again to wait again."
            )
            raise UnfinishedRunError(msg)
        _nap(LOOK_S)
    _drop(asked)
    return True


def _request(settings: Settings, dag_id: str, run_id: str) -> Path:
    return lock_path(settings, folder_name(dag_id), folder_name(run_id)).with_suffix(".cancel")


def _interrupt() -> None:
    """As Ctrl-C; by SIGTERM where that is one, too: a job in a shell's background is deaf to SIGINT."""
    number = signal.SIGINT
    if signal.getsignal(signal.SIGTERM) is signal.default_int_handler:
        number = signal.SIGTERM
    main = threading.main_thread().ident
    assert main is not None  # It has begun.
    signal.pthread_kill(main, number)


def _drop(asked: Path) -> None:
    with suppress(OSError):
        asked.unlink(missing_ok=True)
