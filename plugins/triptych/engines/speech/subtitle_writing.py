"""Cues written as SRT, WebVTT or JSON, numbered from 1; each text in the markup of what is written."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator

from triptych.engines.speech.cues import Cue, Markup

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[0-9:.]+>")
_STYLE = re.compile(r"<(/?)([ibu])(?:\.[^<>]*)?>", re.IGNORECASE)
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^<>]+)>")
_PLACE = re.compile(r"\{\\[^}]*\}")
"""SRT's own, from SubStation Alpha: {\\an8}."""


def written_cues(cues: Iterable[Cue], markup: Markup) -> Iterator[bytes]:
    """In pieces; a cue is at least a thousandth of a second long, as WebVTT wants it."""
    if markup == "vtt":
        yield b"WEBVTT\n\n"
    number = 0
    for number, cue in enumerate(cues, 1):
        start = round(cue.start_s * 1000)
        end = max(start + 1, round(cue.end_s * 1000))
        if markup == "json":
            said = {"start": start / 1000, "end": end / 1000, "text": _plain(cue)}
            named = {**said, "speaker": _speaker(cue)} if _speaker(cue) else said
            yield (("[\n" if number == 1 else ",\n") + json.dumps(named, ensure_ascii=False)).encode()
            continue
        times = f"{_clock(start, markup)} --> {_clock(end, markup)}"
        if markup == "vtt" and cue.markup == "vtt" and cue.settings:
            times += f" {cue.settings}"
        yield f"{number}\n{times}\n{_vtt(cue) if markup == 'vtt' else _srt(cue)}\n\n".encode()
    if markup == "json":
        yield b"\n]\n" if number else b"[]\n"


def _clock(milliseconds: int, markup: Markup) -> str:
    """3723004 -> 01:02:03,004, with a point in WebVTT."""
    seconds, rest = divmod(milliseconds, 1000)
    mark = "." if markup == "vtt" else ","
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{rest:03}"


def _plain(cue: Cue) -> str:
    if cue.markup == "json":
        return cue.text
    bare = _TAG.sub("", _PLACE.sub("", cue.text) if cue.markup == "srt" else cue.text)
    return html.unescape(bare) if cue.markup == "vtt" else bare


def _speaker(cue: Cue) -> str:
    voices = set(_VOICE.findall(cue.text)) if cue.markup == "vtt" else set()
    return cue.speaker or (voices.pop().strip() if len(voices) == 1 else "")


def _srt(cue: Cue) -> str:
    if cue.markup == "srt":
        return cue.text
    text = cue.text if cue.markup == "json" else html.unescape(_other_tags(cue.text))
    named = f"{_speaker(cue)}: {text}" if _speaker(cue) else text
    # An arrow would be taken for a time.
    return named.replace("-->", "->")


def _vtt(cue: Cue) -> str:
    if cue.markup == "vtt":
        return cue.text
    if cue.markup == "json":
        text = html.escape(cue.text, quote=False)
        return f"<v {html.escape(_speaker(cue), quote=False)}>{text}" if _speaker(cue) else text
    return "".join(_escaped(part) for part in re.split(r"(</?[ibu]>)", _other_tags(_PLACE.sub("", cue.text))))


def _escaped(part: str) -> str:
    return part if re.fullmatch(r"</?[ibu]>", part) else html.escape(part, quote=False)


def _other_tags(text: str) -> str:
    """Without tags but those that SRT and WebVTT share, <i>, <b> and <u>."""
    return _TAG.sub(
        lambda tag: "" if (kept := _STYLE.fullmatch(tag[0])) is None else f"<{kept[1]}{kept[2].lower()}>", text
    )
