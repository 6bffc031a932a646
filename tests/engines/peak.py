"""Runs an engine in a process of its own and prints its peak memory in MiB; called by the harness."""

from __future__ import annotations

import json
import resource
import sys

from engines.harness import join_here, split_here
from triptych.settings import read_settings


def main() -> None:
    given = json.loads(sys.argv[1])
    run = join_here if "run_id" in given else split_here
    run(given, read_settings(given["settings"]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


main()
