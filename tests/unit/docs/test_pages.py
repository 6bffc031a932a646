"""The written pages: their links lead somewhere, and the map shows the layers that are tested."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.support.names_of_others import MADE_ON_THE_WAY
from tests.unit.architecture.test_layers import FAMILIES, PACKAGES
from triptych.blocks import BUILT_IN, Role, read_catalog
from triptych.jobs.spec import config_schema
from triptych.settings import PROJECT

MAP = PROJECT / "docs" / "explanation" / "architecture.md"
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
PREVIEW = re.compile(r"triptych engine preview (\w+)([^`\n]*)")
RUN = re.compile(r"triptych run (\w+)([^`\n]*)")
PARAMETER = re.compile(r"(?:-p|--param) ([\w.]+)=")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _links(page: Path) -> Iterator[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    yield from (link for link in LINK.findall(text) if "://" not in link)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_no_word_is_taken_for_html(page: Path) -> None:
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text(encoding="utf-8"))
    inner = [*tokens, *(each for token in tokens for each in token.children or ())]
    html = [each.content for each in inner if each.type in ("html_inline", "html_block")]
    assert [text for text in html if not text.startswith("<!--")] == [], "Write it as code, or with a backslash."


def _parameters(command: re.Pattern[str]) -> set[tuple[str, str]]:
    """(engine or template, parameter) of each such command that a page shows."""
    commands = [found for page in PAGES for found in command.findall(page.read_text(encoding="utf-8"))]
    return {(name, key) for name, options in commands for key in PARAMETER.findall(options)}


def test_commands_in_the_pages_give_parameters_that_exist() -> None:
    catalog = read_catalog([BUILT_IN])
    engines = {block.name: block for block in catalog.blocks if block.role is Role.PARTITIONER}
    shown = {(name, key) for name, key in _parameters(PREVIEW) if name in engines}  # Others the pages make themselves.
    assert ("rows", "items_per_chunk") in shown
    assert [each for each in shown if each[1] not in engines[each[0]].schema["properties"]] == []
    runs = {(name, *key.split(".")) for name, key in _parameters(RUN) if name not in MADE_ON_THE_WAY}
    assert ("wordcount", "partitioner", "items_per_chunk") in runs
    templates = {name: catalog.template(name).blocks for name, *_ in runs}
    known = {
        (name, role.value, key)
        for name, blocks in templates.items()
        for role in Role
        for key in blocks[role].schema["properties"]
    }
    known |= {(name, "config", key) for name in templates for key in config_schema()["properties"]}
    unknown = runs - known
    assert not unknown


def test_every_page_is_in_the_index() -> None:
    """Those of the gallery in its own."""
    docs = PROJECT / "docs"
    indexes = (docs / "README.md", docs / "gallery" / "README.md")
    linked = {(index.parent / link.partition("#")[0]).resolve() for index in indexes for link in _links(index)}
    unlinked = set(docs.rglob("*.md")) - linked - {docs / "README.md"}
    assert not unlinked


def test_the_map_shows_the_layers() -> None:
    (drawing,) = re.findall(r"^```text\n(.*?)^```$", MAP.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    floors = [frozenset(re.split(r"\s{2,}", line)[0].split(", ")) for line in reversed(drawing.splitlines())]
    assert floors == [floor - {""} for floor in PACKAGES]


def test_the_map_has_a_line_for_each_family_from_the_ground_up() -> None:
    _, _, text = MAP.read_text(encoding="utf-8").partition("## The families of engines")
    named = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    above = [family for floor in FAMILIES[3:] for family in sorted(floor)]
    assert named == above
