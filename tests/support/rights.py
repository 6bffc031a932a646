"""Root without its right to read everything, for a while, in this thread: capabilities(7) by capset(2)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522
_READS_EVERYTHING = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, numbers 1 and 2 of linux/capability.h."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    """The lower 32 capabilities, then the upper ones: effective, permitted, inheritable."""

    _fields_ = (("words", ctypes.c_uint32 * 6),)


@contextmanager
def reading_only_what_modes_allow() -> Iterator[None]:
    """Modes of files hold for this thread, whoever it is."""
    sets = _capabilities()
    before = sets.words[0]
    sets.words[0] = before & ~_READS_EVERYTHING
    _set(sets)
    try:
        yield
    finally:
        sets.words[0] = before
        _set(sets)


def _capabilities() -> _Sets:
    sets = _Sets()
    _call("capget", sets)
    return sets


def _set(sets: _Sets) -> None:
    _call("capset", sets)


def _call(name: str, sets: _Sets) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(sets)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
