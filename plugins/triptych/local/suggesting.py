"""Which partitioners fit a user's own files, each tried on them: nothing is stored, nothing runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from triptych.blocks import Catalog, Role
from triptych.engines.suggestions.content import Content
from triptych.engines.suggestions.fitting import Suggestion, suggestions
from triptych.engines.suggestions.looking import Look, look
from triptych.errors import SourceError, TriptychError
from triptych.jobs.sources import SourceEntry, resolve_sources
from triptych.jobs.spec import source_locations
from triptych.local.preview import Cut, preview
from triptych.settings import Settings
from triptych.stages.sessions import workbench
from triptych.stages.sources import engine_sources
from triptych.storage import Stores

MOST_FILES = 1000
"""So many are looked at: each takes a request, and files of one folder are most often of one sort."""


@dataclass(frozen=True)
class Group:
    """Files of one content: their locations, as a job names them, and what the first of them is."""

    content: Content
    sources: Sequence[Any]
    names: Sequence[str]
    described: str
    fitting: Sequence[Suggestion]


@dataclass(frozen=True)
class Trial:
    """What a suggestion makes of the files: its first chunk, and how many there are, None where they were not counted.

    `refusal` is the engine's error, which says why it does not fit after all.
    """

    first: Cut | None = None
    chunks: int | None = None
    refusal: str = ""


def groups(settings: Settings, sources: Sequence[Any], found: Catalog) -> list[Group]:
    """The files by what they hold, in the order of the first of each; engines that the catalog lacks are left out.

    `sources` are those of a job spec. Raises SourceError where all are empty, or there are more than MOST_FILES.
    """
    stores = Stores(settings)
    entries = resolve_sources(source_locations(list(sources) or None), stores)
    if len(entries) > MOST_FILES:
        msg = f"These are {len(entries):,} files, and {MOST_FILES:,} at most are looked at. Name some of them."
        raise SourceError(msg)
    with workbench(settings) as work:
        looks = [look(source) for source in engine_sources(entries, stores, work)]
    if all(each.content is Content.EMPTY for each in looks):
        msg = f"All {len(looks)} files are empty: {looks[0].source.label}. Name files that hold something."
        raise SourceError(msg)
    known = {block.name for block in found.blocks if block.role is Role.PARTITIONER}
    by_content: dict[tuple[Content, str], list[tuple[SourceEntry, Look]]] = {}
    for entry, each in zip(entries, looks, strict=True):
        by_content.setdefault((each.content, each.form), []).append((entry, each))
    return [
        _group([entry for entry, _ in some], [each for _, each in some], known)
        for (content, _), some in by_content.items()
        if content is not Content.EMPTY
    ]


def _group(entries: Sequence[SourceEntry], looks: Sequence[Look], known: set[str]) -> Group:
    sources = [{"uri": entry.uri, "conn_id": entry.conn_id} if entry.conn_id else entry.uri for entry in entries]
    fitting = [each for each in suggestions(looks) if each.partitioner in known]
    names = [each.source.path for each in looks]
    return Group(looks[0].content, sources, names, looks[0].described, fitting)


def tried(settings: Settings, suggestion: Suggestion, group: Group, found: Catalog) -> Trial:
    """By the engine's own `partition`; where that is costly, its first chunk alone."""
    engine = found.find(Role.PARTITIONER, suggestion.partitioner)
    trial = Trial(chunks=0)
    try:
        for cut in _some(preview(settings, engine, group.sources, suggestion.params), suggestion):
            trial = replace(trial, first=trial.first or cut, chunks=cut.number + 1)
    except TriptychError as error:
        return Trial(refusal=str(error))
    return replace(trial, chunks=None) if suggestion.is_costly and trial.first else trial


def _some(cuts: Iterator[Cut], suggestion: Suggestion) -> Iterator[Cut]:
    for cut in cuts:
        yield cut
        if suggestion.is_costly:
            return
