"""A source cut into segments in one pass over it: packets as they are where both cuts are clean, else encoded anew."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import av

from triptych.engines.streams.prefetch import prefetch
from triptych.engines.video.chapters import between, chapters_of
from triptych.engines.video.encoders import Encoding, Looks, UnwritableError, film_encoding, read_looks
from triptych.engines.video.encoding import CopiedSegment, EncodedSegment
from triptych.engines.video.frame_index import FrameIndex
from triptych.engines.video.packets import (
    MappedStreams,
    container_format,
    decode_packet,
    mapped_streams,
    open_video,
    packets,
    time_base,
)
from triptych.harmless import harmless_logger

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.container.core import Chapter as FFmpegChapter
    from av.packet import Packet

WRITE_ERRORS = (av.FFmpegError, ValueError)
_log = harmless_logger(__name__)


@dataclass(frozen=True)
class Segment:
    """Frames `first` to `end` - 1; `frames` is how many there are in the file, which is the user's to remove."""

    first: int
    end: int
    path: Path
    frames: int
    copied: bool


def write_segments(
    data: BinaryIO, index: FrameIndex, cuts: Sequence[int], template: Path, crf: int
) -> Iterator[Segment]:
    """Segments from each of `cuts` to the next, in files named as `template` is but for a number.

    Each frame goes into one segment, and each packet of audio, by its time; what comes before the first frame or after
    the last goes with it. Frames are counted. Where some are missing, the cut was not as clean as it looks: from there
    on all is encoded, by decoding from an earlier one.
    """
    done, encode_from = 0, len(cuts)
    encoded: _Encoded | None = None
    while done < len(cuts) - 1:
        plan = _plan(index, cuts, done, encode_from)
        if encoded is None and not all(plan.copied):
            encoded = _encoded(data, container_format(template.name), crf)
        with open_video(data) as source:
            files = _SegmentFiles(source, plan, template, encoded)
            try:
                # Segments are counted, and used, while the next are written.
                with closing(prefetch(_passed(source, plan, files))) as written:
                    for segment in written:
                        first, end = cuts[done : done + 2]
                        frames = segment.frames()
                        if frames != end - first and encode_from != done:
                            break
                        yield Segment(first, end, segment.path, frames, segment.is_copy)
                        done += 1
            except UnfitError:
                text = "its streams do not go into %s as they are: from segment %d on it is encoded anew (crf %d)."
                _log.warning(text, container_format(template.name), done, crf)
            finally:
                files.drop()
        encode_from = done


@dataclass(frozen=True)
class _Encoded:
    """How segments are encoded."""

    encoding: Encoding
    looks: Looks


def _encoded(data: BinaryIO, format_name: str, crf: int) -> _Encoded:
    """UnwritableError, before anything is written, where no encoder keeps what the source is."""
    with open_video(data) as source:
        looks = read_looks(source)
        encoding = film_encoding(mapped_streams(source).video, looks, format_name, crf)
    if encoding.note:
        _log.info("%s", encoding.note)
    return _Encoded(encoding, looks)


class UnfitError(ValueError):
    """Packets of the source that do not go into a file of that format."""


@dataclass(frozen=True)
class _Plan:
    """How each segment is made, in one pass that writes those from number `done` on."""

    done: int
    starts: list[int]
    """When the first frame of each is shown, in the video's units."""
    copied: list[bool]
    clean_at: dict[int, int]
    """The number of each segment whose first frame can be decoded without what is before, by that frame's time."""
    decode_from: int
    """The segment with which decoding begins, to have the first that is wanted."""
    audio_packets: Mapping[int, int]
    """How many there are in the file of each stream of audio, by its index."""
    lead: int
    """For how long, in the video's units, the first segment has sound before its first frame."""
    is_counted: bool
    """Whether frame n is shown at the time n."""

    def zero(self, number: int) -> int:
        """The source's time that is 0 in this segment: that of its first frame, or of the sound before the first."""
        return self.starts[number] - (0 if number else self.lead)


def _plan(index: FrameIndex, cuts: Sequence[int], done: int, encode_from: int) -> _Plan:
    """Segments from number `encode_from` on are not copied, and that one's beginning is not taken for clean."""
    starts = [index.times[cut] for cut in cuts[:-1]]
    clean = [start in index.clean_keys and number != encode_from for number, start in enumerate(starts)] + [True]
    return _Plan(
        done=done,
        starts=starts,
        copied=[clean[number] and clean[number + 1] and number < encode_from for number in range(len(starts))],
        clean_at={start: number for number, start in enumerate(starts) if clean[number]},
        decode_from=max((number for number in range(done + 1) if clean[number]), default=0),
        audio_packets=index.audio_packets,
        lead=round(index.lead / index.time_base),
        is_counted=index.is_counted,
    )


class _SegmentFiles:
    """The files of the segments that are being written, by number; each is begun when something is put into it."""

    def __init__(self, source: InputContainer, plan: _Plan, template: Path, encoded: _Encoded | None) -> None:
        """`encoded` is there where one segment is not copied."""
        self._source, self._plan, self._template, self._encoded = source, plan, template, encoded
        self._open: dict[int, CopiedSegment] = {}

    def put_packet(self, number: int, packet: Packet[Any]) -> None:
        """Raises UnfitError when a copied segment cannot have it, and what FFmpeg says of others."""
        try:
            self._segment(number).packet(packet)
        except WRITE_ERRORS as error:
            self._unfit(number, error)

    def put_frame(self, number: int, frame: av.VideoFrame) -> None:
        """Into an encoded segment; copied ones take none."""
        try:
            self._segment(number).frame(frame)
        except WRITE_ERRORS as error:
            self._unfit(number, error)

    def close(self, number: int) -> CopiedSegment:
        """The segment, whole; raises as `put_packet` does."""
        segment = self._segment(number)
        try:
            segment.close()
        except WRITE_ERRORS as error:
            self._unfit(number, error)
        del self._open[number]
        return segment

    def drop(self) -> None:
        """Give up what is not finished."""
        for segment in self._open.values():
            with suppress(*WRITE_ERRORS):
                segment.close()
            segment.path.unlink(missing_ok=True)

    def _segment(self, number: int) -> CopiedSegment:
        if number not in self._open:
            path, zero = self._template.with_stem(f"{self._template.stem}{number}"), self._plan.zero(number)
            if self._plan.copied[number] or self._encoded is None:
                self._open[number] = CopiedSegment(path, self._source, zero)
            else:
                how = self._encoded
                self._open[number] = EncodedSegment(path, self._source, zero, how.encoding, how.looks)
            self._open[number].out.set_chapters(self._chapters(number))
        return self._open[number]

    def _chapters(self, number: int) -> list[FFmpegChapter]:
        """Those of the source that lie in the segment, or begin before it or end behind it, by its times."""
        unit, last = time_base(mapped_streams(self._source).video), len(self._plan.starts) - 1
        begin, end = (self._plan.zero(each) * unit for each in (number, min(number + 1, last)))
        found = between(chapters_of(self._source), begin, end if number < last else None)
        return [chapter.to_ffmpeg(place) for place, chapter in enumerate(found, 1)]

    def _unfit(self, number: int, error: Exception) -> NoReturn:
        if self._plan.copied[number]:
            raise UnfitError from error
        if isinstance(error, UnwritableError):
            raise error
        # The file is as it should be, and the library's own words name scratch files.
        name = container_format(self._template.name)
        msg = f"cannot be written again as {name}: its streams do not go into such a file"
        raise UnwritableError(msg) from error


@dataclass
class _Progress:
    """How far a pass has come, in numbers of segments."""

    closed: int
    """Those before this are closed, or were before this pass."""
    entered: int = 0
    """To this the last packet of video belongs, as far as clean cuts tell."""
    pictured: int = 0
    """Those before this have all their frames."""
    sounded: dict[int, int] = field(default_factory=dict)
    """Those before this have all their audio, by the index of its stream."""
    audio_packets: dict[int, int] = field(default_factory=dict)
    """That are still to come, by the index of the stream."""

    def finished(self) -> int:
        """Those before this have all that belongs to them."""
        return min([self.pictured, *self.sounded.values()])


def _passed(source: InputContainer, plan: _Plan, files: _SegmentFiles) -> Iterator[CopiedSegment]:
    """The segments in order, each closed, of one reading of the source from its first packet.

    Raises UnfitError for one that cannot be copied, and what FFmpeg says of the rest.
    """
    count, work = len(plan.starts), _Pass(mapped_streams(source), plan, files)
    progress = work.progress
    for packet in packets(source, work.streams.all):
        work.add(packet)
        while progress.closed < progress.finished():
            yield work.close_next()
    work.drain()
    while progress.closed < count:
        yield work.close_next()


class _Pass:
    """Sorts packets, and the frames of those that are decoded, into segments."""

    def __init__(self, streams: MappedStreams, plan: _Plan, files: _SegmentFiles) -> None:
        self.streams, self._plan, self._files = streams, plan, files
        streams.video.thread_type = "AUTO"
        unit = time_base(streams.video)
        self._audio_starts = {
            sound.index: [ceil(start * unit / time_base(sound)) for start in plan.starts] for sound in streams.sounds
        }
        self._frames = 0
        """Decoded, where times are counted."""
        count = len(plan.starts)
        sounded = {index: 0 if packets else count for index, packets in plan.audio_packets.items()}
        self.progress = _Progress(plan.done, sounded=sounded, audio_packets=dict(plan.audio_packets))

    def add(self, packet: Packet[Any]) -> None:
        """The next packet of either stream."""
        if packet.stream_index == self.streams.video.index:
            self._add_video(packet)
        else:
            self._add_audio(packet)

    def close_next(self) -> CopiedSegment:
        """The first that is not closed yet, of which all has been added."""
        segment = self._files.close(self.progress.closed)
        self.progress.closed += 1
        return segment

    def drain(self) -> None:
        """Take the frames that the decoder still holds back, if it is used here."""
        if not self._plan.copied[self.progress.entered]:
            self._add_frames(self.streams.video.decode(None))
            self.streams.video.codec_context.flush_buffers()

    def _add_audio(self, packet: Packet[Any]) -> None:
        index, progress = packet.stream_index, self.progress
        number = max(0, bisect_right(self._audio_starts[index], packet.pts or 0) - 1)
        progress.audio_packets[index] -= 1
        if not progress.audio_packets[index]:
            progress.sounded[index] = len(self._plan.starts)
        elif number > progress.sounded[index]:
            progress.sounded[index] = number
        if number >= progress.closed:
            self._files.put_packet(number, packet)

    def _add_video(self, packet: Packet[Any]) -> None:
        plan, progress = self._plan, self.progress
        if packet.is_keyframe and packet.pts in plan.clean_at:
            self._enter(plan.clean_at[packet.pts])
        if plan.copied[progress.entered]:
            if progress.entered >= progress.closed:
                self._files.put_packet(progress.entered, packet)
        elif progress.entered >= plan.decode_from:
            self._add_frames(decode_packet(packet))

    def _enter(self, number: int) -> None:
        """Packets of segment `number` begin. A decoder goes on over several segments, for it holds frames back."""
        if self._plan.copied[self.progress.entered] or self._plan.copied[number]:
            self.drain()
            self.progress.pictured = number
        self.progress.entered = number

    def _add_frames(self, frames: Sequence[av.VideoFrame]) -> None:
        for frame in frames:
            if self._plan.is_counted:
                frame.pts, self._frames = self._frames, self._frames + 1
            if frame.pts is None:
                continue
            number = max(0, bisect_right(self._plan.starts, frame.pts) - 1)
            self.progress.pictured = max(self.progress.pictured, number)
            if number >= self.progress.closed:
                self._files.put_frame(number, frame)
