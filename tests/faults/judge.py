"""What came of a job that was hit: judged by its input and its output alone, with nothing of Triptych's.

The input is lines that are all different. What the app makes of a line is known (`answer_to`), so the whole output is
known before the job starts: a line that is missing is lost, one that stands there twice is doubled.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


def make_lines(seed: str, count: int, width: int = 40) -> list[str]:
    """`count` lines, all different, of about this width; the same for the same seed."""
    chance = random.Random(seed)
    return [f"{number} {chance.getrandbits(width * 4):0{width}x}" for number in range(count)]


def answer_to(line: str) -> str:
    """What the app writes for one line; it does this by itself, from the same words of the standard library."""
    return f"{hashlib.sha256(line.encode()).hexdigest()} {line}"


def expected_output(lines: Iterable[str]) -> bytes:
    """The job's one output file."""
    return "".join(f"{answer_to(line)}\n" for line in lines).encode()


@dataclass(frozen=True)
class Verdict:
    """`lost` and `doubled` count lines; `left` names what lies where nothing should."""

    right: bool
    lost: int
    doubled: int
    strange: int = 0


def compare(expected: bytes, found: bytes | None) -> Verdict:
    """How an output differs from what it has to be; None where there is none."""
    wanted, there = Counter(expected.splitlines()), Counter((found or b"").splitlines())
    lost = sum((wanted - there).values())
    doubled = sum(there[line] - count for line, count in wanted.items() if there[line] > count)
    strange = sum(count for line, count in there.items() if line not in wanted)
    return Verdict(found == expected, lost, doubled, strange)


@dataclass
class Row:
    """One line of the table: what was done, how often, and what came of it."""

    fault: str
    tried: int = 0
    hit: int = 0
    right: int = 0
    lost: int = 0
    doubled: int = 0
    left: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add_job(self, hits: int, verdict: Verdict) -> None:
        """A job that was hit so often came to this."""
        self.right += hits if verdict.right else 0
        self.lost += verdict.lost
        self.doubled += verdict.doubled
        if verdict.strange:
            self.notes.append(f"{verdict.strange} line(s) that nobody wrote")

    @property
    def is_clean(self) -> bool:
        """Every hit ended well, and nothing is left."""
        return self.right == self.hit and not (self.lost or self.doubled or self.left or self.notes)

    def faults(self) -> str:
        """Why it is not clean, in a sentence."""
        return (
            f"{self.fault}: of {self.hit} hit(s) {self.right} finished right, {self.lost} line(s) lost, "
            f"{self.doubled} doubled, left behind: {self.left or 'nothing'}. {'; '.join(self.notes)}"
        )


def table(rows: Iterable[Row]) -> str:
    """In Markdown, with the sums, and then what state the chunks were in when they were hit."""
    rows = list(rows)
    head = "| fault | tried | really hit | finished right with the same bytes | lost | doubled | left behind |"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    total = Row("all")
    for row in rows:
        lines.append(_line(row, row.fault))
        total.tried, total.hit, total.right = total.tried + row.tried, total.hit + row.hit, total.right + row.right
        total.lost, total.doubled = total.lost + row.lost, total.doubled + row.doubled
        total.left += row.left
    lines += [_line(total, f"**all {len(rows)}**"), "", "| fault | state at the hit |", "| --- | --- |"]
    for row in rows:
        if row.states:
            lines.append(f"| {row.fault} | {', '.join(f'{n} {state}' for state, n in sorted(row.states.items()))} |")
    return "\n".join(lines)


def _line(row: Row, name: str) -> str:
    return f"| {name} | {row.tried} | {row.hit} | {row.right} | {row.lost} | {row.doubled} | {len(row.left)} |"
