"""Text into range chunks of a size in characters, words or tokens, each ending at the best border that fits."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from triptych.engines import Chunk, Source
from triptych.engines.documents.places import TextPlace
from triptych.engines.documents.text import decoded
from triptych.engines.streams.contents import as_text
from triptych.engines.streams.runs import Runs
from triptych.errors import JobSpecError

MAX_CHARACTERS = 2_000_000
"""Of one chunk: what bounds memory, as a word has no length."""
CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
UNITS = {
    "words": re.compile(r"\S+"),
    # English comes to 1.3 tokens a word, as with the byte-pair vocabularies of today's models.
    "tokens": re.compile(rf"[A-Za-z]{{1,5}}|[0-9]{{1,3}}|[{CJK}]|(?:(?![A-Za-z{CJK}])[^\W\d_]){{1,2}}|\S"),
}
BLANK_LINES = r"\n(?:[ \t]*\r?\n)+"
# After a single letter (initials, "e.g.") or a title, a full stop ends no sentence; nor before a small letter.
FULL_STOP = r"(?<!\b[A-Za-z])(?<!\b(?:Mr|Ms|Dr|St|vs|cf|No|Jr))(?<!\b(?:Mrs|Fig))\."
# Each run of signs or spaces is looked at from its beginning alone, and once: time grows with the text.
END = r"(?<![.!?\u2026][.!?\u2026])"
SENTENCE = rf"{END}(?:[!?\u2026]|{FULL_STOP})[.!?\u2026]*+[\"'\u201d\u2019\xbb)\]]*+\s++(?=[^\sa-z])"
CJK_SENTENCE = r"[\u3002\uff01\uff1f][\u300d\u300f\u201d\u2019\uff09]*"
BORDERS = {
    "paragraph": re.compile(BLANK_LINES),
    "sentence": re.compile(f"{SENTENCE}|{CJK_SENTENCE}|{BLANK_LINES}"),
    "line": re.compile(r"\n(?:[ \t]*\r?\n)*"),
    "word": re.compile(r"(?<!\s)\s++(?=\S)"),
}


class Cut(NamedTuple):
    """`text`, from character `start` of the source, the first `overlap` of its characters repeated; ends at `ends`."""

    start: int
    text: str
    overlap: int
    ends: str


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    if params["chunk_overlap"] >= params["chunk_size"]:
        msg = (
            f"params.partitioner.chunk_overlap: is {params['chunk_overlap']}; the overlap must be less than the "
            f"chunk_size, {params['chunk_size']}."
        )
        raise JobSpecError(msg)
    for source in sources:
        yield from _of_source(source, params)


def _of_source(source: Source, params: Mapping[str, Any]) -> Iterator[Chunk]:
    path = PurePosixPath(source.path.replace("/", "_"))
    stem, suffix, end_byte = path.stem, path.suffix, 0
    item, _ = as_text(source)
    chunks = Runs(source, item)
    for index, cut in enumerate(cuts(decoded(item), params)):
        first_byte = end_byte - len(cut.text[: cut.overlap].encode())
        size = len(cut.text.encode())
        end_byte = first_byte + size
        place = TextPlace(
            source_index=source.index,
            source=source.path,
            first_byte=first_byte,
            first_character=cut.start,
            characters=len(cut.text),
            overlap_characters=cut.overlap,
            ends=cut.ends,
        )
        yield chunks.chunk(
            [(first_byte, size)],
            name=f"{stem}_{index:05d}{suffix}",
            items=_count(cut.text, params["unit"]),
            metadata=place.to_metadata(),
        )


def cuts(blocks: Iterator[str], params: Mapping[str, Any]) -> Iterator[Cut]:
    """Each cut reaches as far as the size allows, back to the last border of the coarsest kind that is there."""
    text, before, more = "", 0, True
    start = end = 0
    while True:
        limit = _limit(text, start, params)
        if limit is None and more:
            block = next(blocks, None)
            more = block is not None
            text, before = text[start:] + (block or ""), before + start
            start, end = 0, end - start
            continue
        if limit is None:
            if len(text) > end:
                yield Cut(before + start, text[start:], end - start, "text")
            return
        kind, cut = _border(text, end, limit, params["separator"])
        yield Cut(before + start, text[start:cut], end - start, kind)
        start, end = _overlap_start(text, start, cut, params), cut


def _limit(text: str, start: int, params: Mapping[str, Any]) -> int | None:
    """Where the unit begins that is one too many; None when the text so far does not reach it."""
    longest = start + MAX_CHARACTERS
    if params["unit"] == "characters":
        limit = start + int(params["chunk_size"])
        return limit if limit < len(text) else None
    found = next(islice(UNITS[params["unit"]].finditer(text, start, longest), params["chunk_size"], None), None)
    if found is not None:
        return found.start()
    return longest if longest < len(text) else None


def _border(text: str, after: int, limit: int, coarsest: str) -> tuple[str, int]:
    """The last border in (after, limit], of the coarsest kind that has one there, and its kind."""
    kinds = [*BORDERS, "any"]
    for kind in kinds[kinds.index(coarsest) : -1]:
        if cut := _last(BORDERS[kind], text, after, limit):
            return kind, cut
    return "any", _between_letters(text, after, limit)


def _last(border: re.Pattern[str], text: str, after: int, limit: int) -> int | None:
    """Looks at the last 1000 characters first, then eight times as many, and so on."""
    width = 1000
    while True:
        begin = max(after, limit - width)
        # One character more than the limit, for what must follow a border.
        ends = [found.end() for found in border.finditer(text, begin, limit + 1)]
        if good := [end for end in ends[-2:] if after < end <= limit]:
            return good[-1]
        if begin == after:
            return None
        width *= 8


def _between_letters(text: str, after: int, limit: int) -> int:
    """Back from inside a letter with its accents, a joined emoji, or CR LF; at most 32 characters."""
    for cut in range(limit, max(after, limit - 32), -1):
        left, right = text[cut - 1], text[cut]
        joined = unicodedata.category(right)[0] == "M" or "\u200d" in (left, right)
        if not joined and left + right != "\r\n":
            return cut
    return limit


def _overlap_start(text: str, start: int, cut: int, params: Mapping[str, Any]) -> int:
    """Where the next chunk begins: up to `overlap` units before `cut`, with a whole word if there is one."""
    if not params["chunk_overlap"]:
        return cut
    if params["unit"] == "characters":
        begin = max(start, cut - int(params["chunk_overlap"]))
    else:
        last = deque(UNITS[params["unit"]].finditer(text, start, cut), params["chunk_overlap"])
        begin = last[0].start() if last else cut
    begin = max(begin, cut - MAX_CHARACTERS // 2)
    if begin and text[begin - 1].isspace():
        return begin
    word = BORDERS["word"].search(text, begin, cut)
    return word.end() if word else begin


def _count(text: str, unit: str) -> int:
    if unit == "characters":
        return len(text)
    if unit == "words":
        return len(text.split())
    return sum(1 for _ in UNITS[unit].finditer(text))
