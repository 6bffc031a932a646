"""From how long chunks took, and how many bytes they had, to how long others will take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass
from typing import Any, Self

OLDER_SHARE = 0.5
"""What all jobs before count against the last one: an app that was changed is known after some jobs."""
LEAST_SPREAD = 0.1
"""Where sizes differ less from their mean, they do not tell what a byte costs."""

MOST = 1e100
"""No sum is so large; of what is, no float could be made."""


@dataclass(frozen=True)
class Pace:
    """Sums over chunks, weighted: their number, seconds and bytes, bytes squared, and bytes times seconds."""

    chunks: float
    seconds: float
    bytes: float
    bytes_squared: float
    bytes_seconds: float

    @classmethod
    def of(cls, measured: Iterable[tuple[int, float]]) -> Self | None:
        """From the bytes and seconds of each chunk; None where there is none, or their time is not known."""
        pairs = list(measured)
        made = cls(
            len(pairs),
            sum(seconds for _, seconds in pairs),
            sum(size for size, _ in pairs),
            sum(size * size for size, _ in pairs),
            sum(size * seconds for size, seconds in pairs),
        )
        return made if made.is_known else None

    @property
    def is_known(self) -> bool:
        """Whether it can be reckoned with."""
        return all(0 <= value < MOST for value in astuple(self)) and min(self.chunks, self.seconds) > 0

    def after(self, older: Pace | None) -> Pace:
        """With what was known before this."""
        if older is None:
            return self
        return Pace(*(new + OLDER_SHARE * old for new, old in zip(astuple(self), astuple(older), strict=True)))

    def seconds_of(self, size: int) -> float:
        """How long a chunk of so many bytes takes.

        A fixed time and one for each byte, as the sizes that were seen tell them. Where they were all about the same, a
        larger chunk takes longer by as much as it is larger, and a smaller one as long as those.
        """
        mean_s, mean_bytes = self.seconds / self.chunks, self.bytes / self.chunks
        variance = self.bytes_squared / self.chunks - mean_bytes**2
        if variance <= (LEAST_SPREAD * mean_bytes) ** 2:
            return mean_s * max(1.0, size / mean_bytes) if mean_bytes else mean_s
        slope = (self.bytes_seconds / self.chunks - mean_bytes * mean_s) / variance
        slope = min(max(slope, 0.0), mean_s / mean_bytes)  # Neither part of the time is below nothing.
        return mean_s + slope * (size - mean_bytes)

    def to_json(self) -> dict[str, Any]:
        """As its object holds it."""
        return asdict(self)
