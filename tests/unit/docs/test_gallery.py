"""Each app that comes with Triptych, and its page in the gallery."""

from __future__ import annotations

import re

from triptych.settings import PROJECT

GALLERY = PROJECT / "docs" / "gallery"
SMALLEST = {"wordcount", "linecount"}
"""To be read in a minute, without a page."""
CHAINS = {"speech_search": "transcribe/passages"}
"""Pages of several apps in a chain, each with what `make demo` runs of it."""
SECTIONS = {"cost", "limits"}
OF_ALL = {"README", "figures"}
"""Pages of no app."""


def _pages() -> set[str]:
    return {path.stem for path in GALLERY.glob("*.md")} - OF_ALL


def test_each_app_has_a_page_and_each_page_an_app() -> None:
    apps = {path.parent.name for path in (PROJECT / "include" / "apps").glob("*/manifest.json")}
    assert _pages() == {*(apps - SMALLEST), *CHAINS}


def test_the_index_names_each_page_once() -> None:
    named = re.findall(r"\]\((\w+)\.md\)", (GALLERY / "README.md").read_text(encoding="utf-8"))
    assert sorted(named) == sorted({*_pages(), "figures"})


def test_each_page_says_how_to_start_what_it_costs_and_where_it_ends() -> None:
    lacking = {}
    for page in _pages():
        text = (GALLERY / f"{page}.md").read_text(encoding="utf-8")
        said = {title.lower() for title in re.findall(r"^## (\w+)", text, re.MULTILINE)}
        started = f"make demo APP={CHAINS.get(page, page)}"
        missing = {*(SECTIONS - said), *(set() if started in text else {"make demo"})}
        if "licence" not in text.lower():
            missing.add("licences")
        if missing:
            lacking[page] = missing
    assert lacking == {}


def test_the_table_of_figures_has_each_app_once_and_no_number_that_its_page_has_not() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) (.*)", (GALLERY / "figures.md").read_text("utf-8"), re.MULTILINE)
    assert [name for name, *_ in rows] == sorted(_pages())
    astray = {}
    for name, page, row in rows:
        assert name == page
        numbers, by = row.rsplit("| `", 1)
        text = (GALLERY / f"{page}.md").read_text("utf-8")
        strange = [
            each for each in re.findall(r"(?<![\w.,])\d[\d,.]*\d|(?<![\w.,])\d", numbers) if not _says(text, each)
        ]
        program = by.split("`")[0]
        if program != f"triptych app test {name}" and not (PROJECT / program).is_file():
            strange.append(program)
        if strange:
            astray[name] = strange
    assert astray == {}


def _says(text: str, number: str) -> bool:
    return re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", text) is not None
