"""An HLS package in a real browser: by the player that most pages take, and by the browser's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.engine_harness import join, split
from tests.support.hls_player import player_script
from tests.support.ladders import FLASHES, LADDER, encoded
from triptych.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

SITE = "http://player.test/"
"""Nobody's: what is asked of it, the test answers."""
BY_SCRIPT = """level => {
  const film = document.querySelector("video"), player = new Hls({ autoStartLoad: false });
  window.seen = { errors: [], ended: false };
  // That it waits for a busy machine is no error of the package, nor that it then skips to the first picture,
  // which is shown two frames after 0: that is how late B-frames are.
  const waits = /^(bufferStalledError|bufferNudgeOnStall|bufferSeekOverHole: .* seeking from 0 to 0[.])/;
  player.on(Hls.Events.ERROR, (_, error) => {
    const told = `${error.details}: ${error.error}`;
    if (error.fatal || !waits.test(told)) seen.errors.push(told);
  });
  // Before anything is loaded: what is given up on its way would be told as an error, too.
  player.on(Hls.Events.MANIFEST_PARSED, () => { player.loadLevel = level; player.startLoad(); });
  film.addEventListener("ended", () => { seen.ended = true; });
  player.loadSource("master.m3u8");
  player.attachMedia(film);
  film.play();
}"""
BY_ITSELF = """() => {
  const film = document.querySelector("video");
  window.seen = { errors: [], ended: false };
  film.addEventListener("error", () => seen.errors.push(film.error.message));
  film.addEventListener("ended", () => { seen.ended = true; });
  film.src = "master.m3u8";
  film.play();
}"""
FRAMES = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
MOST = 100
"""Of 150: on a busy machine a browser leaves frames out; the engine's own suite counts them all."""
WAIT_MS = 180_000
"""For six seconds of film, on a machine that does other things, too."""


@pytest.fixture
def page(browser: Browser, settings: Settings) -> Iterator[Page]:
    """One with a video, beside a package of two renditions; fails where the page says an error."""
    results = encoded(split(settings, "video_renditions", [FLASHES], {"ladder": LADDER, "segment_s": 2}))
    package = join(settings, "hls_package", results, {"segment_s": 2})
    said: list[str] = []

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(SITE)
        if not name:
            route.fulfill(body="<video muted></video><script src=hls.js></script>", content_type="text/html")
        elif name == "hls.js":
            route.fulfill(body=player_script(), content_type="text/javascript")
        elif data := package.get(f"flashes/{name}"):
            route.fulfill(body=data)
        else:
            route.fulfill(status=404)

    page = browser.new_page()
    page.on("pageerror", lambda error: said.append(str(error)))
    page.route("**/*", answer)
    page.goto(SITE)
    yield page
    page.close()
    assert said == []


@pytest.mark.parametrize(("level", "width"), [(0, 160), (1, 320)])
def test_a_page_plays_each_rendition_to_its_end(page: Page, level: int, width: int) -> None:
    page.evaluate(BY_SCRIPT, level)
    page.wait_for_function("seen.ended || seen.errors.length", timeout=WAIT_MS)
    assert page.evaluate("seen") == {"errors": [], "ended": True}
    assert page.evaluate("document.querySelector('video').videoWidth") == width
    assert page.evaluate(FRAMES) > MOST


def test_the_browser_itself_plays_it_to_its_end(page: Page) -> None:
    page.evaluate(BY_ITSELF)
    page.wait_for_function("seen.ended || seen.errors.length", timeout=WAIT_MS)
    assert page.evaluate("seen.errors") == []
    assert page.evaluate(FRAMES) > MOST
