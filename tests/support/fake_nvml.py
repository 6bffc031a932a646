"""A machine with GPUs, as far as NVIDIA's driver tells: below the real `nvidia-ml-py`, instead of `libnvidia-ml.so.1`.

No machine that runs the tests has a GPU. What the functions take and give is NVML's own (nvml.h).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pynvml

if TYPE_CHECKING:
    import pytest

SUCCESS, DRIVER_NOT_LOADED = 0, 9
Gpu = tuple[str, str]
"""Id and product."""


class Driver:
    """The functions of the library that we call; with an error's number, that is all that it ever says."""

    def __init__(self, gpus: Sequence[Gpu], error: int) -> None:
        self._gpus, self._error = gpus, error
        self.opened = 0
        """How many have called `nvmlInit`, and not `nvmlShutdown`."""

    def nvmlInitWithFlags(self, _: int) -> int:  # NVML's own name, as all of them.
        self.opened += self._error == SUCCESS
        return self._error

    def nvmlShutdown(self) -> int:
        self.opened -= 1
        return SUCCESS

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = len(self._gpus)
        return SUCCESS

    def nvmlDeviceGetHandleByIndex_v2(self, index: ctypes.c_uint, handle: Any) -> int:
        ctypes.memmove(ctypes.addressof(handle._obj), ctypes.byref(ctypes.c_void_p(index.value + 1)), 8)
        return SUCCESS

    def nvmlDeviceGetUUID(self, handle: Any, text: Any, _: object) -> int:
        return self._tell(handle, text, 0)

    def nvmlDeviceGetName(self, handle: Any, text: Any, _: object) -> int:
        return self._tell(handle, text, 1)

    def _tell(self, handle: Any, text: Any, which: int) -> int:
        index = ctypes.c_void_p.from_address(ctypes.addressof(handle)).value or 0
        text.value = self._gpus[index - 1][which].encode()
        return SUCCESS


def install(monkeypatch: pytest.MonkeyPatch, gpus: Sequence[Gpu], error: int = SUCCESS) -> Driver:
    """Let this process have these GPUs until the test ends."""
    driver = Driver(gpus, error)
    monkeypatch.setattr(pynvml, "nvmlLib", driver)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    monkeypatch.setattr(pynvml.NVMLError, "__str__", lambda self: f"error {self.value}")
    return driver
