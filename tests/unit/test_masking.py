"""Secrets that were handed out stand in no text that is shown: as they are, and as others spell them."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest

from triptych.errors import ChunkError, StorageError
from triptych.harmless import harmless, harmless_json, one_line
from triptych.masking import HANDED_OUT, Secrets
from triptych.running.lines import MAX_LINE_BYTES, LineCutter

KEY = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQ\n"
SECRETS = ["hunter2!", 'pa55 "w0rd"/+é$x\'', "a\\b\tc=d&e", "ключ-ключ", KEY]
HIDDEN = "5ecret-of-the-tests-of-masking"
"""The only one that this whole process masks."""
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON in UTF-8": lambda secret: json.dumps({"key": secret}, ensure_ascii=False),
    "Python": repr,
    "a URL's path": lambda secret: f"https://host/{quote(secret)}",
    "a URL's password": lambda secret: f"https://me:{quote(secret, safe='')}@host/",
    "a form": lambda secret: urlencode({"password": secret}),
    "a URL in small letters": lambda secret: re.sub("%..", lambda found: found[0].lower(), quote_plus(secret)),
    "a shell's word": shlex.quote,
    "Basic": lambda secret: "Basic " + base64.b64encode(f"me:{secret}".encode()).decode(),
    "Basic, longer": lambda secret: "Basic " + base64.b64encode(f"somebody:{secret}".encode()).decode(),
    "Base64 of more": lambda secret: base64.b64encode(f"{{'x': '{secret}', 'y': 1}}".encode()).decode(),
    "Base64 for URLs": lambda secret: base64.urlsafe_b64encode(f"??{secret}".encode()).decode(),
    "hexadecimal": lambda secret: secret.encode().hex(),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=list(SPELLINGS))
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_however_it_is_spelled(secret: str, spelled: Callable[[str], str]) -> None:
    text = f"before {spelled(secret)} after"
    known = Secrets()
    assert known.masked(text) == text
    assert known.hide(secret)
    shown = known.masked(text)
    assert "***" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    for word in (secret, json.dumps(secret)[1:-1], quote(secret), quote_plus(secret), secret.encode().hex()):
        assert word not in shown


def test_each_line_of_a_key_is_masked_alone() -> None:
    known = Secrets()
    known.hide(KEY)
    for line in ("MIIEvQIBADANBg", "kqhkiG9w0BAQ"):
        assert known.masked(f"  | {line}") == "  | ***"


def test_what_is_shown_logged_or_raised_is_masked() -> None:
    HANDED_OUT.hide(HIDDEN)
    assert {harmless(f"is {HIDDEN}"), one_line(f"is {HIDDEN}"), str(ChunkError(f"is {HIDDEN}"))} == {"is ***"}
    assert str(StorageError(f"is {HIDDEN}")) == "is ***"
    assert json.loads(harmless_json(json.dumps({"key": HIDDEN}))) == {"key": "***"}


@pytest.mark.parametrize("secret", ["", "a", "1234"])
def test_a_short_one_would_mask_ordinary_text(secret: str) -> None:
    known = Secrets()
    assert not known.hide(secret)
    assert known.masked("a 1234 b") == "a 1234 b"


@pytest.mark.parametrize("before", [0, 1, *range(MAX_LINE_BYTES - 12, MAX_LINE_BYTES + 40, 5), 3 * MAX_LINE_BYTES])
@pytest.mark.parametrize("piece", [7, 4096, 10**6])
def test_no_cut_of_an_endless_line_shows_a_secret(before: int, piece: int) -> None:
    HANDED_OUT.hide(HIDDEN)
    data = b"." * before + HIDDEN.encode() + b"." * MAX_LINE_BYTES * 2
    cutter = LineCutter()
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    shown = [harmless(line) for each in pieces for line in cutter.lines(each)] + [*map(harmless, cutter.rest())]
    assert "".join(shown) == "." * before + "***" + "." * MAX_LINE_BYTES * 2
    assert max(map(len, shown)) <= MAX_LINE_BYTES + 400 + piece
