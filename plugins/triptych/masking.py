"""Secrets that this process hands out, and text without them. `harmless` masks whatever is shown, logged or kept.

It is for accidents: a script that prints its configuration, a client that puts a key into an error. Who means to give a
secret away spells it in a way that nobody looks for.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 5
"""Characters of a secret that is masked, for Airflow, too: shorter ones stand in any text by chance."""
_SHORTEST_LINE = 8
"""Of one line of a secret of several, such as a private key."""
_SHORTEST_BASE64 = 6


class Secrets:
    """What is to stand in no text, in all its spellings, the longest first: one may hold another."""

    def __init__(self) -> None:
        self._texts: tuple[str, ...] = ()
        self._bytes: tuple[bytes, ...] = ()

    def hide(self, secret: str) -> bool:
        """Mask the secret from here on; whether it is long enough for that."""
        if len(secret) < SHORTEST:
            return False
        if secret not in self._texts:
            self._texts = tuple(sorted({*self._texts, *_spellings(secret)}, key=len, reverse=True))
            self._bytes = tuple(text.encode("utf-8", "surrogateescape") for text in self._texts)
        return True

    def masked(self, text: str) -> str:
        """The text with `***` for each secret."""
        for secret in self._texts:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def masked_bytes(self, data: bytes) -> bytes:
        """The same for bytes in UTF-8."""
        for secret in self._bytes:
            if secret in data:
                data = data.replace(secret, MASK.encode())
        return data

    @property
    def longest_bytes(self) -> int:
        """So many bytes a secret takes at most, however it is spelled: who cuts text keeps that much back."""
        return max(map(len, self._bytes), default=0)


HANDED_OUT = Secrets()
"""Those that this process has given to scripts and clients."""


def _spellings(secret: str) -> Iterator[str]:
    """What a secret looks like in logs: in JSON, Python, a URL, a shell's words, HTML, hexadecimal and Base64."""
    lines = [line.strip() for line in secret.splitlines()]
    for text in (secret, *(line for line in lines if len(line) >= _SHORTEST_LINE)):
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        for in_url in (quote(text), quote(text, safe=""), quote_plus(text)):
            yield in_url
            yield re.sub("%..", lambda found: found[0].lower(), in_url)
        yield shlex.quote(text).strip("'")
        yield text.replace("'", "'\\''")
        yield html.escape(text)
        data = text.encode("utf-8", "surrogateescape")
        yield data.hex()
        yield from (each for each in _in_base64(data) if len(each) >= _SHORTEST_BASE64)


def _in_base64(data: bytes) -> Iterator[str]:
    """What is in any Base64 of something that holds the data, wherever in it: `login:password`, a whole file."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode()
        # Characters that hold bits of what stands before and after are others there.
        first, after = (0, 2, 3)[before], (0, 3, 2)[(before + len(data)) % 3]
        core = whole[first : len(whole) - after]
        yield core
        yield core.replace("+", "-").replace("/", "_")
