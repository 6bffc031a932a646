"""Others' text, made harmless before it is shown: what a script prints, file names, manifests, what stores answer.

A terminal obeys control characters, wherever they come from: they recolour, overwrite and forge what was said before,
set its title, ask it to type. Data keeps them; messages, logs and whatever the command prints come through here.
Secrets that we have handed out are masked on the same way.
"""

from __future__ import annotations

import logging
import re

from triptych.masking import HANDED_OUT

_STEERING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1: ESC, BEL, CR, CSI ...
    "\u2028\u2029"  # Ends of lines to some viewers.
    "\u202a-\u202e\u2066-\u2069"  # Of direction: what is read is not what is there (CVE-2021-42574).
    "\ud800-\udfff"  # A byte of a file name that is not UTF-8, or half a character from JSON: no output encodes it.
)
_IN_TEXT = re.compile(f"[{_STEERING}]")
_IN_LINE = re.compile(f"[\n{_STEERING}]")


def harmless(text: str) -> str:
    r"""The text with `\x1b` and its like for each character that steers a terminal; newlines and tabs stay."""
    return _IN_TEXT.sub(_escaped, HANDED_OUT.masked(text))


def one_line(text: str) -> str:
    """The same for a text that must not pretend to be several: newlines are escaped, too."""
    return _IN_LINE.sub(_escaped, HANDED_OUT.masked(text))


def harmless_json(text: str) -> str:
    """The same for JSON, which stays JSON of the same value: such characters stand in its strings alone."""
    return _IN_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", HANDED_OUT.masked(text))


def harmless_logger(name: str) -> logging.Logger:
    """The logger of a module, whose messages are harmless whoever prints them: the command, or Airflow."""
    logger = logging.getLogger(name)
    logger.addFilter(_make_harmless)
    return logger


def _make_harmless(record: logging.LogRecord) -> bool:
    record.msg, record.args = harmless(record.getMessage()), ()
    return True


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
