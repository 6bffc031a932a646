"""One file of HTML: what is in it is text, and it may reach nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser

from triptych.pages import document, escaped, table

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\x1b[31m\u202e\ud800 & \U0001f600'


class _Read(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag = self.tags[-1][0] if self.tags else ""
        self.texts[tag] = self.texts.get(tag, "") + data


def _read(page: str) -> _Read:
    read = _Read()
    read.feed(page)
    return read


def test_hostile_text_is_text_and_steers_nothing() -> None:
    page = document(HOSTILE, "p{}", [table([HOSTILE], [[HOSTILE]])], "1;", {"data": {HOSTILE: [HOSTILE]}})
    read = _read(page)
    assert [tag for tag, _ in read.tags].count("script") == 2
    assert "img" not in {tag for tag, _ in read.tags}
    for steering in ("\x1b", "\u202e", "\ud800"):
        assert steering not in page
    assert read.texts["td"].startswith('</script><script>alert(1)</script><img src=x onerror="alert(2)">\\x1b[31m')


def test_data_is_json_of_the_same_value() -> None:
    page = document("t", "", [], "1;", {"data": {"a": [1.5, None, "</script><!-- \u2028 é"]}})
    text = page.split('id="data">')[1].split("</script>")[0]
    assert "<" not in text
    assert json.loads(text) == {"a": [1.5, None, "</script><!-- \u2028 é"]}


def test_the_policy_names_the_very_texts_and_no_address() -> None:
    style, script = "p{color:red}", "let a = 1;"
    page = document("t", style, ["<p>x</p>"], script)
    policy = next(
        attrs["content"] for tag, attrs in _read(page).tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for name, text in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "style-src", "script-src", "base-uri", "form-action"}


def test_text_between_quotes_ends_no_attribute() -> None:
    assert escaped("\"'><") == "&quot;&#x27;&gt;&lt;"
