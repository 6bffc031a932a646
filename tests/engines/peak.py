"""Cuts sources in a process of its own and prints its peak memory in MiB; called by harness.peak_mib."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from engines.harness import split_only
from triptych.settings import read_settings


def main() -> None:
    given = json.loads(sys.argv[1])
    folder = Path(given["folder"])
    settings = read_settings(
        {
            "workspace": (folder / "workspace").as_uri(),
            "scratch": str(folder / "scratch"),
            "allowed_roots": given["roots"],
            "runner": "process",
            "engine_memory_mib": "64",
        }
    )
    split_only(settings, given["engine"], [Path(path) for path in given["sources"]], given["params"])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


main()
