"""subtitles: times of the source, no doubles, and files that FFmpeg reads. Truth: ffmpeg, and what was said."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engines.cases.audio import as_wav, noise
from tests.contract.engines.cases.subtitles import span
from tests.support.engine_harness import Results, join, split
from tests.support.programs import needs_ffmpeg
from triptych.errors import EngineError
from triptych.settings import Settings

Said = tuple[float, float, str]


def _as_ffmpeg_reads(data: bytes, path: Path) -> list[Said]:
    """Its cues as WebVTT, which is what ffmpeg makes of any subtitles; it complains of what it cannot read."""
    path.write_bytes(data)
    command = ["ffmpeg", "-v", "warning", "-nostdin", "-i", str(path), "-f", "webvtt", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    blocks = [block.split("\n") for block in done.stdout.strip().split("\n\n")[1:]]
    cues = []
    for times, *text in blocks:
        start, end = (_seconds(time) for time in times.split(" --> "))
        cues.append((start, end, "\n".join(text)))
    return cues


def _seconds(clock: str) -> float:
    hours, minutes, seconds = (["0", *clock.split(":")])[-3:]
    return round(int(hours) * 3600 + int(minutes) * 60 + float(seconds), 3)


def _clock(seconds: float, mark: str) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{thousandths:03}"


def _srt(said: Sequence[Said]) -> bytes:
    cues = [f"{n}\r\n{_clock(a, ',')} --> {_clock(b, ',')}\r\n{text}\r\n" for n, (a, b, text) in enumerate(said, 1)]
    return ("\ufeff" + "\r\n".join(cues)).encode()


def _vtt(said: Sequence[Said]) -> bytes:
    cues = [f"{_clock(a, '.')} --> {_clock(b, '.')} align:start\n{text}\n" for a, b, text in said]
    return "\n".join(["WEBVTT - made\n", "NOTE of no use\n", *cues]).encode()


def _json(said: Sequence[Said]) -> bytes:
    segments = [{"id": n, "start": a, "end": b, "text": f" {text}"} for n, (a, b, text) in enumerate(said)]
    return json.dumps({"language": "en", "segments": segments}).encode()


WRITERS = {"o.srt": _srt, "o.vtt": _vtt, "o.json": _json}


@needs_ffmpeg
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("format", ["srt", "vtt", "json"])
def test_overlapping_chunks_give_what_was_said_once(settings: Settings, tmp_path: Path, name: str, format: str) -> None:
    draw = random.Random(name)
    said: list[Said] = []
    at = 3550.0
    while at < 3700:
        length = draw.randrange(500, 4000) / 1000
        said.append((round(at, 3), round(at + length, 3), draw.choice(["Yes.", f"Grüße {len(said)}", "two\nlines"])))
        at += length + draw.randrange(50, 900) / 1000
    spans = [(3500 + 20 * n, 3525 + 20 * n) for n in range(11)]
    results = []
    for number, (low, high) in enumerate(spans):
        heard = [(round(a - low, 3), round(b - low, 3), text) for a, b, text in said if low <= a and b <= high]
        results.append(Results({name: WRITERS[name](heard)}, metadata=span(number, 11, low, high, 5 if number else 0)))
    (found,) = join(settings, "subtitles", results, {"format": format}).values()
    if format == "json":
        cues = [(cue["start"], cue["end"], cue["text"]) for cue in json.loads(found)]
    else:
        cues = _as_ffmpeg_reads(found, tmp_path / f"found.{format}")
        numbers = re.findall(r"(?:^|\n\n)([0-9]+)\n", found.decode())
        assert numbers == [str(n + 1) for n in range(len(said))]
    assert cues == said


def test_an_audio_partitioners_chunks_know_their_times(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "t.wav").write_bytes(as_wav(noise(2.5)))
    pieces = split(settings, "audio_time", [tmp_path / "t.wav"], {"segment_s": 1, "overlap_ms": 250})
    results = [Results({"o.json": b'[{"start": 0.5, "end": 0.6, "text": "x"}]'}, metadata=p.metadata) for p in pieces]
    cues = json.loads(join(settings, "subtitles", results, {"format": "json"})["t.json"])
    assert [cue["start"] for cue in cues] == [round(piece.metadata["start_s"] + 0.5, 3) for piece in pieces]
    assert len(cues) == len(pieces) > 2


def _two(before: Sequence[Said], behind: Sequence[Said], settings: Settings, **params: Any) -> list[str]:
    """What is left of two chunks, from 0 to 10 s and from 8 s."""
    spans = span(0, 2, 0, 10), span(1, 2, 8, 18, 2)
    results = [
        Results({"o.json": _json(said)}, metadata=each) for said, each in zip((before, behind), spans, strict=True)
    ]
    found = join(settings, "subtitles", results, {"format": "json", **params})
    return [cue["text"] for cue in json.loads(found["talk0.json"])]


@pytest.mark.parametrize(
    ("before", "behind", "left"),
    [
        # Once whole and once cut off: the whole one.
        ([(7.5, 8.8, "Hello world.")], [(0, 0.8, "world")], ["Hello world."]),
        ([(9.2, 10, "Hello wor")], [(1.2, 2.6, "Hello world.")], ["Hello world."]),
        # Of one text, heard at slightly other times.
        ([(8.7, 9.1, "yes")], [(0.9, 1.3, "Yes.")], ["yes"]),
        # Said twice by both, and once by one: that is no double.
        ([(8.1, 8.4, "no"), (8.5, 8.8, "no")], [(0.1, 0.4, "no"), (0.5, 0.8, "no")], ["no", "no"]),
        ([(9.5, 10, "left")], [(3, 4, "on")], ["left", "on"]),
        # Cut into sentences in different places: nothing is lost.
        ([(8, 10, "one two")], [(0, 0.7, "one"), (0.7, 2, "two")], ["one", "two"]),
    ],
)
def test_doubles_of_an_overlap(
    settings: Settings, before: Sequence[Said], behind: Sequence[Said], left: Sequence[str]
) -> None:
    assert _two(before, behind, settings) == left
    assert len(_two(before, behind, settings, on_overlap="keep")) == len(before) + len(behind)


def test_markup_is_that_of_what_is_written(settings: Settings, tmp_path: Path) -> None:
    srt = b"1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>a</i> <font color=red>&</font> 1 < 2\n\nb --> c\n"
    vtt = (
        b"WEBVTT\n\nSTYLE\n::cue {}\n\nid\n00:01.000 --> 00:02.000 align:start\n<v.loud Ann><i.x>a</i> &amp; 1 &lt; 2\n"
    )
    said = b'{"start": 1, "end": 1, "text": "a & <b>\\n\\n-->", "speaker": "Ann"}\n'

    def written(name: str, data: bytes, format: str) -> str:
        results = [Results({name: data}, metadata=span(0, 1, 0, 3))]
        return join(settings, "subtitles", results, {"format": format})[f"talk0.{format}"].decode()

    assert "00:00:01.000 --> 00:00:02.000\n<i>a</i> &amp; 1 &lt; 2\nb --&gt; c\n" in written("o.srt", srt, "vtt")
    assert json.loads(written("o.srt", srt, "json"))[0]["text"] == "a & 1 < 2\nb --> c"
    assert "--> 00:00:02.000 align:start\n<v.loud Ann><i.x>a</i> &amp; 1 &lt; 2\n" in written("o.vtt", vtt, "vtt")
    assert "00:00:01,000 --> 00:00:02,000\nAnn: <i>a</i> & 1 < 2\n" in written("o.vtt", vtt, "srt")
    assert json.loads(written("o.vtt", vtt, "json")) == [{"start": 1, "end": 2, "text": "a & 1 < 2", "speaker": "Ann"}]
    assert "00:00:01.000 --> 00:00:01.001\n<v Ann>a &amp; &lt;b&gt;\n--&gt;\n" in written("o.jsonl", said, "vtt")
    assert "00:00:01,000 --> 00:00:01,001\nAnn: a & <b>\n->\n" in written("o.jsonl", said, "srt")
    assert written("o.srt", b"", "json") == "[]\n"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"1\n00:00:01,5 --> 00:00:02,000\nx\n", "line 2: '00:00:01,5 --> 00:00:02,000' is no time of a cue"),
        (b"1\n00:00:02,000 --> 00:00:01,000\nx\n", "line 2: the cue ends at 1 s, before it begins at 2 s"),
        (b"1\n-00:00:02,000 --> 00:00:03,000\nx\n", "line 2: '-00:00:02,000"),
        (b"hello\n\n1\n00:00:01,000 --> 00:00:02,000\nx\n", "line 1: 'hello' is neither the number nor the time"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nx\xff\n", "no UTF-8|is no text|encoding"),
        (b"WEBVTT\n\nx\ny\n", "line 3: 'x' begins a cue without a time"),
        (b"WEBVTT\n\n00:61.000 --> 01:02.000\ny\n", "line 3: '00:61.000"),
        (b'[{"start": 1, "end": 2, "text": "x"}, {"start": null, "end": 2, "text": "x"}]', "item 1: 'start' is null"),
        (b'{"start": 1, "end": 2}\n', "line 1: is no object such as"),
        (b'{"segments": [{"start": -1, "end": 2, "text": "x"}]}', r"segments\[0\]: 'start' is -1"),
        # The app has shifted its times: doing it again would be wrong without a word.
        (
            b"1\n00:00:21,000 --> 00:00:22,000\nx\n",
            "line 2: a cue begins at 21 s, and the chunk is from 0 s to 10 s.*times: source",
        ),
    ],
)
def test_bad_times_are_named(settings: Settings, data: bytes, says: str) -> None:
    results = [
        Results({"o.srt": b""}, metadata=span(0, 2, 0, 20)),
        Results({"o.srt": data}, metadata=span(1, 2, 20, 30)),
    ]
    with pytest.raises(EngineError, match=f"chunk 1, 'o.srt': .*({says})"):
        join(settings, "subtitles", results, {})


def test_times_that_the_app_has_shifted(settings: Settings) -> None:
    text = [f"1\n00:00:{3 * n:02}.100 --> 00:00:{3 * n:02}.900\ntext".encode() for n in range(3)]
    results = [Results({"o.srt": each}, metadata=span(n, 3, 3 * n, 3 * n + 3)) for n, each in enumerate(text)]
    found = join(settings, "subtitles", results, {"times": "source"})["talk0.srt"].decode()
    assert re.findall(r"00:00:(..),100", found) == ["00", "03", "06"]
    unshifted = [Results(text, metadata=span(n, 2, 3 * n, 3 * n + 3)) for n, text in enumerate([results[0].files] * 2)]
    with pytest.raises(EngineError, match=r"chunk 1.*times: chunk"):
        join(settings, "subtitles", unshifted, {"times": "source"})


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ([{"source_index": 0, "source": "a.txt", "part": n, "parts": 2} for n in range(2)], "chunk 0.*no 'start_s'"),
        ([{}, {}], "its metadata is no AudioSpan"),
        ([span(0, 3, 0, 1), span(2, 3, 2, 3)], "of the 3 parts of talk0.wav, 1 left no file: 1"),
    ],
)
def test_what_has_no_place_is_refused(settings: Settings, metadata: Sequence[Mapping[str, Any]], says: str) -> None:
    results = [Results({"o.srt": b""}, metadata=each) for each in metadata]
    with pytest.raises(EngineError, match=says):
        join(settings, "subtitles", results, {})


def test_each_source_has_its_file_and_other_files_are_left(settings: Settings) -> None:
    cue = b"00:00:00,100 --> 00:00:00,900\n7\n"
    results = [Results({"o.srt": cue, "o.txt": b"7"}, metadata=span(0, 1, 0, 3, source=n)) for n in range(2)]
    found = join(settings, "subtitles", results, {"results": "*.srt", "suffix": ".en"})
    assert found == {f"talk{n}.en.srt": b"1\n" + cue + b"\n" for n in range(2)}
    with pytest.raises(EngineError, match="has 2 files"):
        join(settings, "subtitles", results, {})
    with pytest.raises(EngineError, match=r"no result is called '\*.vtt'; there are 'o.srt', 'o.txt'"):
        join(settings, "subtitles", results, {"results": "*.vtt"})
