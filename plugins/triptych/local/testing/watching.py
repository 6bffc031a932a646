"""Work done again whenever files of some folders have changed; never twice at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from triptych.errors import ConfigError

_FIRST_MS = 100
"""The watch is set up before the first round, which begins after it; a change in mid-round begins the next."""


def rerun_on_change(folders: Sequence[Path], work: Callable[[], None]) -> None:
    """Call `work` at once, and after each change below the folders, until Ctrl-C (KeyboardInterrupt).

    Saves in quick succession are one change; what editors and Python leave beside files (`.swp`, `__pycache__`) is
    none. ConfigError where watchfiles, of the extra `dev`, is not installed.
    """
    try:
        from watchfiles import watch
    except ModuleNotFoundError:
        msg = "To watch a folder needs 'watchfiles', which is not installed: pip install 'triptych[dev]'."
        raise ConfigError(msg) from None
    is_first = True
    for changes in watch(*folders, rust_timeout=_FIRST_MS, yield_on_timeout=True, raise_interrupt=True):
        if is_first or changes:
            work()
        is_first = False
