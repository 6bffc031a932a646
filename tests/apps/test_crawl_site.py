"""`crawl_site` on a site of the test's own, in a network without a way out: what is found, and how it was asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest

from tests.support.app_images import APPS
from tests.support.app_tests import states
from tests.support.inner_network import InnerServer, inner_server
from triptych.settings import PROJECT

SITE = "http://site:8000"
DELAY_S = 0.25
SERVER = """
import http.server, json, time
busy = {"/busy.html": 2, "/full.html": 1}
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        began = time.monotonic()
        left = busy.get(self.path, 0)
        if left:
            busy[self.path] = left - 1
            self.send_response(503 if self.path == "/busy.html" else 429)
            self.send_header("Retry-After", "1")
            self.end_headers()
        elif self.path == "/moved.html":
            self.send_response(301)
            self.send_header("Location", "/topics/if.html")
            self.end_headers()
        else:
            super().do_GET()
        with open("/log/requests.jsonl", "a") as log:
            told = {"path": self.path, "agent": self.headers["User-Agent"], "began": began, "ended": time.monotonic()}
            log.write(json.dumps(told) + "\\n")
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Site:
    """What the server has, by construction; and the server, which writes down who asked for what, and when."""

    server: InnerServer
    reachable: frozenset[str]
    """Paths of pages that links lead to, through what may be fetched."""


def _pages(folder: Path) -> frozenset[str]:
    """Python's help on its statements: a page each, which links to the next three; and what a crawler may meet."""
    names = [*sorted(name for name in topics if name.isalpha())[:5], "if"]
    (folder / "topics").mkdir(parents=True)
    (folder / "private").mkdir()
    for number, name in enumerate(names):
        onward = "".join(f'<a href="{other}.html#text">{other}</a> ' for other in names[number + 1 : number + 4])
        text = topics[name].replace("&", "&amp;").replace("<", "&lt;")
        (folder / "topics" / f"{name}.html").write_text(f"<title>{name}</title><pre id=text>{text}</pre>{onward}")
    odd = (
        '<a href="/busy.html">b</a><a href="/full.html">f</a><a href="/moved.html">m</a><a href="/private/a.html">p</a>'
    )
    away = '<a href="http://elsewhere:8000/">e</a><a href="/missing.html">x</a>'
    (folder / "index.html").write_text(f'<title>Start</title><a href="topics/{names[0]}.html">first</a>{odd}{away}')
    (folder / "busy.html").write_text('<title>Busy</title><a href="behind.html">behind</a>')
    for name in ("behind", "full", "alone", "private/a"):
        (folder / f"{name}.html").write_text(f"<title>{name}</title>")
    (folder / "robots.txt").write_text("User-agent: *\nDisallow: /private/\n")
    return frozenset({"/", "/busy.html", "/behind.html", "/full.html", *(f"/topics/{name}.html" for name in names)})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    reachable = _pages(tmp_path / "site")
    with inner_server(SERVER, "crawl", tmp_path) as server:
        yield Site(server, reachable)


def _own_app(site: Site | None, tmp_path: Path) -> Path:
    """A copy of the app, in the test's network."""
    folder = tmp_path / "include" / "apps" / "crawl_site"
    shutil.copytree(APPS / "crawl_site", folder)
    if site is not None:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["platform_config"]["network"] = site.server.network
        (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _crawled(site: Site, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """All rounds' pages, by their path on the site."""
    _own_app(site, tmp_path)
    own = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(PROJECT / "plugins")}
    own["AIRFLOW__TRIPTYCH__ALLOWED_NETWORKS"] = site.server.network
    start = [str(APPS / "crawl_site" / "rounds.py"), str(tmp_path / "crawl"), f"{SITE}/"]
    options = ["--include", str(tmp_path / "include"), "-p", f"app.delay_s={DELAY_S}"]
    command = [sys.executable, *start, "--", *options]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rounds = sorted((tmp_path / "crawl").glob("round_*/merged.jsonl"))
    pages = [json.loads(line) for path in rounds for line in path.read_text().splitlines()]
    assert len({page["url"] for page in pages}) == len(pages)
    return {page["url"].removeprefix(SITE): page for page in pages}


def test_what_links_lead_to_is_found_round_by_round_and_the_server_is_left_in_peace(site: Site, tmp_path: Path) -> None:
    pages = _crawled(site, tmp_path)
    found = {page["final_url"].removeprefix(SITE) for page in pages.values() if page["status"] == 200}
    assert found == site.reachable
    assert pages["/private/a.html"] == {"url": f"{SITE}/private/a.html", "status": None, "skipped": "robots.txt"}
    assert pages["/missing.html"]["status"] == 404
    assert pages["/moved.html"]["final_url"] == f"{SITE}/topics/if.html"
    assert pages["/moved.html"]["anchors"] == ["text"]

    asked = site.server.asked()
    paths = [each["path"] for each in asked]
    assert "/private/a.html" not in paths
    assert "/alone.html" not in paths
    assert {each["agent"] for each in asked} == {"triptych-crawl_site/1.0"}
    # Each page once, and a busy one as often as it has to be.
    counts = {path: paths.count(path) for path in ("/", "/behind.html", "/busy.html", "/full.html")}
    assert counts == {"/": 1, "/behind.html": 1, "/busy.html": 3, "/full.html": 2}
    # One after the other, with a pause between; a redirect is one request to whoever asks.
    steps = [(one, other) for one, other in pairwise(asked) if one["path"] != "/moved.html"]
    assert all(other["began"] - one["ended"] >= 0.9 * DELAY_S for one, other in steps)
    again = [one["ended"] for one in asked if one["path"] == "/busy.html"]
    assert all(other - one >= 1 for one, other in pairwise(again))


def test_the_sample_and_a_mistake(tmp_path: Path) -> None:
    assert states("crawl_site", PROJECT / "include", tmp_path) == {"crawl_site": "passed"}
    script = _own_app(None, tmp_path) / "app" / "main.py"
    sound = 'self.base = urljoin(self.base, given["href"])'
    assert sound in script.read_text()
    script.write_text(script.read_text().replace(sound, "pass"))
    assert states("crawl_site", tmp_path / "include", tmp_path) == {"crawl_site": "failed"}
