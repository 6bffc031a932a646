"""Which partitioners fit files of one content, the most fitting first, with parameters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from triptych.engines.runtime.resources import MIB
from triptych.engines.suggestions.columns import date_column, key_column, url_column
from triptych.engines.suggestions.content import Content
from triptych.engines.suggestions.looking import Look

LARGE_BYTES = 64 * MIB
"""Beyond it, chunks have a size: a tenth of what is large may be more than an app wants."""
FOLDS = 5
"""So many are usual, and scikit-learn's default."""
_IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp")
_MATE = re.compile(r"(?:^|[._-])R?[12](?=[._-])")


@dataclass(frozen=True)
class Suggestion:
    """`partitioner` with `params` cuts these files; `why` says what it makes of them."""

    partitioner: str
    why: str
    params: Mapping[str, Any] = field(default_factory=dict)
    is_costly: bool = False
    """Whether all chunks take long to make: it decodes, and writes anew, what it reads."""


def suggestions(looks: Sequence[Look]) -> list[Suggestion]:
    """For files of one content; at least one that takes any file."""
    first = looks[0]
    found = [*_BY_CONTENT[first.content](looks)]
    if len(looks) > 1:
        found.append(Suggestion("files", "several whole files in a chunk", {"items_per_chunk": _batch(len(looks))}))
    found.append(Suggestion("passthrough", "each file as it is, a chunk of its own"))
    if first.content is Content.OTHER:
        found.append(Suggestion("bytes", "pieces of equal size, whatever is in them", {"chunk_mib": 64}))
    return found


def _batch(files: int) -> int:
    """So that there are some ten chunks: 200 files -> 20."""
    return max(2, files // 10)


def _records(looks: Sequence[Look], noun: str = "records") -> Suggestion:
    if sum(look.source.size for look in looks) > LARGE_BYTES:
        return Suggestion("rows", f"{noun} in order, by size", {"target_mib": 64})
    return Suggestion("rows", f"{noun} in order, about ten chunks of equal size", {"chunks": 10})


def _table(looks: Sequence[Look]) -> Iterator[Suggestion]:
    # A column that is not in all files is none to cut by.
    shared = set.intersection(*(set(look.columns) for look in looks))
    columns = {name: values for name, values in looks[0].columns.items() if name in shared}
    if url := url_column(columns):
        yield Suggestion("urls", f"the URLs of column {url}", {"field": url, "items_per_chunk": 100})
    yield _records(looks)
    if key := key_column(columns):
        yield Suggestion("keys", f"a chunk for each value of {key}", {"columns": [key]})
    if dates := date_column(columns):
        yield Suggestion("dates", f"a chunk for each {dates.freq} of {dates.column}", dates.to_params())
    if key and looks[0].form != "parquet" and max(Counter(columns[key]).values()) >= FOLDS:
        why = f"{FOLDS} folds to cross-validate with, each with its share of each {key}"
        yield Suggestion("kfold", why, {"folds": FOLDS, "stratify": key})


def _json(looks: Sequence[Look]) -> Iterator[Suggestion]:
    what = f"the items of {looks[0].path}" if looks[0].path else "the items of the document"
    yield Suggestion("json_keys", what, {"path": looks[0].path, "items_per_chunk": 100})


def _log(looks: Sequence[Look]) -> Iterator[Suggestion]:
    yield Suggestion("log_times", "a chunk for each hour, entries of many lines whole", {"window_s": 3600})
    rows = _records(looks, "lines")
    yield Suggestion(rows.partitioner, rows.why, {"format": "lines", **rows.params})


def _urls(looks: Sequence[Look]) -> Iterator[Suggestion]:
    yield Suggestion("urls", "100 URLs in a chunk", {"items_per_chunk": 100})
    yield Suggestion("urls", "the URLs of one host in each chunk", {"items_per_chunk": 100, "by_host": True})


def _document(looks: Sequence[Look]) -> Iterator[Suggestion]:
    if looks[0].form == "pdf":
        yield Suggestion("sections", "a chunk for each page", {"pdf_by": "pages"})
        return
    yield Suggestion("sections", "a chunk for each heading of the first two levels", {"depth": 2})
    if looks[0].form != "docx":
        yield from _text(looks)


def _text(looks: Sequence[Look]) -> Iterator[Suggestion]:
    yield Suggestion("text_size", "at most 2,000 characters, cut at paragraphs", {"chunk_size": 2000})
    rows = _records(looks, "lines")
    yield Suggestion(rows.partitioner, rows.why, {"format": "lines", **rows.params})


def _sequences(looks: Sequence[Look]) -> Iterator[Suggestion]:
    stems = {_MATE.sub("", look.source.name) for look in looks}
    if looks[0].form == "fastq" and len(looks) == 2 * len(stems):
        params = {"items_per_chunk": 10_000, "paired": "files"}
        yield Suggestion("sequences", "10,000 pairs of reads in a chunk", params)
    yield Suggestion("sequences", "10,000 records in a chunk", {"items_per_chunk": 10_000})


def _image(looks: Sequence[Look]) -> Iterator[Suggestion]:
    batches = Suggestion("image_batches", "16 images in a chunk", {"items_per_chunk": 16})
    tiles = Suggestion("image_tiles", "tiles of 512 pixels that know their place", {"tile_size": 512}, is_costly=True)
    yield from (batches, tiles) if len(looks) > 1 else (tiles, batches)


def _audio(looks: Sequence[Look]) -> Iterator[Suggestion]:
    yield Suggestion("audio_time", "a minute in a chunk", {"segment_s": 60}, is_costly=True)
    yield Suggestion("audio_silence", "cut in the silences", {"min_silence_ms": 500}, is_costly=True)
    yield Suggestion("audio_language", "cut where the spoken language changes", is_costly=True)


def _video(looks: Sequence[Look]) -> Iterator[Suggestion]:
    yield Suggestion("video_frames", "segments of 10 s", {"segment_s": 10}, is_costly=True)
    yield Suggestion("video_scenes", "a chunk for each scene", is_costly=True)
    yield Suggestion("video_renditions", "a chunk for each resolution of a ladder", is_costly=True)


def _archive(looks: Sequence[Look]) -> Iterator[Suggestion]:
    suffixes = [PurePosixPath(name).suffix.lower() for look in looks for name in look.members]
    if sum(suffix in _IMAGES for suffix in suffixes) * 2 > len(suffixes):
        yield Suggestion("image_batches", "16 of its images in a chunk", {"items_per_chunk": 16})
    yield Suggestion("codebase", "its files one by one, .gitignore respected", {"unit": "file"})


def _other(looks: Sequence[Look]) -> Iterator[Suggestion]:
    yield from ()


_BY_CONTENT: Mapping[Content, Callable[[Sequence[Look]], Iterator[Suggestion]]] = {
    Content.TABLE: _table,
    Content.JSON: _json,
    Content.LOG: _log,
    Content.URLS: _urls,
    Content.DOCUMENT: _document,
    Content.TEXT: _text,
    Content.SEQUENCES: _sequences,
    Content.IMAGE: _image,
    Content.AUDIO: _audio,
    Content.VIDEO: _video,
    Content.ARCHIVE: _archive,
    Content.OTHER: _other,
    Content.EMPTY: _other,
}
