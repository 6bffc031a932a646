"""The begin of what a job made, for people."""

from __future__ import annotations

from pathlib import Path

from triptych.local.testing.comparison import files_of

_MOST_BYTES = 64 * 1024


def output_lines(output: Path, most_files: int, most_lines: int) -> list[str]:
    """Names and sizes of the first files, each with its first lines where it is text."""
    files = files_of(output)
    lines: list[str] = []
    for name, path in sorted(files.items())[:most_files]:
        lines.append(f"{name} ({path.stat().st_size:,} bytes)")
        text = _begin(path).splitlines()
        lines += [f"  {line}" for line in text[:most_lines]]
        if len(text) > most_lines:
            lines.append("  ...")
    more = len(files) - most_files
    return [*lines, *([f"and {more:,} more file(s)"] if more > 0 else [])]


def _begin(path: Path) -> str:
    """Empty where it is no text."""
    with path.open("rb") as file:
        begin = file.read(_MOST_BYTES)
    try:
        text = begin.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(begin) - 3:  # A character that was cut off is none.
            return ""
        text = begin[: error.start].decode("utf-8")
    return "" if "\0" in text else text
