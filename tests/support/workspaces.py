"""What counts in a job's workspace on disk, read by nothing of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def counted(workspace: Path) -> dict[int, dict[str, Any]]:
    """The success of each chunk that has one, by its number: from the entry of its pack that counts now.

    That is the last one under the newest plan, else the one that it keeps of the newest older plan.
    """
    plans = {int(path.stem): path for path in workspace.glob("plans/*.json")}
    if not plans:
        return {}
    plan = json.loads(plans[max(plans)].read_text())
    entries: dict[str, str] = {}
    for generation, packs in sorted((int(number), packs) for number, packs in plan["kept"].items()):
        entries |= {pack: f"commits/{generation}/{pack}/{number:08}.json" for pack, number in packs.items()}
    for pack in workspace.glob(f"commits/{max(plans)}/*"):
        entries[pack.name] = str(max(pack.iterdir()))
    done: dict[int, dict[str, Any]] = {}
    for name in entries.values():
        done |= {tried["chunk"]: tried for tried in json.loads((workspace / name).read_text())["done"]}
    return done
