"""How often each fault is tried, and what it cost; no part of conftest, which pytest imports by a name of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from statistics import median

_WHOLE = os.environ.get("WORKERS") == "whole"
KILLS = int(os.environ.get("WORKERS_HITS") or (20 if _WHOLE else 1))
CUTS = (KILLS + 3) // 4


@dataclass
class Losses:
    """What each fault cost, in seconds: how much longer the job took than one without a fault."""

    longer_s: dict[str, list[float]] = field(default_factory=dict)

    def add(self, fault: str, seconds: float) -> None:
        """One that was hit."""
        self.longer_s.setdefault(fault, []).append(seconds)

    def table(self) -> str:
        """In Markdown; every row's jobs had the right bytes, nothing doubled and nothing left, else the test failed."""
        rows = [
            f"| {fault} | {len(all_)} | {median(all_):.0f} | {max(all_):.0f} |" for fault, all_ in self.longer_s.items()
        ]
        head = "| fault | times | seconds lost, median | most |\n| --- | ---: | ---: | ---: |"
        return "\n".join([head, *rows]) if rows else ""
