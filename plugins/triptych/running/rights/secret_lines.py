"""Secrets on their way into a container: as the first lines of its input, which no engine keeps or tells of."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Mapping

from triptych.running.spec import check_variable


def secret_lines(environment: Mapping[str, str]) -> bytes:
    """What makes the loop export the variables; nothing where there are none.

    The first line announces them with a word that no secret holds, and the last is that word: secrets have lines, too.
    VariableError for what no variable can hold.
    """
    if not environment:
        return b""
    for name, value in environment.items():
        check_variable(name, value)
    end = secrets.token_hex(16)
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    return f"secrets {end}\n{exports}{end}\n".encode("utf-8", "surrogateescape")
