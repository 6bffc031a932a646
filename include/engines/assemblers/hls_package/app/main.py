"""Each source's renditions as one package of HTTP Live Streaming: nothing is encoded but what parts make necessary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.contracts import output_names
from triptych.engines.video.concatenation import OutputVideo, join_parts, outputs_of
from triptych.engines.video.packaging.ladder import Film, SoundTrack, read_film, segment_starts
from triptych.engines.video.packaging.playlists import Listed, MediaPlaylist, SoundChoice, Variant, master_text
from triptych.engines.video.packaging.segments import Track, read_track, segments


@dataclass(frozen=True)
class Rendition:
    """A film that is joined, its folder in the package, and the result that its errors name."""

    film: Film
    folder: str
    owner: Result


@dataclass(frozen=True)
class Cut:
    """How all tracks of a package are cut: starts of segments in milliseconds, and by how much all becomes later."""

    starts: Sequence[int]
    shift: Fraction


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    packages: dict[str, list[OutputVideo]] = {}
    for video in outputs_of(results, ""):
        packages.setdefault(video.source, []).append(video)
    for (source, videos), name in zip(packages.items(), output_names(list(packages), ""), strict=True):
        with _joined(videos, params["crf"]) as renditions:
            films = [rendition.film for rendition in renditions]
            starts = segment_starts(source, films, params["segment_s"])
            _write_package(output, name, renditions, Cut(starts, -min(Fraction(0), *(film.first for film in films))))


@contextmanager
def _joined(videos: Sequence[OutputVideo], crf: int) -> Iterator[list[Rendition]]:
    """In the order of the ladder; the files are there for as long as this lasts."""
    renditions: list[Rendition] = []
    for video in videos:
        # MP4 of all: Matroska counts milliseconds.
        path = resources().new_folder() / "joined.mp4"
        join_parts(video, path, crf)
        film = read_film(path)
        owner = next(iter(video.parts.values())).result
        renditions.append(Rendition(film, video.label or f"{film.height}p", owner))
    yield renditions
    for rendition in renditions:
        rendition.film.path.unlink()


def _write_package(output: Output, name: str, renditions: Sequence[Rendition], cut: Cut) -> None:
    """The sound is that of the first rendition that has any: all have the same."""
    variants = []
    for rendition in renditions:
        film = rendition.film
        starts = [film.keys[start] for start in cut.starts]
        track = read_track(film.path, film.pictures, rendition.owner)
        playlist = _write_track(output, f"{name}/{rendition.folder}", track, starts, cut.shift)
        variants.append(Variant(playlist, film.width, film.height, film.frame_rate, film.brightness))
    heard = next((rendition for rendition in renditions if rendition.film.sounds), renditions[0])
    starts = [heard.film.keys[start] for start in cut.starts]
    sounds = []
    for number, sound in enumerate(heard.film.sounds, 1):
        track = read_track(heard.film.path, sound.index, heard.owner)
        playlist = _write_track(output, f"{name}/audio_{number}", track, starts, cut.shift)
        sounds.append(_choice(playlist, sound, number))
    playlists = [variant.playlist for variant in variants] + [sound.playlist for sound in sounds]
    target_s = max(playlist.target_s for playlist in playlists)
    for playlist in playlists:
        _write_text(output, f"{name}/{playlist.uri}", playlist.text(target_s))
    _write_text(output, f"{name}/master.m3u8", master_text(variants, sounds))


def _choice(playlist: MediaPlaylist, sound: SoundTrack, number: int) -> SoundChoice:
    """The first is played unless somebody chooses; numbers make their names unlike each other."""
    name = f"{number} {sound.title or sound.language}".strip()
    return SoundChoice(playlist, name, sound.language, sound.channels, is_default=number == 1)


def _write_track(
    output: Output, folder: str, track: Track, starts: Sequence[Fraction], shift: Fraction
) -> MediaPlaylist:
    own = folder.rpartition("/")[2]
    with output.open(f"{folder}/init.mp4") as out:
        out.write(track.beginning.data)
    listed: list[Listed] = []
    for number, segment in enumerate(segments(track, starts, shift)):
        uri = f"{number:05d}.m4s"
        with output.open(f"{folder}/{uri}") as out:
            out.write(segment.data)
        listed.append(Listed(uri, segment.seconds, len(segment.data)))
    return MediaPlaylist(f"{own}/playlist.m3u8", track.codec, "init.mp4", listed)


def _write_text(output: Output, name: str, text: str) -> None:
    with output.open(name) as out:
        out.write(text.encode())
