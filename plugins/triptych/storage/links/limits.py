"""How long a link may last, as each vendor has it."""

from __future__ import annotations

from triptych.errors import UnsupportedError

WEEK_S = 7 * 86400
"""What Amazon's and Google's fourth versions of signatures allow, and Azure's keys that a token is exchanged for."""


def check_lifetime(uri: str, expires_s: int, longest_s: int | None, by: str) -> None:
    """UnsupportedError for a link that nobody signs for so long; `by` says what signs it, `longest_s` for how long."""
    if expires_s < 1:
        msg = f"{uri}: a link that lasts {expires_s} s is none. Ask for a second at least."
        raise UnsupportedError(msg)
    if longest_s is not None and expires_s > longest_s:
        msg = f"{uri}: no link lasts {expires_s} s here: {by} signs for {longest_s} s at most. Ask for less."
        raise UnsupportedError(msg)
