"""The Whisper model's files: from a URI with its SHA-256 into the cache, once; other bytes are refused."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.engines.cases.audio import SAMPLES
from tests.support.engine_harness import split
from triptych.engines.runtime.resources import Resources
from triptych.engines.speech.weights import fetched_model, model_folder, packaged_model
from triptych.errors import ConfigError, EngineError, IntegrityError, ObjectNotFoundError, StorageAccessError
from triptych.settings import Settings

FILES = {"config.json": b"{}", "model.bin": bytes(range(256)) * 5000, "vocabulary.txt": b"a\nb\n"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "my model"
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder


def _digits(path: Path) -> str:
    """By sha256sum, as the setting's help has it."""
    command = f'cd "{path}" && LC_ALL=C sha256sum * | sha256sum' if path.is_dir() else f'sha256sum < "{path}"'
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.split()[0]


def _pinned(path: Path) -> str:
    return f"{path.as_uri()}{'/' if path.is_dir() else ''}#sha256={_digits(path)}"


def _packed(form: str, inside: str) -> Callable[[Path], Path]:
    """Below `inside`, where that is a folder of the archive."""
    return lambda folder: Path(
        shutil.make_archive(str(folder.with_suffix("")), form, folder.parent if inside else folder, inside or None)
    )


@pytest.mark.parametrize(
    "form",
    [lambda folder: folder, _packed("tar", ""), _packed("gztar", "my model"), _packed("zip", "")],
    ids=["folder", "tar", "tar.gz with a folder", "zip"],
)
def test_a_model_is_fetched_once_into_the_cache(settings: Settings, model: Path, form: Callable[[Path], Path]) -> None:
    packed = form(model)
    pinned = _pinned(packed)
    folder = fetched_model(pinned, settings)
    assert folder.is_relative_to(settings.cache)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == FILES
    shutil.rmtree(packed.parent)
    assert fetched_model(pinned, settings) == folder


def test_other_bytes_are_refused_and_leave_nothing(settings: Settings, model: Path) -> None:
    pinned = _pinned(model)
    (model / "model.bin").write_bytes(b"other")
    for _ in range(2):
        with pytest.raises(
            IntegrityError, match=r"my%20model/: its SHA-256 is \w+, and \[triptych\] whisper_model has"
        ):
            fetched_model(pinned, settings)
    assert [path.suffix for path in (settings.cache / "models").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    "pinned", ["file:///models/m.tar", "file:///models/m.tar#sha256=12", "file:///m.tar#sha1=" + "0" * 64]
)
def test_a_model_without_its_sha_256_is_refused(settings: Settings, pinned: str) -> None:
    with pytest.raises(ConfigError, match=r"\[triptych\] whisper_model = .* must end in #sha256="):
        fetched_model(pinned, settings)


def test_an_unknown_scheme_and_a_missing_file_are_named(settings: Settings, tmp_path: Path) -> None:
    end = f"#sha256={'0' * 64}"
    with pytest.raises(StorageAccessError, match=r"^ftp://a/m\.tar: the scheme 'ftp' is not supported\. Supported: "):
        fetched_model(f"ftp://a/m.tar{end}", settings)
    with pytest.raises(ObjectNotFoundError, match=r"none\.tar"):
        fetched_model(f"{(tmp_path / 'none.tar').as_uri()}{end}", settings)


def test_what_is_no_archive_or_no_model_is_named(settings: Settings, model: Path) -> None:
    with pytest.raises(EngineError, match=r"model\.bin: cannot be unpacked: .* Pack the model as \.tar"):
        fetched_model(_pinned(model / "model.bin"), settings)
    (model / "model.bin").unlink()
    with pytest.raises(EngineError, match=r"my%20model/: holds no model\.bin"):
        fetched_model(_pinned(model), settings)


def test_of_many_workers_one_fetches(settings: Settings, model: Path) -> None:
    pinned = _pinned(_packed("tar", "")(model))
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: fetched_model(pinned, settings), range(16)))
    assert len(folders) == 1
    assert (
        hashlib.sha256((folders.pop() / "model.bin").read_bytes()).digest()
        == hashlib.sha256(FILES["model.bin"]).digest()
    )
    assert len(list((settings.cache / "models").iterdir())) == 2


def test_without_a_setting_it_is_of_the_packages(settings: Settings, tmp_path: Path) -> None:
    found = model_folder(Resources(tmp_path, 1 << 20, settings))
    assert found.parent == tmp_path
    assert {path.name for path in found.iterdir()} == {"config.json", "model.bin", "vocabulary.txt"}


def test_the_engine_hears_with_the_model_of_the_setting(settings: Settings, tmp_path: Path) -> None:
    """And not with the packages': the cache holds it, and a model of other bytes is no Whisper."""
    folder = tmp_path / "whisper"
    folder.mkdir()
    named = replace(settings, whisper_model=_pinned(packaged_model(folder)))
    pieces = split(named, "audio_language", [SAMPLES / "speech.flac"], {})
    assert [piece.metadata["language"] for piece in pieces] == ["en", "es"]
    assert (settings.cache / "models").is_dir()
    (folder / "model.bin").write_bytes(FILES["model.bin"])
    named = replace(settings, whisper_model=_pinned(folder))
    with pytest.raises(EngineError, match=r"is no Whisper model of CTranslate2"):
        split(named, "audio_language", [SAMPLES / "speech.flac"], {})
