"""The messages that docs/how-to/troubleshoot.md explains are those that the code has."""

from __future__ import annotations

import ast
import re

from tests.support.source_tree import PACKAGE
from triptych.settings import PROJECT

PAGE = PROJECT / "docs" / "how-to" / "troubleshoot.md"


def _texts() -> str:
    """Every text in the package, one a line, with `...` for what is put into it."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return "\n".join(found)


def test_each_message_is_one_of_ours() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    quoted = [text for row in rows for text in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    assert len(quoted) > 15
    texts = _texts()
    assert [text for text in quoted if text not in texts] == []
