"""What became of the calls, per surface: for the table at the end, and for a test's verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SHOWN = 6000
"""Characters of a traceback, or of an input, in a failure's message."""


class Kind(StrEnum):
    """How a call ended. Only the first two are right."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """By a TriptychError, or diagnostics."""
    TRACEBACK = "tracebacks"
    HANG = "hangs"
    LEFT = "half-written"
    """Something lies where nothing may, after a refusal."""


@dataclass(frozen=True)
class Ended:
    """How one call ended; `text` is the refusal, or what went wrong."""

    kind: Kind
    text: str

    @property
    def mark(self) -> str:
        """By which two failures are the same: the last place in our own code, and the error's type."""
        places = [line for line in self.text.splitlines() if "triptych/" in line and line.lstrip().startswith("File")]
        last = self.text.rstrip().rpartition("\n")[2].partition(":")[0]
        return f"{self.kind} {(places or [''])[-1].strip()} {last}"


@dataclass
class Tally:
    """All calls of this session."""

    counts: dict[str, Counter[Kind]] = field(default_factory=lambda: defaultdict(Counter))
    wrong: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """Per surface, by mark, the first input that ended so."""

    def add(self, surface: str, payload: object, ended: Ended) -> None:
        """Count one; keep it when it is the first of its mark."""
        self.counts[surface][ended.kind] += 1
        if ended.kind not in (Kind.ACCEPTED, Kind.REFUSED):
            shown = f"{repr(payload)[:SHOWN]}\n{ended.text[-SHOWN:]}"
            self.wrong[surface].setdefault(ended.mark, ascii(shown)[1:-1].replace("\\n", "\n"))

    def table(self) -> list[str]:
        """As Markdown, a line per surface."""
        columns = list(Kind)
        lines = [f"| surface | calls | {' | '.join(columns)} |", "| --- | ---: |" + " ---: |" * len(columns)]
        lines += [_row(surface, counts) for surface, counts in self.counts.items()]
        return [*lines, _row("**all**", self._all())]

    def summary(self) -> str:
        """Of all surfaces, in a line."""
        counts = self._all()
        ends = ", ".join(f"{counts.get(kind, 0):,} {kind}" for kind in Kind)
        return f"{sum(counts.values()):,} calls: {ends}"

    def _all(self) -> Counter[Kind]:
        return sum(self.counts.values(), Counter())


def _row(name: str, counts: Mapping[Kind, int]) -> str:
    cells = [f"{sum(counts.values()):,}", *(f"{counts.get(kind, 0):,}" for kind in Kind)]
    return f"| {name} | {' | '.join(cells)} |"
