"""One file of HTML that needs nothing else: what a browser may do with it is said in it, and is next to nothing.

Everything between tags that comes from data goes through `escaped`, which also shows characters that steer a reader.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from triptych.harmless import harmless


def document(
    title: str, style: str, body: Iterable[str], script: str = "", data: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """The page. `data` are blocks of JSON by their elements' ids, which `script` reads.

    Its Content-Security-Policy lets no address be asked and nothing run or style but these very texts: an attribute
    `style` has no effect.
    """
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{escaped(title)}</title><style>{style}</style></head><body>",
            *body,
            *(_data_block(name, value) for name, value in (data or {}).items()),
            f"<script>{script}</script>" if script else "",
            "</body></html>\n",
        )
    )


def escaped(text: str) -> str:
    """The text as HTML shows it, in an element or between quotes of an attribute."""
    return escape(harmless(text))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], texts: Iterable[int] = (0,)) -> str:
    """A table of escaped cells; columns whose index is in `texts` are text, the others figures."""
    is_text = frozenset(texts)
    marks = ["" if index not in is_text else ' class="text"' for index in range(len(columns))]
    head = "".join(f'<th scope="col"{mark}>{escaped(column)}</th>' for mark, column in zip(marks, columns, strict=True))
    lines = ("".join(f"<td{mark}>{escaped(cell)}</td>" for mark, cell in zip(marks, row, strict=True)) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    # Reached by Tab, as what is too wide is moved by keys.
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="Table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _data_block(name: str, value: Mapping[str, Any]) -> str:
    # `<` begins the end of a script wherever it stands, also in a string.
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{escaped(name)}">{text}</script>'


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
