"""A source cut into segments in one pass over it: packets as they are where both cuts are clean, else encoded anew."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import av

from triptych.engines.streams.prefetch import prefetch
from triptych.engines.video.encoding import CopiedSegment, EncodedSegment
from triptych.engines.video.frame_index import FrameIndex
from triptych.engines.video.packets import MappedStreams, decode_packet, mapped_streams, open_video, packets, time_base

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet

WRITE_ERRORS = (av.FFmpegError, ValueError)


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
    while done < len(cuts) - 1:
        with open_video(data) as source:
            plan = _plan(index, cuts, done, encode_from)
            files = _SegmentFiles(source, plan, template, crf)
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
                pass
            finally:
                files.drop()
        encode_from = done


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
    audio_packets: int
    """How many there are in the file."""


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
    )


class _SegmentFiles:
    """The files of the segments that are being written, by number; each is begun when something is put into it."""

    def __init__(self, source: InputContainer, plan: _Plan, template: Path, crf: int) -> None:
        self._source, self._plan, self._template, self._crf = source, plan, template, crf
        self._open: dict[int, CopiedSegment] = {}

    def put_packet(self, number: int, packet: Packet[Any]) -> None:
        """Raises UnfitError when a copied segment cannot have it, and what FFmpeg says of others."""
        try:
            self._segment(number).packet(packet)
        except WRITE_ERRORS as error:
            self._unfit(number, error)

    def put_frame(self, number: int, frame: av.VideoFrame) -> None:
        """Into an encoded segment; copied ones take none."""
        self._segment(number).frame(frame)

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
            path, start = self._template.with_stem(f"{self._template.stem}{number}"), self._plan.starts[number]
            if self._plan.copied[number]:
                self._open[number] = CopiedSegment(path, self._source, start)
            else:
                self._open[number] = EncodedSegment(path, self._source, start, self._crf)
        return self._open[number]

    def _unfit(self, number: int, error: Exception) -> NoReturn:
        if self._plan.copied[number]:
            raise UnfitError from error
        raise error


@dataclass
class _Progress:
    """How far a pass has come, in numbers of segments."""

    closed: int
    """Those before this are closed, or were before this pass."""
    entered: int = 0
    """To this the last packet of video belongs, as far as clean cuts tell."""
    pictured: int = 0
    """Those before this have all their frames."""
    sounded: int = 0
    """Those before this have all their audio."""
    audio_packets: int = 0
    """That are still to come."""


def _passed(source: InputContainer, plan: _Plan, files: _SegmentFiles) -> Iterator[CopiedSegment]:
    """The segments in order, each closed, of one reading of the source from its first packet.

    Raises UnfitError for one that cannot be copied, and what FFmpeg says of the rest.
    """
    count, work = len(plan.starts), _Pass(mapped_streams(source), plan, files)
    progress = work.progress
    for packet in packets(source, work.streams.all):
        work.add(packet)
        while progress.closed < min(progress.pictured, progress.sounded):
            yield work.close_next()
    work.drain()
    while progress.closed < count:
        yield work.close_next()


class _Pass:
    """Sorts packets, and the frames of those that are decoded, into segments."""

    def __init__(self, streams: MappedStreams, plan: _Plan, files: _SegmentFiles) -> None:
        self.streams, self._plan, self._files = streams, plan, files
        streams.video.thread_type = "AUTO"
        unit = time_base(streams.audio or streams.video)
        self._audio_starts = [ceil(start * time_base(streams.video) / unit) for start in plan.starts]
        self.progress = _Progress(
            plan.done, sounded=0 if plan.audio_packets else len(plan.starts), audio_packets=plan.audio_packets
        )

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
        number = max(0, bisect_right(self._audio_starts, packet.pts or 0) - 1)
        self.progress.audio_packets -= 1
        if not self.progress.audio_packets:
            self.progress.sounded = len(self._plan.starts)
        elif number > self.progress.sounded:
            self.progress.sounded = number
        if number >= self.progress.closed:
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
            if frame.pts is None:
                continue
            number = max(0, bisect_right(self._plan.starts, frame.pts) - 1)
            self.progress.pictured = max(self.progress.pictured, number)
            if number >= self.progress.closed:
                self._files.put_frame(number, frame)
