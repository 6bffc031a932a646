"""Converts the files of one chunk: a tar in, each as `<its folders>/<its name>.<new extension>` out.

What a format cannot hold, such as 16 bits in WebP, is refused and never rounded; metadata of pictures go along.
"""

import json
import os
import re
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

from PIL import Image

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".gif", ".bmp"}
AUDIO = {".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".aif", ".aiff", ".wma"}
DOCUMENTS = {
    ".docx": "docx",
    ".odt": "odt",
    ".epub": "epub",
    ".html": "html",
    ".htm": "html",
    ".md": "gfm",
    ".rst": "rst",
}
"""Extensions, and how pandoc calls what they have."""
HOLDS = {
    "webp": {"RGB", "RGBA", "L", "LA", "P", "1"},
    "avif": {"RGB", "RGBA", "L", "LA", "P", "1"},
    "jpeg": {"RGB", "L", "CMYK"},
    "png": {"RGB", "RGBA", "L", "LA", "P", "1", "I;16"},
    "tiff": {"RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK", "F", "LAB"},
}
"""Pillow's modes that a format keeps; one with another is refused."""
CODECS = {
    "flac": ["-c:a", "flac"],
    "wav": ["-c:a", "pcm_s24le"],
    "opus": ["-c:a", "libopus"],
    "mp3": ["-c:a", "libmp3lame"],
    "m4a": ["-c:a", "aac"],
}


def image(source: Path, target: Path, params: dict) -> None:
    kind, quality = params.get("images", "webp"), params.get("image_quality")
    with Image.open(source) as picture:
        frames = getattr(picture, "n_frames", 1)
        if picture.mode not in HOLDS[kind] or (frames > 1 and kind in ("jpeg", "png")):
            raise SystemExit(f"{source.name}: {kind} cannot hold its {frames} frame(s) of mode {picture.mode}.")
        options = {"quality": quality or 90}
        if kind == "webp" and quality is None:
            options = {"lossless": True, "exact": True}
        elif kind in ("png", "tiff"):
            options = {"compression": "tiff_lzw"} if kind == "tiff" else {"optimize": True}
        kept = {name: picture.info[name] for name in ("icc_profile", "exif", "dpi") if name in picture.info}
        picture.save(target, format=kind, save_all=frames > 1, **kept, **options)


def audio(source: Path, target: Path, params: dict) -> None:
    kind = params.get("audio", "flac")
    rate = ["-b:a", f"{params.get('audio_kbps', 128)}k"] if kind in ("opus", "mp3", "m4a") else []
    run("ffmpeg", "-v", "error", "-threads", "1", "-i", source, "-map", "0:a", *CODECS[kind], *rate, target)


def document(source: Path, target: Path, params: dict) -> None:
    if source.suffix.lower() == ".odt":
        keep_header_rows(source)
    kind = params.get("documents", "html")
    to = {"md": "gfm", "txt": "plain"}.get(kind, kind)
    whole = ["--self-contained", "--metadata", f"pagetitle={source.stem}"] if kind == "html" else ["--standalone"]
    run("pandoc", "--from", DOCUMENTS[source.suffix.lower()], "--to", to, *whole, "-o", target, source)


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


def run(*command: object) -> None:
    done = subprocess.run([str(part) for part in command], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {done.stderr.strip()}")


def convert(source: Path, inside: Path, results: Path, params: dict) -> Path:
    """`inside` is the file's path in its source; the result has it too, with another extension."""
    suffix = source.suffix.lower()
    if suffix in IMAGES:
        convert_one, new = image, params.get("images", "webp")
    elif suffix in AUDIO:
        convert_one, new = audio, params.get("audio", "flac")
    elif suffix in DOCUMENTS:
        convert_one, new = document, params.get("documents", "html")
    else:
        raise SystemExit(f"{inside}: nothing here reads {suffix or 'a file without an extension'}.")
    target = results / inside.with_suffix(f".{'jpg' if new == 'jpeg' else new}")
    if target.exists():
        target = results / f"{inside}{target.suffix}"  # a.png beside a.jpg: the second is a.png.webp.
    target.parent.mkdir(parents=True, exist_ok=True)
    convert_one(source, target, params)
    return target


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    results = Path(os.environ["TASK_RESULTS_DIR"])
    with tarfile.open(Path(os.environ["TASK_DIR"], "data.bin")) as files, tempfile.TemporaryDirectory() as folder:
        for member in files:
            source = Path(folder, Path(member.name).name)
            source.write_bytes(files.extractfile(member).read())
            target = convert(source, Path(member.name), results, params)
            print(f"{member.name}: {member.size} -> {target.stat().st_size} bytes")
            source.unlink()


if __name__ == "__main__":
    main()
