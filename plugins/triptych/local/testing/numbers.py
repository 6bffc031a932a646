"""Texts whose numbers may be a little off: tables, reports, logs of figures."""

from __future__ import annotations

import math
import re
from pathlib import Path

from triptych.local.testing.difference import Difference, excerpts
from triptych.local.testing.lines import compare_lines

_NUMBER = re.compile(r"(?<![\w.])([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])")
"""One that stands alone: what is in `abc123` or `1.2.3` is a name."""


def compare_numbers(name: str, got: Path, expected: Path, relative: float, absolute: float) -> Difference | None:
    """The first line with a number beyond the tolerances (as `math.isclose` has them), or with another text."""
    made, wanted = (path.read_text("utf-8", "replace").splitlines() for path in (got, expected))
    if len(made) != len(wanted):
        # Lines that are close enough are no difference: each is shown as the expected one.
        pairs = zip(made, wanted, strict=False)
        made[: len(wanted)] = [two if _is_close(one, two, relative, absolute) else one for one, two in pairs]
        return compare_lines(name, made, wanted)
    off = [
        at
        for at, (one, other) in enumerate(zip(made, wanted, strict=True))
        if not _is_close(one, other, relative, absolute)
    ]
    if not off:
        return None
    first = off[0]
    return Difference(name, f"line {first + 1:,}", *excerpts(wanted[first], made[first]), more=len(off) - 1)


def close(one: float, other: float, relative: float, absolute: float) -> bool:
    """Within the tolerances; not-a-number equals itself."""
    return math.isclose(one, other, rel_tol=relative, abs_tol=absolute) or (math.isnan(one) and math.isnan(other))


def _is_close(one: str, other: str, relative: float, absolute: float) -> bool:
    if one == other:
        return True
    parts, others = _NUMBER.split(one), _NUMBER.split(other)
    # Texts stand at even places, the numbers between them at odd ones.
    if len(parts) != len(others) or parts[::2] != others[::2]:
        return False
    pairs = zip(parts[1::2], others[1::2], strict=True)
    return all(a == b or close(float(a), float(b), relative, absolute) for a, b in pairs)
