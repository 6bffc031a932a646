"""What counts in a job's workspace on disk, read by nothing of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def counted(workspace: Path) -> dict[int, dict[str, Any]]:
    """The success of each chunk that has one, by its number: from the last entry of each pack of the newest plan."""
    generation = max((int(path.stem) for path in workspace.glob("plans/*.json")), default=0)
    done: dict[int, dict[str, Any]] = {}
    for pack in workspace.glob(f"commits/{generation}/*"):
        entry = json.loads(max(pack.iterdir()).read_text())
        done |= {tried["chunk"]: tried for tried in entry["done"]}
    return done
