"""Writes the documents of one chunk as Markdown: a tar in, `<folders>/<name>.md` and `<name>_media/` out, by pandoc."""

import json
import os
import re
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

FORMATS = {
    ".docx": "docx",
    ".odt": "odt",
    ".epub": "epub",
    ".html": "html",
    ".htm": "html",
    ".rst": "rst",
    ".tex": "latex",
    ".ipynb": "ipynb",
    ".org": "org",
    ".textile": "textile",
    ".wiki": "mediawiki",
    ".fb2": "fb2",
    ".md": "markdown",
}
"""Extensions, and how pandoc calls what they have."""


def to_markdown(source: Path, name: str, folder: Path, params: dict) -> None:
    """`folder` gets `<name>.md`, and the pictures that it names."""
    flavour = params.get("flavour", "gfm")
    given = FORMATS[source.suffix.lower()]
    if given == "odt":
        keep_header_rows(source)
    if given in ("html", "epub"):
        given += "-native_divs-native_spans"
    to = "commonmark" if flavour == "commonmark" else f"{flavour}-raw_html"
    media = ["--extract-media", f"{name}_media"] if params.get("pictures", True) else []
    command = ["pandoc", "--from", given, "--to", to, "--wrap", "none", *media, "--output", f"{name}.md", str(source)]
    done = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{source.name}: {done.stderr.strip()}")


def keep_header_rows(document: Path) -> None:
    """Makes the header of an OpenDocument table a row as others are: pandoc leaves it out, and says nothing."""
    whole = document.with_suffix(".whole")
    with zipfile.ZipFile(document) as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "content.xml":
                data = re.sub(rb"</?table:table-header-rows[^>]*>", b"", data)
            new.writestr(entry, data)
    whole.replace(document)


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    results = Path(os.environ["TASK_RESULTS_DIR"])
    with tarfile.open(Path(os.environ["TASK_DIR"], "data.bin")) as documents, tempfile.TemporaryDirectory() as scratch:
        for member in documents:
            inside = Path(member.name)
            if inside.suffix.lower() not in FORMATS:
                if params.get("on_unread", "fail") == "fail":
                    raise SystemExit(f"{inside}: nothing here reads {inside.suffix or 'a file without an extension'}.")
                print(f"{inside}: skipped")
                continue
            source = Path(scratch, inside.name)
            source.write_bytes(documents.extractfile(member).read())
            folder = results / inside.parent
            folder.mkdir(parents=True, exist_ok=True)
            # report.docx beside report.odt: both names stay whole, whatever chunk they are in.
            to_markdown(source, inside.name, folder, params)
            print(f"{inside}: {(folder / f'{inside.name}.md').stat().st_size} bytes of Markdown")


if __name__ == "__main__":
    main()
