"""The report in a real browser, from ten chunks to a hundred thousand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.pack_logs import tried
from tests.support.recorded_jobs import LAUNCHED, plan_of, run_all, tell, workspace_at
from triptych.api.routes.report import ALONE
from triptych.jobs.pack_log import LogPart
from triptych.jobs.workspace import Workspace
from triptych.reports import Prices, files_of, measure
from triptych.reports.ended import put_ended

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OWNED = "document.title='owned'"
HOSTILE = f'</script></pre><script>{OWNED}</script><img src=x onerror="{OWNED}">\x1b[31m\U0001f4a5'
MOST_ELEMENTS = 5000
"""Whatever the job's size: the browser lays out each of them."""
MOST_BYTES = 4 << 20
DRAWN = "document.documentElement.dataset.drawn"
COLOURS = """() => {
  const canvas = document.getElementById("timeline");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const found = {};
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3] === 255) { const key = data.slice(at, at + 3).join(); found[key] = (found[key] || 0) + 1; }
  return found;
}"""
DONE, FAILED, SLOW = "47,111,219", "207,46,60", "15,155,176"
"""As the style has them, in daylight."""
Open = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a file, once its timeline is drawn; fails where the page says an error or asks anybody anything."""
    said: list[str] = []
    pages: list[Page] = []

    def show(path: Path, **how: Any) -> Page:
        page = browser.new_page(**{"viewport": {"width": 1360, "height": 900}, "color_scheme": "light", **how})
        pages.append(page)
        # Of the test's own looking at pixels Chromium says that it could be faster.
        page.on("console", lambda each: None if each.text.startswith("Canvas2D") else said.append(each.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: said.append(asked.url) if asked.url != path.as_uri() else None)
        page.goto(path.as_uri())
        page.wait_for_function(DRAWN)
        return page

    yield show
    for page in pages:
        page.close()
    assert said == []


def _written(workspace: Workspace, folder: Path) -> Path:
    report = measure(workspace, Prices(0.04, 0.005))
    assert report is not None
    for name, data in files_of(report).items():
        (folder / name).write_bytes(data)
    return folder / "report.html"


def _job(folder: Path, chunks: int, failed: float = 0.004) -> Path:
    workspace = workspace_at(folder)
    run_all(workspace, plan_of(workspace, chunks), failed=failed)
    put_ended(workspace, 0, None)
    return _written(workspace, folder)


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 1,000 chunks, some of which failed, and one that took long."""
    return _job(tmp_path_factory.mktemp("job"), 1000)


@pytest.mark.parametrize("chunks", [10, 1000, 100_000])
def test_it_is_light_and_whole_whatever_the_jobs_size(tmp_path: Path, opened: Open, shoot: Any, chunks: int) -> None:
    path = _job(tmp_path, chunks, failed=0.2 if chunks == 10 else 0.004)
    page = opened(path)
    shoot(page, f"report-{chunks}")
    assert path.stat().st_size < MOST_BYTES
    assert int(page.evaluate(DRAWN)) >= chunks
    assert page.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS
    colours = page.evaluate(COLOURS)
    assert colours.get(DONE, 0) > 1000
    assert colours.get(FAILED, 0) > 0
    assert page.get_by_role("heading", name="Chunks done").is_visible()


def test_hostile_text_is_shown_and_does_nothing(tmp_path: Path, opened: Open, shoot: Any) -> None:
    workspace = workspace_at(tmp_path)
    plan = plan_of(workspace, 2, per_task=2, name=HOSTILE)
    log = f"{HOSTILE}\n{'y' * 1_000_000}\n".encode()
    workspace.store.put(workspace.uri("logs/l"), log)
    failed = replace(tried(0, "a", error=HOSTILE), worker=HOSTILE, started=LAUNCHED, log=LogPart("logs/l", 0, len(log)))
    tell(workspace, plan, plan.packs[0], [failed, replace(tried(1, "b"), worker=HOSTILE, started=LAUNCHED)])
    put_ended(workspace, 0, HOSTILE)
    page = opened(_written(workspace, tmp_path))
    shoot(page, "report-hostile")
    assert page.locator("h1").inner_text() == HOSTILE.replace("\x1b", "\\x1b")
    assert page.title() != "owned"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_browser_lets_it_ask_nobody_and_run_nothing_else(thousand: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(thousand.as_uri())
    blocked = page.evaluate(
        """async () => {
          const blocked = new Set();
          const all = new Promise((resolve) => document.addEventListener("securitypolicyviolation", (event) => {
            blocked.add(event.effectiveDirective);
            if (blocked.size === 3) resolve();
          }));
          await fetch("http://127.0.0.1:9/").catch(() => {});
          const script = document.createElement("script");
          script.textContent = "document.title = 'owned'";
          document.body.append(script);
          const picture = new Image();
          picture.src = "http://127.0.0.1:9/x.png";
          document.body.append(picture);
          await all;
          return [...blocked];
        }"""
    )
    assert set(blocked) == {"connect-src", "script-src-elem", "img-src"}
    assert page.title() != "owned"
    page.close()


def test_a_chunk_is_found_by_its_number(thousand: Path, opened: Open, shoot: Any) -> None:
    page = opened(thousand)
    page.get_by_role("textbox", name="Chunk").fill("761")
    page.get_by_role("button", name="Find").click()
    found = page.get_by_role("status")
    assert found.inner_text().startswith("Chunk 761: ")
    shoot(page, "report-found")
    page.get_by_role("textbox", name="Chunk").fill("123456")
    page.keyboard.press("Enter")
    assert found.inner_text() == "No try at chunk 123456 is here."


def test_it_works_as_airflow_serves_it_in_a_sandbox(thousand: Path, browser: Browser) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda each: said.append(each.text))
    page.route("**/*", lambda route: route.fulfill(body=thousand.read_text(), content_type="text/html", headers=ALONE))
    page.goto("http://127.0.0.1/report")
    page.wait_for_function(DRAWN)
    page.get_by_role("textbox", name="Chunk").fill("761")
    page.get_by_role("button", name="Find").click()
    assert page.get_by_role("status").inner_text().startswith("Chunk 761: ")
    assert page.evaluate("window.origin") == "null"
    assert said == []
    page.close()


def test_the_mouse_looks_closer_and_says_what_lies_under_it(thousand: Path, opened: Open, shoot: Any) -> None:
    page = opened(thousand)
    canvas = page.locator("#timeline")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 40)
    tip = page.locator("#tip")
    assert tip.inner_text().startswith("Chunk ")
    before = page.evaluate(COLOURS)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 40)
    page.mouse.up()
    closer = page.evaluate(COLOURS)
    assert closer != before
    shoot(page, "report-closer")
    canvas.dblclick(position={"x": 500, "y": 40})
    page.mouse.move(0, 0)
    canvas.press("Home")
    assert page.locator("#found").count() == 1


def test_keys_do_what_the_mouse_does(thousand: Path, opened: Open) -> None:
    page = opened(thousand)
    canvas = page.locator("#timeline")
    canvas.focus()
    whole = page.evaluate(COLOURS)
    canvas.press("+")
    closer = page.evaluate(COLOURS)
    canvas.press("ArrowRight")
    aside = page.evaluate(COLOURS)
    canvas.press("Home")
    assert len({str(each) for each in (whole, closer, aside)}) == 3
    assert page.evaluate(COLOURS) == whole


def test_dark_is_dark_and_a_telephone_shows_all_of_its_width(thousand: Path, opened: Open, shoot: Any) -> None:
    dark = opened(thousand, color_scheme="dark")
    shoot(dark, "report-dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert dark.evaluate(ground) == "rgb(16, 20, 27)"
    assert DONE not in dark.evaluate(COLOURS)
    small = opened(thousand, viewport={"width": 390, "height": 800})
    shoot(small, "report-small")
    assert small.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_scripts_all_but_the_timeline_is_there(thousand: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(thousand.as_uri())
    assert page.get_by_text("The timeline needs JavaScript").is_visible()
    for heading in ("Failures", "Durations", "Memory", "Stragglers", "Retries", "Workers", "What it took", "The job"):
        assert page.get_by_role("heading", name=heading, exact=True).is_visible()
    context.close()


def test_what_is_drawn_has_a_name_and_what_is_written_can_be_read(thousand: Path, opened: Open) -> None:
    page = opened(thousand)
    nameless = (
        "[...document.querySelectorAll('svg,canvas,input')].filter((e) => !e.ariaLabel && !e.labels?.length).length"
    )
    assert page.evaluate(nameless) == 0
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    # WCAG 2.2, 1.4.3: 4.5 to 1 for text.
    contrast = """() => {
      const light = (text) => { const part = text.match(/[\\d.]+/g).slice(0, 3).map((n) => { n /= 255;
        return n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2]; };
      const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
        if (c !== "rgba(0, 0, 0, 0)") return c; } return "rgb(255, 255, 255)"; };
      return [...document.querySelectorAll("p,th,td,h1,h2,summary,dt,dd,b,.count,.state")].filter((e) => {
        const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05) < 4.5; }).map((e) => `${e.tagName} ${e.className}: ${e.textContent}`);
    }"""
    assert page.evaluate(contrast) == []
    assert opened(thousand, color_scheme="dark").evaluate(contrast) == []
