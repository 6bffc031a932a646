"""Texts that several tests read: those of the packages installed here, and an HTML page with every trap."""

from __future__ import annotations

from pathlib import Path

HTML = """<!DOCTYPE html><title><h1>no</h1></title><!-- <h1>no</h1> --><script>"<h1>no</h1>"</script>
<body title="<h1>no</h1>"><H1 class='a>b'>One &amp; <em>only</em></H1><p>text<h2>
Two</h2>text<h3>Three</h3><style><h1></style><h1>Four</h1></body>"""


def packages() -> Path:
    """The folder in which all of them lie."""
    import numpy

    return Path(numpy.__file__).parent.parent


def readmes() -> list[Path]:
    """Long descriptions of the packages: real Markdown and reStructuredText."""
    found = sorted(packages().glob("*.dist-info/METADATA"))
    return [path for path in found if path.stat().st_size > 5000][:60]
