"""Runs an engine in a process of its own and prints its peak memory in MiB; called by the harness."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.support.engine_harness import join_here, split_here
from triptych.settings import read_settings


def main() -> None:
    given = json.loads(sys.argv[1])
    run = join_here if "run_id" in given else split_here
    run(given, read_settings(given["settings"]))
    # Not ru_maxrss: that begins with the size of the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    print(int(peak[1]) / 1024)


main()
