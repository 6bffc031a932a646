"""Memory that is freed and taken again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

TIMES, PAGES = 200, 512
FAULTS = f"""
import resource
import numpy as np
from triptych.engines.runtime.allocator import keep_freed_memory

keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({TIMES}):
    # Two at a time: one alone is kept anyway.
    held = [np.ones(2**20, np.uint8) for _ in range(2)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_the_kernel_is_not_asked_for_each_block() -> None:
    """In a process of its own: how the allocator fares depends on all that was before."""
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True, text=True)
    assert int(done.stdout) < TIMES * PAGES // 10
