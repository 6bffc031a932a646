"""What steers a terminal is escaped, in messages, logs and JSON; what is merely foreign stays."""

from __future__ import annotations

import json
import logging
import sys
import unicodedata

import pytest

from triptych.errors import StorageError, VerdictError
from triptych.harmless import harmless, harmless_json, harmless_logger, one_line

DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""Unicode's bidirectional classes of what changes the order in which text is shown (UAX 9, 2)."""


def _steers(character: str) -> bool:
    """By Unicode's own tables: controls, halves of surrogate pairs, ends of lines, changes of direction."""
    is_control = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    return is_control or unicodedata.bidirectional(character) in DIRECTIONS


def test_exactly_what_steers_a_terminal_is_escaped() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        shown = one_line(character)
        if character == "\t" or not _steers(character):
            assert shown == character, hex(code)
        else:
            assert shown.isascii(), hex(code)
            assert shown.isprintable(), hex(code)
            assert shown.encode().decode("unicode_escape") == character, hex(code)


def test_a_message_keeps_its_lines_and_a_line_is_one() -> None:
    assert harmless("a\n\tb\r\n") == "a\n\tb\\r\n"
    assert one_line("a\nDone: 3 chunks") == "a\\nDone: 3 chunks"


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "\x9b31m", "\u202egpj.exe", "\ud800", "a\x7f\n"])
def test_json_stays_the_same_value(text: str) -> None:
    written = harmless_json(json.dumps({text: [text]}, ensure_ascii=False, indent=2))
    assert json.loads(written) == {text: [text]}
    written.encode()
    assert not any(_steers(character) for character in written.replace("\n", ""))


@pytest.mark.parametrize("error", [StorageError("no \x1b[2J key"), VerdictError("no \x1b[2J key", ["\x9bm"])])
def test_an_error_says_no_control_character(error: Exception) -> None:
    assert str(error).startswith("no \\x1b[2J key")
    assert not any(_steers(character) for character in str(error).replace("\n", ""))


def test_a_log_says_no_control_character(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "triptych.test"):
        harmless_logger("triptych.test").info("%s of %d", "\x1b[2J", 3)
    assert caplog.messages == ["\\x1b[2J of 3"]
