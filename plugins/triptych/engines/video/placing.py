"""Where each part lies in the whole: at its span of the source, where it is as long as that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from triptych.engines.contracts import Part
from triptych.engines.video.muxing import PartHead
from triptych.engines.video.segment import VideoSegment
from triptych.engines.video.tracks import Spot
from triptych.errors import EngineError
from triptych.harmless import harmless_logger

KEPT_S = Fraction(1, 10)
"""By how much a part may be longer than its span, as encoders fill up, and still be of its length."""
KEPT_SHARE = Fraction(9, 10)
"""Parts that are all shorter than this share of their spans were made quicker."""
MICROSECOND = 1_000_000
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class Piece:
    """What lies at a spot: a part with its head, or `frames` black frames."""

    spot: Spot
    length_s: Fraction
    part: Part[VideoSegment] | None = None
    head: PartHead | None = None
    frames: int = 0

    def ends(self) -> Fraction:
        """When it ends in the whole, in seconds."""
        return self.spot.begin + self.length_s


@dataclass(frozen=True)
class _Span:
    """Frames of a source, and from when to when they are shown there."""

    part: Part[VideoSegment] | None
    head: PartHead | None
    begin: Fraction
    end: Fraction
    frames: int = 0


def placed(
    name: str, parts: Sequence[Part[VideoSegment]], heads: Sequence[PartHead], *, fills: bool = False
) -> list[Piece]:
    """Each part at its span, one behind the other, whatever lies between; with `fills` that is black.

    Parts of which nobody tells the span, or that have another length, follow each other by their own lengths.
    """
    spans = [_span(part, head) for part, head in zip(parts, heads, strict=True)]
    known = [span for span in spans if span]
    if len(known) < len(spans) or not _is_kept(known):
        if fills and len(parts) and _lacks(parts):
            msg = f"{name}: parts are missing, and how long they are nobody tells. Set on_missing to skip or fail."
            raise EngineError(msg)
        if len(known) == len(spans):
            _log.info("%s: its parts follow each other by their own lengths, which are not those of their spans.", name)
        return _behind_each_other(parts, heads)
    _tell_stills(name, known)
    return _at_spans(list(_filled(known)) if fills else known)


def _span(part: Part[VideoSegment], head: PartHead) -> _Span | None:
    place = part.place
    if place is None or place.end_s is None:
        return None
    return _Span(part, head, _exact(place.start_s), _exact(place.end_s))


def _exact(seconds: float) -> Fraction:
    """The time that was meant, of a number of JSON: to the microsecond, which no file counts finer than."""
    return Fraction(seconds).limit_denominator(MICROSECOND)


def _is_kept(spans: Sequence[_Span]) -> bool:
    lengths = [(span.head.length_s, span.end - span.begin) for span in spans if span.head]
    is_longer = any(own > told + KEPT_S for own, told in lengths)
    return not is_longer and any(own >= KEPT_SHARE * told for own, told in lengths)


def _tell_stills(name: str, spans: Sequence[_Span]) -> None:
    """In the log: parts that end before their spans do."""
    short = [
        (span.part, span.head.length_s, span.end - span.begin)
        for span in spans
        if span.part and span.head and span.head.length_s + KEPT_S < span.end - span.begin
    ]
    if short:
        part, own, told = short[0]
        said = f"{part.result.label}, the first, after {float(own):.3f} s of {float(told):.3f} s"
        text = "%s: %d of %d parts end before their spans do: %s. Their last picture stays until the next part."
        _log.warning(text, name, len(short), len(spans), said)


def _lacks(parts: Sequence[Part[VideoSegment]]) -> bool:
    return [part.number for part in parts] != list(range(len(parts)))


def _filled(spans: Sequence[_Span]) -> Iterator[_Span]:
    """With a span of black frames wherever the source has frames and there is no part."""
    last = spans[-1].part
    whole = last.place if last else None
    end_s, frames = (whole.source_s, whole.source_frames) if whole else (None, None)
    at, count = Fraction(0), 0
    for span in spans:
        place = span.part.place if span.part else None
        if place and place.first_frame > count:
            yield _Span(None, None, at, span.begin, place.first_frame - count)
        yield span
        at, count = span.end, (place.first_frame + (place.frames or 0)) if place else count
    if end_s is not None and frames is not None and frames > count:
        yield _Span(None, None, at, _exact(end_s), frames - count)


def _at_spans(spans: Sequence[_Span]) -> list[Piece]:
    """As in the source, but that what is between two spans is left out."""
    first = next(span.part for span in spans if span.part)
    lead = _exact(first.place.lead_s) if first.place and first.place.first_frame == 0 else Fraction(0)
    pieces: list[Piece] = []
    at, before = lead, spans[0].begin
    for number, span in enumerate(spans):
        if span.begin != before:
            _log.debug("What lies between %s s and %s s is left out.", float(before), float(span.begin))
        length, before = span.end - span.begin, span.end
        is_last = number == len(spans) - 1
        begin = Fraction(0) if number == 0 else at
        shift = at - (span.head.first_s if span.head else Fraction(0))
        spot = Spot(shift, begin, None if is_last else at + length)
        pieces.append(Piece(spot, at + length - begin, span.part, span.head, span.frames))
        at += length
    return pieces


def _behind_each_other(parts: Sequence[Part[VideoSegment]], heads: Sequence[PartHead]) -> list[Piece]:
    """The first as it is, and each of the others from its first frame on."""
    pieces: list[Piece] = []
    at = Fraction(0)
    for number, (part, head) in enumerate(zip(parts, heads, strict=True)):
        lead = head.first_s if number == 0 else Fraction(0)
        length = lead + head.length_s
        is_last = number == len(parts) - 1
        spot = Spot(at + lead - head.first_s, at, None if is_last else at + length)
        pieces.append(Piece(spot, length, part, head))
        at += length
    return pieces
