"""Firefox for a few looks at pages of ours: Debian's own, driven by WebDriver BiDi (w3.org/TR/webdriver-bidi).

Playwright drives builds of its own alone, and geckodriver would be a download. It reaches this machine alone.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from triptych.airflow.rest import poll

if TYPE_CHECKING:
    from websockets.sync.connection import Connection

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
WAIT_S = 180
"""For a page, on a machine that does other things, too."""
_LISTENS = re.compile(rb"WebDriver BiDi listening on (ws://127\.0\.0\.1:\d+)")
_PREFERENCES = {
    # A proxy that does not answer, for all but this machine.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "remote.active-protocols": 1,
}


@dataclass
class Firefox:
    """One page of it."""

    connection: Connection
    numbers: Iterator[int]
    page: str = ""
    errors: tuple[str, ...] = ()
    """Of scripts."""

    def ask(self, method: str, **params: Any) -> Any:
        """The answer to one command; AssertionError where it is refused."""
        number = next(self.numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self.connection.recv(WAIT_S))
            if said.get("method") == "log.entryAdded" and said["params"]["level"] == "error":
                self.errors = (*self.errors, str(said["params"]["text"]))
            if said.get("id") == number:
                assert said["type"] == "success", said
                return said["result"]

    def open(self, url: str) -> None:
        """Go there, and wait until it is loaded."""
        self.ask("browsingContext.navigate", context=self.page, url=url, wait="complete")

    def cookie(self, url: str, name: str, value: str) -> None:
        """Have a cookie for a server."""
        about = {"name": name, "value": {"type": "string", "value": value}, "domain": urlsplit(url).hostname}
        self.ask("storage.setCookie", cookie=about)

    def value(self, script: str) -> Any:
        """What an expression gives, which must be a text, a number, or a truth."""
        found = self.ask("script.evaluate", expression=script, target={"context": self.page}, awaitPromise=True)
        assert found["type"] == "success", found
        return found["result"].get("value")

    def wait_for(self, script: str) -> None:
        """Until an expression is true."""
        assert poll(lambda: bool(self.value(script)), WAIT_S, 0.2), (
            f"{script}\n{self.value('document.body.innerText.slice(0, 1000)')}"
        )

    def shoot(self, path: Path) -> None:
        """Keep a picture of the whole page."""
        picture = self.ask("browsingContext.captureScreenshot", context=self.page, origin="document")
        path.write_bytes(base64.b64decode(picture["data"]))


@contextmanager
def firefox(home: Path) -> Iterator[Firefox]:
    """Skips the test that asks for it where there is none."""
    if FIREFOX is None:
        pytest.skip("no firefox: apt-get install firefox-esr")
    profile = home / "profile"
    profile.mkdir(parents=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in _PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    log = home / "firefox.log"
    command = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=_environment(home))
    try:
        assert poll(lambda: process.poll() is not None or bool(_LISTENS.search(log.read_bytes())), WAIT_S, 0.1)
        found = _LISTENS.search(log.read_bytes())
        assert found, log.read_text(errors="replace")[-2000:]
        with connect(f"{found[1].decode()}/session", max_size=None, proxy=None) as connection:
            browser = Firefox(connection, count(1))
            browser.ask("session.new", capabilities={})
            browser.ask("session.subscribe", events=["log.entryAdded"])
            browser.page = browser.ask("browsingContext.getTree")["contexts"][0]["context"]
            yield browser
    finally:
        process.kill()
        process.wait()


def _environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "MOZ_HEADLESS_WIDTH": "1360", "MOZ_HEADLESS_HEIGHT": "900"}
