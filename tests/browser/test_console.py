"""The console in a real browser, in a real Airflow, over jobs that ran in containers."""

from __future__ import annotations

import base64
import json
import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.behind_proxy import PATH, behind_proxy
from tests.support.console_world import BROKEN, CHUNKS, SVG, TEAMS, ConsoleWorld, console_world
from tests.support.firefox import firefox

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

    from tests.browser.conftest import Shoot

pytestmark = [pytest.mark.airflow, pytest.mark.docker]
CONSOLE = "/triptych/v1/console/"
MOST_ELEMENTS = 1000
MANY = 100_000
LONG_MS = 120_000
"""For a job to end, on a machine that does other things, too."""
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleWorld]:
    with console_world(tmp_path_factory.mktemp("console")) as started:
        yield started


@pytest.fixture(scope="module")
def kinds(world: ConsoleWorld) -> str:
    """A job whose output has files of many kinds."""
    world.airflow.client.wait_for_run("kinds", world.kinds)
    return f"kinds~{world.kinds}"


@pytest.fixture
def opened(browser: Browser, world: ConsoleWorld) -> Iterator[Open]:
    """Opens a path of the console as a user; fails where the page says an error, or asks another server anything."""
    said: list[str] = []
    contexts = []

    def show(user: str, hash_: str = "", path: str = CONSOLE, **how: Any) -> Page:
        context = browser.new_context(viewport={"width": 1360, "height": 900}, **how)
        contexts.append(context)
        context.add_cookies([{"name": "_token", "value": world.token(user), "url": world.airflow.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda asked: said.append(asked.url) if _is_elsewhere(asked.url, world) else None)
        page.goto(f"{world.airflow.url}{path}{hash_}")
        return page

    yield show
    for context in contexts:
        context.close()
    assert said == []


def _is_elsewhere(url: str, world: ConsoleWorld) -> bool:
    return not url.startswith((f"{world.airflow.url}/", "data:", "blob:"))


def _states(page: Page, word: str, **how: Any) -> None:
    page.locator("h1 .state", has_text=re.compile(f"^{word}$")).wait_for(**how)


def test_two_failing_chunks_are_found_debugged_and_repaired(world: ConsoleWorld, opened: Open, shoot: Shoot) -> None:
    """By the browser alone, but for the editor in which the app is mended."""
    world.airflow.client.wait_for_dag("frames")
    page = opened("ann")
    page.get_by_role("link", name="Launch a job").click()
    page.get_by_role("link", name="frames", exact=True).click()
    page.get_by_role("button", name="Launch").click()
    _states(page, "failed", timeout=LONG_MS)
    job = page.url.partition("#/jobs/")[2]
    page.goto(f"{world.airflow.url}{CONSOLE}")
    page.get_by_label("State").select_option(label="failed")
    page.locator(f"td a[href='#/jobs/{job.partition('~')[2]}']").click()
    page.get_by_text(f"{CHUNKS - 2} of 1,000 chunks done").or_(page.get_by_text("2 failed")).first.wait_for()
    page.locator(f"td a:text-is('{BROKEN[1]}')").wait_for()
    assert page.locator("tbody td:first-child").all_inner_texts() == [str(number) for number in BROKEN]
    shoot(page, "console-job")
    page.locator(f"td a:text-is('{BROKEN[0]}')").click()
    page.get_by_text(f"reading frame {BROKEN[0]}").last.wait_for()
    assert set(page.locator("pre.log").inner_text().split("\n")) == {
        f"reading frame {BROKEN[0]}",
        "no such codec: x-odd",
        "",
    }
    assert page.locator("article").get_by_text("exit code 3", exact=True).is_visible()
    shoot(page, "console-chunk")
    world.mend()
    page.get_by_label("Code of the retry").select_option(label="the code as it is now")
    page.get_by_role("button", name="Retry failed chunks").click()
    _states(page, "done", timeout=LONG_MS)
    page.get_by_text(f"frame {BROKEN[0]}").first.wait_for()  # Of its result, beside the log of the first try.
    page.get_by_role("link", name="chunks", exact=True).click()
    page.get_by_text("1,002 tries").wait_for()
    assert page.get_by_role("button", name="2 retried").is_visible()
    page.get_by_role("link", name="output", exact=True).click()
    page.locator("details.file").wait_for()
    shoot(page, "console-repaired")


def test_what_a_container_wrote_is_shown_and_never_run(opened: Open, kinds: str, shoot: Shoot) -> None:
    page = opened("ann", f"#/jobs/{quote(kinds)}/output")
    page.locator("details.file").last.wait_for()
    for summary in page.locator("details.file > summary").all():
        summary.click()
    file = {name: page.locator("details.file", has=page.get_by_text(name, exact=True)) for name in _names(page)}
    shown = file["picture.png"].locator("img")
    shown.wait_for()
    assert shown.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [64, 64]
    file["chart.svg"].locator("img").wait_for()
    assert file["chart.svg"].locator("img").evaluate("image => image.naturalWidth") == 200
    assert file["tone.wav"].locator("audio").evaluate("sound => sound.src").startswith("blob:")
    file["table.csv"].locator("table").wait_for()
    assert file["table.csv"].locator("tr").nth(1).locator("td").all_inner_texts() == ["alpha", "3", "a, quoted"]
    assert file["lines.jsonl"].locator("th").all_inner_texts() == ["a", "b"]
    file["cities.parquet"].get_by_text("2 rows, 2 columns.", exact=True).wait_for()
    assert file["cities.parquet"].locator("th").all_inner_texts() == ["city", "people"]
    assert file["cities.parquet"].locator("td").all_inner_texts() == ["Oulu", "215000", "<b>Pau</b>", "78000"]
    file["rain.xlsx"].get_by_text("Sheet Rain").wait_for()
    assert file["rain.xlsx"].locator("td").all_inner_texts() == ["May", "41.5"]
    file["half.parquet"].get_by_text("is not shown as a table").wait_for()
    assert file["packed.csv.gz"].locator("th").all_inner_texts() == ["name", "count", "note"]
    for name in ("page.html", "fake.png"):
        assert "<script>" in file[name].locator("pre").inner_text()
    file["long.txt"].get_by_text("The first 256 KiB of 996 KiB.").wait_for()
    shoot(page, "console-files")
    assert page.title() == "Triptych"
    assert page.evaluate("document.querySelectorAll('iframe, object, embed').length") == 0


def test_an_address_of_a_file_is_no_page(world: ConsoleWorld, opened: Open, kinds: str) -> None:
    """Whoever is lured to it, with a cookie or by a link, has a download and no script of ours."""
    page = opened("ann")
    path = f"{world.airflow.url}/triptych/v1/customer/jobs/{quote(kinds)}"
    asked = page.context.request
    links = {each["name"]: each["link"] for each in asked.get(f"{path}/results").json()["results"]}
    chunk_file = f"{path}/chunks/0/results/chart.svg"
    for address in (links["page.html"], chunk_file, f"{path}/chunks/0/input", f"{path}/chunks/0/logs/1"):
        answer = asked.get(address)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.headers["content-disposition"].startswith("attachment")
    part = asked.get(chunk_file, headers={"Range": "bytes=5-14"})
    assert (part.status, part.body(), part.headers["content-range"]) == (
        206,
        SVG.encode()[5:15],
        f"bytes 5-14/{len(SVG.encode())}",
    )
    assert asked.get(chunk_file, headers={"Range": "bytes=99999-"}).status == 416


def _names(page: Page) -> list[str]:
    return page.locator("details.file > summary > .mono").all_inner_texts()


def test_another_team_sees_and_does_nothing(world: ConsoleWorld, opened: Open, kinds: str) -> None:
    world.airflow.client.wait_for_dag("other")
    page = opened("bob")
    page.get_by_text("No job is as you ask.").wait_for()
    page.get_by_label("Template").locator("option").nth(1).wait_for(state="attached")  # They are asked for beside it.
    assert page.get_by_label("Template").locator("option").all_inner_texts() == ["any", *TEAMS["team_b"]]
    page.goto(f"{world.airflow.url}{CONSOLE}#/jobs/{quote(kinds)}")
    page.get_by_role("alert").get_by_text("There is no job").wait_for()
    assert page.get_by_role("button").count() == 0
    asked = page.context.request
    base = f"{world.airflow.url}/triptych/v1/customer/jobs"
    ours = {"X-Triptych-Console": "1"}
    job = quote(kinds)
    parts = ["", "/results", "/rights", "/given", "/report", "/chunks", "/chunks/map", "/chunks/0", "/chunks/0/input"]
    parts += ["/chunks/0/logs/1", "/chunks/0/results/page.html"]
    assert {asked.get(f"{base}/{job}{part}").status for part in parts} == {404}
    assert {asked.post(f"{base}/{job}/{verb}", headers=ours).status for verb in ("retry", "rerun", "abort")} == {404}
    assert asked.get(f"{base}/templates/kinds/form").status in (403, 404)
    assert asked.post(f"{base}/filter", headers=ours, data={"filters": {"text": "kinds"}}).json()["data"] == []


def test_who_may_only_look_looks(world: ConsoleWorld, opened: Open, kinds: str) -> None:
    page = opened("vic", f"#/jobs/{quote(kinds)}")
    page.get_by_text("1 of 1 chunks done").wait_for()
    assert page.get_by_role("button", name="Run again").is_disabled()
    assert page.get_by_role("link", name="Change and run").count() == 0
    base = f"{world.airflow.url}/triptych/v1/customer/jobs/{quote(kinds)}"
    ours = {"X-Triptych-Console": "1"}
    before = len(world.airflow.client.runs("kinds"))
    assert [page.context.request.post(f"{base}/{verb}", headers=ours).status for verb in ("retry", "rerun")] == [
        403
    ] * 2
    assert len(world.airflow.client.runs("kinds")) == before


def test_the_cookie_alone_changes_nothing(world: ConsoleWorld, opened: Open, kinds: str) -> None:
    """As a page of another site could make a browser send it."""
    asked = opened("ann").context.request
    address = f"{world.airflow.url}/triptych/v1/customer/jobs/{quote(kinds)}/rerun"
    before = len(world.airflow.client.runs("kinds"))
    assert asked.post(address).status == 401
    foreign = {"X-Triptych-Console": "1", "Sec-Fetch-Site": "cross-site"}
    assert asked.post(address, headers=foreign).status == 401
    allowed = asked.fetch(address, method="OPTIONS", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-headers" not in allowed.headers
    assert len(world.airflow.client.runs("kinds")) == before


def test_the_form_is_as_the_schema_and_takes_a_file(
    world: ConsoleWorld, opened: Open, shoot: Shoot, tmp_path: Path
) -> None:
    world.airflow.client.wait_for_dag("framed")
    own, terms = tmp_path / "my words.txt", tmp_path / "Wörter 1.txt"
    own.write_text("sent by hand")
    terms.write_text("and its glossary")
    page = opened("ann", "#/launch/framed")
    page.get_by_label("Width (px)").wait_for()
    assert page.locator("fieldset legend").all_inner_texts() == ["Frame", "Frame"]
    assert page.get_by_label("Style").locator("option").all_inner_texts()[1:] == ["solid", "dotted"]
    page.get_by_role("button", name="Launch").click()
    assert page.get_by_role("alert").all_inner_texts() == [
        "dataSource: is missing.",
        "inputs.glossary: is missing.",
        "params.app.frame.width_px: is missing.",
    ]
    files = page.locator("input[type=file]")
    files.nth(0).set_input_files(own)
    files.nth(1).set_input_files(own)
    files.nth(1).set_input_files(terms)
    page.get_by_label("Width (px)").fill("0")
    page.get_by_label("Style").select_option(label="dotted")
    page.get_by_label("Marks").fill("one\ntwo")
    page.get_by_role("button", name="Launch").click()
    page.get_by_text("params.app.frame.width_px: must be 1 or more").or_(page.get_by_role("alert")).first.wait_for()
    assert "params.app.frame.width_px" in page.get_by_role("alert").first.inner_text()
    shoot(page, "console-form")
    page.get_by_label("Width (px)").fill("7")
    page.get_by_role("button", name="Launch").click()
    _states(page, "done", timeout=LONG_MS)
    page.get_by_role("link", name="output", exact=True).click()
    page.locator("details.file").last.wait_for()
    for summary in page.locator("details.file > summary").all():
        summary.click()
    texts = page.locator("details.file pre")
    texts.nth(2).wait_for()
    given = {"frame": {"width_px": 7, "style": "dotted"}, "marks": ["one", "two"], "shade": False}
    assert texts.nth(0).inner_text() == "sent by hand"
    assert json.loads(texts.nth(1).inner_text()) == given
    assert texts.nth(2).inner_text() == "and its glossary"
    page.get_by_role("link", name="chunks", exact=True).click()
    page.locator("td a:text-is('0')").click()
    page.locator("details.file", has=page.get_by_text("data.bin")).locator("summary").click()
    page.locator("details.file pre", has_text="sent by hand").last.wait_for()


def test_it_is_in_airflows_own_pages(world: ConsoleWorld, opened: Open, kinds: str, shoot: Shoot) -> None:
    dag_id, _, run_id = kinds.partition("~")
    page = opened("ann", path="/")
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.frame_locator("iframe").locator("td a", has_text="kinds").first.wait_for()
    client = world.airflow.client
    path = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/assemble/links"
    link = client.get(path)["extra_links"]["Console"]
    page.goto(f"{world.airflow.url}/{link}")
    page.frame_locator("iframe").get_by_text("1 of 1 chunks done").wait_for()
    shoot(page, "console-in-airflow")


def test_it_lies_behind_a_proxy_below_a_path(
    world: ConsoleWorld, browser: Browser, kinds: str, tmp_path: Path, shoot: Shoot
) -> None:
    """Page, links, uploads, events and frames: no request leaves the path that Airflow has there."""
    dag_id, _, run_id = kinds.partition("~")
    own = tmp_path / "words.txt"
    own.write_text("sent through a proxy")
    with behind_proxy(world.airflow, tmp_path / "proxy") as base, browser.new_context() as context:
        context.set_default_timeout(LONG_MS)
        token = world.token("ann")
        context.add_cookies([{"name": "_token", "value": token, "url": f"{base}/"}])
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{base}/")
        page.get_by_role("link", name="Jobs", exact=True).click()
        page.frame_locator("iframe").locator("td a", has_text="kinds").first.wait_for()
        link = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/assemble/links"
        console = context.request.get(f"{base}/api/v2/{link}").json()["extra_links"]["Console"]
        page.goto(f"{base}/{console}")
        page.frame_locator("iframe").get_by_text("1 of 1 chunks done").wait_for()
        page.goto(f"{base}/triptych/v1/console")  # Without the slash.
        page.locator("td a", has_text="kinds").first.wait_for()
        page.goto(f"{base}{CONSOLE}#/jobs/{quote(kinds)}/output")
        page.locator("details.file", has=page.get_by_text("lines.jsonl")).locator("summary").click()
        page.locator("details.file th", has_text="a").first.wait_for()
        page.goto(f"{base}{CONSOLE}#/jobs/{quote(kinds)}/report")
        page.frame_locator("iframe").get_by_text("kinds").first.wait_for()
        page.goto(f"{base}{CONSOLE}#/launch/framed")
        for field in (0, 1):  # The source, and a side input.
            page.locator("input[type=file]").nth(field).set_input_files(own)
        page.get_by_label("Width (px)").fill("3")
        page.get_by_role("button", name="Launch").click()
        _states(page, "done", timeout=LONG_MS)
        shoot(page, "console-proxy")
        assert {url for url in asked if not url.startswith((f"{base}/", "blob:", "data:"))} == set()
        job = page.url.partition("#/jobs/")[2]
        # By programs: signed links, and events.
        said = {"Authorization": f"Bearer {token}"}
        with httpx.Client(headers=said, timeout=LONG_MS / 1000) as client:
            results = client.get(f"{base}/triptych/v1/customer/jobs/{job}/results").json()["results"]
            links = {each["name"]: each["link"] for each in results}
            assert (
                httpx.get(links["given.txt"], follow_redirects=True, timeout=LONG_MS / 1000).text
                == "sent through a proxy"
            )
            with client.stream("GET", f"{base}/triptych/v1/customer/events") as events:
                assert next(events.iter_lines())
            assert client.get(f"{base.removesuffix(PATH)}{CONSOLE}").status_code == 404


def test_it_works_in_firefox(world: ConsoleWorld, kinds: str, tmp_path: Path) -> None:
    """The list, the map, previews and the form, in another browser than all other tests have."""
    with firefox(tmp_path / "firefox") as page:
        page.cookie(world.airflow.url, "_token", world.token("ann"))
        page.open(f"{world.airflow.url}{CONSOLE}")
        page.wait_for("[...document.querySelectorAll('td a')].some(link => link.innerText.includes('kinds'))")
        page.open(f"{world.airflow.url}{CONSOLE}#/jobs/{quote(kinds)}")
        page.wait_for("document.querySelector('canvas[data-drawn]') !== null")
        page.wait_for("document.querySelector('tbody td')?.innerText === '0'")
        page.open(f"{world.airflow.url}{CONSOLE}#/jobs/{quote(kinds)}/output")
        page.wait_for("document.querySelectorAll('details.file').length > 10")
        page.value("document.querySelectorAll('details.file > summary').forEach(each => each.click())")
        # Parquet and a workbook, which the server reads, and CSV that the browser unpacks.
        for name, text in {"cities.parquet": "215000", "rain.xlsx": "41.5", "packed.csv.gz": "a, quoted"}.items():
            file = f"[...document.querySelectorAll('details.file')].find(each => each.innerText.includes({name!r}))"
            page.wait_for(f"{file}?.innerText.includes({text!r})")
        page.wait_for("document.querySelector('details img')?.naturalWidth > 0")
        page.open(f"{world.airflow.url}{CONSOLE}#/launch/framed")
        page.wait_for("document.querySelectorAll('fieldset legend').length === 2")
        page.value("document.querySelector('button.primary').click()")
        page.wait_for("document.querySelectorAll('[role=alert]').length === 3")
        if folder := os.environ.get("TRIPTYCH_SCREENSHOTS"):
            page.shoot(Path(folder, "console-firefox.png"))
        assert page.errors == ()


def test_a_hundred_thousand_chunks_stay_light(opened: Open, kinds: str, shoot: Shoot) -> None:
    """The map of the server in the place of a job's own: 100,000 cells in one canvas, and a page of rows."""
    states = bytes(1 if number in (5, 99_999) else 2 if number < 90_000 else 0 for number in range(MANY))
    seconds = struct.pack(f"<{MANY}f", *(0.5 + number % 977 / 100 for number in range(MANY)))

    def answer(route: Route) -> None:
        said = {"version": "0.0.1", "isChanged": True, "words": ["waiting", "failed", "done", "cached", "retried"]}
        counts = {"chunks": MANY, "done": 89_999, "failed": 2, "waiting": 9_999, "cached": 0, "allTries": 90_001}
        arrays = {"states": states, "tries": bytes(map(bool, states)), "seconds": seconds}
        route.fulfill(json={**said, **counts, **{key: base64.b64encode(data).decode() for key, data in arrays.items()}})

    page = opened("ann", color_scheme="dark")
    page.route("**/chunks/map*", answer)
    page.evaluate("hash => { location.hash = hash }", f"#/jobs/{quote(kinds)}")
    canvas = page.locator("canvas[data-drawn]")
    canvas.wait_for()
    assert page.locator("tbody tr").count() == 2
    shoot(page, "console-100000")
    assert int(canvas.get_attribute("data-share") or 0) > 1
    page.get_by_role("button", name="2 failed").click()
    page.get_by_text("1 to 25 of 100,000").wait_for()
    page.get_by_label("Order").select_option(label="slowest first")
    assert page.locator("tbody td:first-child").first.inner_text() == "976"
    page.get_by_label("Colour").select_option(label="by seconds")
    canvas.click(position={"x": 2, "y": 2})
    page.get_by_role("button", name="Show all").wait_for()
    assert canvas.get_attribute("data-share") == "1"
    assert page.evaluate("document.querySelectorAll('*').length") < MOST_ELEMENTS
