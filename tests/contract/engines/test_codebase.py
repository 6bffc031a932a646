"""Source trees: by file, folder or package, and back together."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract.engines.cases.codebase import tar_of
from tests.support.engine_harness import INCLUDE, Piece, Results, join, split, untouched
from tests.support.real_texts import packages
from triptych.engines.codebase import gitignore
from triptych.errors import EngineError, JobSpecError, SourceError
from triptych.settings import Settings


def _copy_code(package: str, folder: Path) -> dict[str, bytes]:
    """A real source tree, without what Python compiled of it."""
    for path in (packages() / package).rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = folder / path.relative_to(packages())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return _tree(folder)


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _files(pieces: Sequence[Piece]) -> dict[str, bytes]:
    """Path to bytes, of all chunks; none twice."""
    found: list[tuple[str, bytes]] = []
    for piece in pieces:
        if piece.metadata["packed"] == "no":
            found.append((piece.metadata["path"], piece.data))
            continue
        with tarfile.open(fileobj=io.BytesIO(piece.data)) as archive:
            found += [(entry.name, archive.extractfile(entry).read()) for entry in archive]  # type: ignore[union-attr]  # All are files.
    assert len(dict(found)) == len(found)
    return dict(found)


PACKERS = {
    "tree.zip": ["zip", "-q", "-r", "../tree.zip", "."],
    "tree.tar": ["tar", "-cf", "../tree.tar", "."],
    "tree.tar.gz": ["tar", "-czf", "../tree.tar.gz", "."],
    "tree.tar.xz": ["tar", "-cJf", "../tree.tar.xz", "."],
    "tree.tar.bz2": ["tar", "-cjf", "../tree.tar.bz2", "."],
}


@pytest.mark.parametrize("archive", ["", *PACKERS])
@pytest.mark.parametrize("params", [{}, {"unit": "package", "target_mib": 0.05}])
def test_a_real_tree_is_kept_whole(settings: Settings, tmp_path: Path, archive: str, params: dict[str, object]) -> None:
    tree = tmp_path / "tree"
    code = _copy_code("pathspec", tree) | _copy_code("markdown_it", tree)
    if archive:
        subprocess.run(PACKERS[archive], cwd=tree, check=True)
    source = tmp_path / archive if archive else f"{tree.as_uri()}/"
    pieces = split(settings, "codebase", [source], params)
    assert _files(pieces) == code
    if params:
        assert [piece.metadata["unit"] for piece in pieces] == ["markdown_it", "pathspec"]
    else:
        assert len(pieces) == len(code)
        assert all(piece.copied == (archive not in ("", "tree.tar")) for piece in pieces)


def test_what_git_ignores_is_left_out(settings: Settings, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    rules = {
        ".gitignore": "*.log\n!keep.log\nbuild/\n/only-top.txt\ndocs/*.html\n*.tmp\n\\#odd\n",
        "a/.gitignore": "!a.tmp\n/x/*\n!/x/y/\nsecret?.txt\n",
        "a/x/y/.gitignore": "**/deep/*.py\n",
        "lib/.gitignore": "*\n!*.py\n!.gitignore\n",
    }
    names = [
        *("a.log", "keep.log", "a/keep.log", "build/x.py", "a/build/keep.log", "only-top.txt", "a/only-top.txt"),
        *("docs/i.html", "docs/sub/i.html", "b.tmp", "a/a.tmp", "a/b/a.tmp", "#odd", "a/x/1.py", "a/x/y/2.py"),
        *("a/x/y/deep/3.py", "a/x/y/z/deep/4.py", "a/secret1.txt", "a/b/secretX.txt", "lib/a.py", "lib/b.so"),
        *("lib/sub/c.py", "über/büild.log", "über/ok.py"),
    ]
    for name, text in [*rules.items(), *((name, name) for name in names)]:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=tree, check=True, capture_output=True
    )
    kept = set(listed.stdout.decode().split("\0")) - {""}
    assert 10 < len(kept) < len(names)
    assert set(_files(split(settings, "codebase", [f"{tree.as_uri()}/"], {}))) == kept
    everything = set(_files(split(settings, "codebase", [f"{tree.as_uri()}/"], {"gitignore": False})))
    assert everything == {*names, *rules}


def test_a_pattern_of_many_asterisks_is_matched_at_once(settings: Settings, tmp_path: Path) -> None:
    names = [f"{'a' * 200}{number}.py" for number in range(20)]
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr(".gitignore", f"{'*a' * 12}\n{'**/a/' * 12}b\n")
        for name in names:
            archive.writestr("a/" * 60 + name, "")
    stars = {"include": ["*a" * 12 + "*"], "exclude": ["*a" * 12]}
    assert len(_files(split(settings, "codebase", [tmp_path / "t.zip"], stars))) == len(names)


def test_patterns_beyond_reason_are_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gitignore, "MAX_WORK", 1_000_000)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr(".gitignore", "".join(f"*{number}?\n" for number in range(2_000)))
        for number in range(100):
            archive.writestr(f"a/{number}.py", "")
    with pytest.raises(SourceError, match=r"t\.zip: its \.gitignore files have too many patterns .*gitignore to false"):
        split(settings, "codebase", [tmp_path / "t.zip"], {})
    assert len(_files(split(settings, "codebase", [tmp_path / "t.zip"], {"gitignore": False}))) == 101


def test_languages_and_globs_choose(settings: Settings) -> None:
    source = [INCLUDE / "engines" / "samples" / "codebase.zip"]
    python = _files(split(settings, "codebase", source, {"languages": ["python", "ts"], "exclude": ["deep/"]}))
    assert set(python) == {"greet/__init__.py", "greet/words.py", "web/src/index.ts"}
    assert set(_files(split(settings, "codebase", source, {"include": ["/docs/**", "*.toml"]}))) == {
        *("docs/index.md", "pyproject.toml"),
    }


def test_a_package_is_never_divided(settings: Settings) -> None:
    source = [INCLUDE / "engines" / "samples" / "codebase.zip"]
    pieces = split(settings, "codebase", source, {"unit": "package"})
    assert {piece.metadata["unit"]: len(piece.metadata["paths"]) for piece in pieces} == {"": 4, "greet": 4, "web": 2}
    folders = split(settings, "codebase", source, {"unit": "folder"})
    assert [piece.metadata["unit"] for piece in folders] == ["", "docs", "greet", "greet/deep", "web", "web/src"]
    two = split(settings, "codebase", source, {"unit": "folder", "items_per_chunk": 4})
    assert [len(piece.metadata["paths"]) for piece in two] == [8, 2]


def test_too_many_paths_for_an_environment_are_in_the_tar_only(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3000):
            archive.writestr(f"a/rather_long_folder_name_for_a_path/{number}.py", "")
    (piece,) = split(settings, "codebase", [path], {"unit": "package"})
    assert piece.metadata["paths"] is None
    assert piece.metadata["files"] == len(_files([piece])) == 3000
    assert piece.items == piece.metadata["units"] == 1
    assert len(json.dumps(piece.metadata)) < 1000


def _tar_of(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for entry in entries:
            archive.addfile(entry, io.BytesIO(bytes(entry.size)) if entry.isreg() else None)
    return path


def _entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.size, entry.linkname = kind, size, "/etc/passwd" if kind == tarfile.SYMTYPE else ""
    return entry


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([_entry("../up.py")], "leaves its folder"),
        ([_entry("/etc/x.py")], "leaves its folder"),
        ([_entry("a.py"), _entry("a.py")], "'a.py' is there twice"),
        ([_entry("ln", tarfile.SYMTYPE)], "'ln' is a link"),
        ([_entry("dev", tarfile.CHRTYPE)], "no regular file"),
    ],
)
def test_an_archive_is_not_trusted(
    settings: Settings, tmp_path: Path, entries: list[tarfile.TarInfo], says: str
) -> None:
    with pytest.raises(SourceError, match=rf"bad\.tar.*{says}"):
        split(settings, "codebase", [_tar_of(tmp_path / "bad.tar", *entries)], {})


def test_a_damaged_header_is_not_taken_for_the_end(settings: Settings, tmp_path: Path) -> None:
    path = _tar_of(tmp_path / "damaged.tar", *(_entry(f"{n}.py", size=600) for n in range(4)))
    data = bytearray(path.read_bytes())
    data[2 * 1536 + 20] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"damaged\.tar: byte 3072 begins no tar header"):
        split(settings, "codebase", [path], {})


@pytest.mark.parametrize(("name", "says"), [("t.tar", "cannot be read"), ("t.zip", "cannot be read")])
def test_what_is_no_archive_is_refused(settings: Settings, tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / name).write_bytes(b"print('hello')\n" * 100)
    with pytest.raises(SourceError, match=rf"t\.\w+: {says}"):
        split(settings, "codebase", [tmp_path / name], {})


def test_a_zip_with_a_wrong_checksum_is_refused_by_member(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b.py", b"print(1)\n")
    path.write_bytes(path.read_bytes().replace(b"print(1)", b"print(2)"))
    with pytest.raises(SourceError, match=r"t\.zip: a/b\.py: .*CRC"):
        split(settings, "codebase", [path], {})


def test_two_archives_of_one_name_keep_their_folders(settings: Settings, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    paths = [_tar_of(tmp_path / name / "t.tar", _entry("setup.py", size=3)) for name in ("one", "two")]
    assert set(_files(split(settings, "codebase", paths, {}))) == {"one/t/setup.py", "two/t/setup.py"}


def test_a_language_that_is_no_tag_is_refused_with_the_nearest(settings: Settings) -> None:
    source = [INCLUDE / "engines" / "samples" / "codebase.zip"]
    with pytest.raises(JobSpecError, match=r"languages: 'pyton' is no tag .*Did you mean 'python'\?"):
        split(settings, "codebase", source, {"languages": ["pyton"]})


@pytest.mark.parametrize(
    ("name", "languages"),
    [("a.py", ["python"]), ("a/b.hpp", ["c++", "header"]), ("Makefile", ["makefile"]), ("a.unknown", [])],
)
def test_an_app_learns_the_languages_of_its_file(
    settings: Settings, tmp_path: Path, name: str, languages: list[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr(name, "x")
    (piece,) = split(settings, "codebase", [tmp_path / "t.zip"], {})
    assert piece.metadata["languages"] == languages


def test_metadata_that_says_nothing_of_a_tree_is_refused(settings: Settings) -> None:
    with pytest.raises(EngineError, match="chunk 0, 'a': its metadata is no TreeContent: 'files' is missing"):
        join(settings, "codebase", [Results({"a": b""}, metadata={"packed": "no"})])


def test_several_archives_each_get_a_folder(settings: Settings, tmp_path: Path) -> None:
    paths = [_tar_of(tmp_path / f"{name}.tar", _entry("setup.py", size=3)) for name in ("one", "two")]
    assert set(_files(split(settings, "codebase", paths, {}))) == {"one/setup.py", "two/setup.py"}
    whole = split(settings, "codebase", paths, {"input": "folder"})
    assert _files(whole) == {path.name: path.read_bytes() for path in paths}


@pytest.mark.parametrize("params", [{}, {"unit": "folder"}, {"unit": "package", "items_per_chunk": 2}])
@pytest.mark.parametrize("archive", ["", "tree.zip"])
def test_a_real_tree_comes_back(settings: Settings, tmp_path: Path, params: dict[str, object], archive: str) -> None:
    tree = tmp_path / "tree"
    code = _copy_code("pathspec", tree) | _copy_code("markdown_it", tree)
    if archive:
        subprocess.run(PACKERS[archive], cwd=tree, check=True)
    pieces = split(settings, "codebase", [tmp_path / archive if archive else f"{tree.as_uri()}/"], params)
    assert join(settings, "codebase", untouched(pieces)) == code


@pytest.mark.parametrize(("kind", "unpack"), [("zip", ["unzip", "-q"]), ("tar", ["tar", "-xf"])])
def test_other_tools_unpack_the_tree(settings: Settings, tmp_path: Path, kind: str, unpack: list[str]) -> None:
    (tmp_path / "out").mkdir()
    results = [Results({"a/b c.py": b"1", "d.py": b""})]
    found = join(settings, "codebase", results, {"format": kind})[f"codebase.{kind}"]
    (tmp_path / "x").write_bytes(found)
    subprocess.run([*unpack, str(tmp_path / "x")], cwd=tmp_path / "out", check=True)
    assert _tree(tmp_path / "out") == {"a/b c.py": b"1", "d.py": b""}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"output.bin": b"x"}, ["src/a.py"]),
        ({"output": b"x"}, ["src/a.py"]),
        ({"a.py": b"x"}, ["src/a.py"]),
        ({"output.ts": b"x"}, ["src/a.ts"]),
        ({"lib/new.py": b"x"}, ["lib/new.py"]),
        ({"a.py": b"x", "b.py": b"y"}, ["src/a.py", "src/b.py"]),
        ({"a.py": tar_of({"z.py": b"x"})}, ["src/a.py"]),
    ],
)
def test_where_the_result_of_one_file_goes(settings: Settings, files: dict[str, bytes], expected: list[str]) -> None:
    results = [Results(files, metadata={"path": "src/a.py", "packed": "no", "files": 1})]
    assert sorted(join(settings, "codebase", results)) == expected


def test_conflicts_are_named_or_decided(settings: Settings) -> None:
    results = [
        Results({"x.tar": tar_of({"a.py": b"first", "b.py": b"b"})}, "one"),
        Results({"a.py": b"second"}, "two"),
        Results({"x": tar_of({"a.py": b"third", "c.py": b"c"})}, "three"),
    ]
    with pytest.raises(EngineError, match=r"'a\.py' by chunk 0, 'x\.tar' and chunk 1, 'a\.py' and chunk 2, 'x'"):
        join(settings, "codebase", results)
    for keep, data in (("first", b"first"), ("last", b"third")):
        assert join(settings, "codebase", results, {"on_conflict": keep}) == {"a.py": data, "b.py": b"b", "c.py": b"c"}
    with pytest.raises(EngineError, match=r"'a' is a file by chunk 0, 'a'.*'a/b' by chunk 1"):
        join(settings, "codebase", [Results({"a": b""}, "one"), Results({"a/b": b""})], {"on_conflict": "last"})


@pytest.mark.parametrize("name", ["../up.py", "/etc/x.py", "a/../../up.py", "c:\\x.py"])
def test_paths_cannot_escape(settings: Settings, name: str) -> None:
    with pytest.raises(EngineError, match="leaves its folder"):
        join(settings, "codebase", [Results({"t.tar": tar_of({name: b"x"})})])
    with pytest.raises(EngineError, match="leaves its folder"):
        join(settings, "codebase", [Results({"output.bin": b"x"}, metadata={"path": name, "packed": "no", "files": 1})])


def test_a_link_in_a_tar_is_refused(settings: Settings) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(_entry("ln", tarfile.SYMTYPE))
    with pytest.raises(EngineError, match="'ln' is a link or no regular file"):
        join(settings, "codebase", [Results({"t.tar": data.getvalue()})])
