"""Fetches one host's pages: `data.bin` in, a URL on each line; `pages.jsonl` out, with title, links and anchors.

It is polite: robots.txt is asked first and obeyed, requests to the host come one after the other with a pause
between them, and a server that is busy (429, 5xx) is given the time that it asks for. Where the job has the side
input `mirror`, pages are read from it, as mirror/<host>/<path>, and nobody is asked.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

Answer = tuple[int, str, str, bytes]
"""Status (0: nobody answered), the URL that answered, its type, and what it said."""


class Page(HTMLParser):
    """Title, links and anchors of a page."""

    def __init__(self, url: str, html: str) -> None:
        super().__init__()
        self.base, self.title, self.links, self.anchors, self.in_title = url, "", {}, [], False
        self.may_follow = True
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base" and given.get("href"):
            self.base = urljoin(self.base, given["href"])
        if (
            tag == "meta"
            and given.get("name", "").lower() == "robots"
            and "nofollow" in given.get("content", "").lower()
        ):
            self.may_follow = False
        if tag == "a" and given.get("href") and "nofollow" not in given.get("rel", ""):
            link = urldefrag(urljoin(self.base, given["href"])).url
            if urlsplit(link).scheme in ("http", "https"):
                self.links[link] = None
        if anchor := given.get("id") or (given.get("name") if tag == "a" else None):
            self.anchors.append(anchor)
        self.in_title |= tag == "title"

    def handle_endtag(self, tag: str) -> None:
        self.in_title &= tag != "title"

    def handle_data(self, data: str) -> None:
        if self.in_title:
            self.title += data


class Host:
    """Who is asked, with the manners that go for it."""

    def __init__(self, url: str, params: dict) -> None:
        self.agent = params.get("user_agent", "triptych-crawl_site/1.0")
        self.tries, self.most_bytes = params.get("tries", 4), params.get("max_mib", 10) << 20
        self.timeout_s, self.longest_wait_s = params.get("timeout_s", 30), params.get("max_wait_s", 300)
        self.pause_s, self.next_at = params.get("delay_s", 1.0), 0.0
        mirror = Path(os.environ.get("INPUTS_DIR", "/nowhere"), "mirror")
        self.mirror = mirror if mirror.is_dir() else None
        parts = urlsplit(url)
        self.robots = RobotFileParser()
        status, _, _, text = self.get(f"{parts.scheme}://{parts.netloc}/robots.txt")
        self.is_silent = status == 0
        if status in (0, 401, 403) or status >= 500:
            self.robots.disallow_all = True  # RFC 9309, 2.3.1.4: who cannot be asked is left alone.
        else:
            self.robots.parse(text.decode("utf-8", "replace").splitlines() if status == 200 else [])
        self.pause_s = max(self.pause_s, float(self.robots.crawl_delay(self.agent) or 0))

    def may_fetch(self, url: str) -> bool:
        return self.robots.can_fetch(self.agent, url)

    def get(self, url: str) -> Answer:
        """Again, and later each time, while the host is busy or silent."""
        for attempt in range(self.tries):
            if self.mirror is None:
                time.sleep(max(0.0, self.next_at - time.monotonic()))
            answer, asked_s = self._once(url)
            self.next_at = time.monotonic() + self.pause_s
            if not (answer[0] in (0, 429) or answer[0] >= 500) or attempt == self.tries - 1:
                return answer
            wait_s = min(asked_s if asked_s is not None else 2.0**attempt, self.longest_wait_s)
            print(f"{url}: {answer[0] or 'no answer'}; once more in {wait_s:g} s")
            time.sleep(wait_s)
        raise AssertionError

    def _once(self, url: str) -> tuple[Answer, float | None]:
        """The answer, and how long the host wants to be left alone."""
        if self.mirror is not None:
            return self._mirrored(url), None
        request = urllib.request.Request(url, headers={"User-Agent": self.agent, "Accept": "text/html, */*;q=0.5"})
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:
                kind = reply.headers.get_content_type()
                return (reply.status, reply.url, kind, reply.read(self.most_bytes)), None
        except urllib.error.HTTPError as error:
            asked = error.headers.get("Retry-After", "")
            return (error.code, url, "", b""), float(asked) if asked.isdigit() else None
        except OSError:
            return (0, url, "", b""), None

    def _mirrored(self, url: str) -> Answer:
        parts = urlsplit(url)
        path = self.mirror / parts.netloc / unquote(parts.path).lstrip("/")
        path = path / "index.html" if path.is_dir() else path
        if not path.resolve().is_relative_to(self.mirror.resolve()) or not path.is_file():
            return 404, url, "", b""
        return 200, url, "text/html" if path.suffix == ".html" else "text/plain", path.read_bytes()


def pages(urls: list[str], params: dict) -> Iterator[dict]:
    hosts: dict[str, Host] = {}
    for url in urls:
        name = urlsplit(url).netloc
        if name not in hosts:
            hosts[name] = Host(url, params)
        if not hosts[name].may_fetch(url):
            why = "no answer; has the container a network?" if hosts[name].is_silent else "robots.txt"
            yield {"url": url, "status": None, "skipped": why}
            continue
        status, final, kind, body = hosts[name].get(url)
        page = {"url": url, "status": status, "final_url": final, "type": kind, "bytes": len(body)}
        if status == 200 and kind == "text/html":
            read = Page(final, body.decode("utf-8", "replace"))
            links = list(read.links) if read.may_follow else []
            page |= {"title": " ".join(read.title.split()), "links": links, "anchors": read.anchors}
        yield page


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    lines = Path(os.environ["TASK_DIR"], "data.bin").read_text(encoding="utf-8").splitlines()
    with Path(os.environ["TASK_RESULTS_DIR"], "pages.jsonl").open("w", encoding="utf-8") as out:
        for page in pages([line.strip() for line in lines if line.strip()], params):
            out.write(json.dumps(page, ensure_ascii=False) + "\n")
            print(page["status"] or page.get("skipped") or "no answer", page["url"])


if __name__ == "__main__":
    main()
