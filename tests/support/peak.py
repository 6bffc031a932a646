"""Runs an engine in a process of its own; prints its peak memory and what it wrote, or why it refused.

Called by the harness, which reads the last line: an object of JSON.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from pathlib import Path

from tests.support.engine_harness import join_here, split_here
from triptych.errors import TriptychError
from triptych.settings import read_settings

MIB = 1 << 20
MOST_BYTES = 6 << 30
"""Of address space and of a file: what gets out of hand must not take this machine along."""


def main() -> None:
    given = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_AS, (2 * MOST_BYTES, 2 * MOST_BYTES))
    run = join_here if "run_id" in given else split_here
    before, error = _written(), None
    try:
        run(given, read_settings(given["settings"]))
    except TriptychError as refused:
        error = f"{type(refused).__name__}: {refused}"
    # Not ru_maxrss: that begins with the size of the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    written_mib = (_written() - before) / MIB
    print(json.dumps({"peak_mib": int(peak[1]) / 1024, "written_mib": written_mib, "error": error}))


def _written() -> int:
    """All that this process has handed to `write`, in bytes."""
    found = re.search(r"wchar: (\d+)", Path("/proc/self/io").read_text())
    assert found
    return int(found[1])


main()
