"""Whether parts are as long as their spans of the source: what follows one that is not comes at another time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from triptych.engines.audio.span import AudioSpan
from triptych.engines.contracts import Part
from triptych.harmless import harmless_logger

KEPT_S = Fraction(1, 10)
"""By how much a part may differ from its span, as encoders fill up, and still be of its length."""
_log = harmless_logger(__name__)


def tell_lengths(parts: Sequence[tuple[Part[AudioSpan], int]], rate: int) -> None:
    """In the log: parts, with how many frames at `rate` each has, that are not as long as their spans."""
    told = [(part, Fraction(frames, rate), _span_s(part)) for part, frames in parts]
    other = [(part, own, span) for part, own, span in told if span is not None and abs(own - span) > KEPT_S]
    if other:
        part, own, span = other[0]
        said = f"{part.result.label}, the first, has {float(own):.3f} s for {float(span):.3f} s"
        text = "%s: %d of %d parts are not as long as their spans: %s. What follows them comes earlier or later."
        _log.warning(text, part.place.source if part.place else "", len(other), len(parts), said)


def _span_s(part: Part[AudioSpan]) -> Fraction | None:
    place = part.place
    if place is None or place.frames is None or not place.sample_rate:
        return None
    return Fraction(place.frames, place.sample_rate)
