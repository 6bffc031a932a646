"""No spelling of a location that a job names leads into what is Triptych's own, or holds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from triptych.errors import StorageAccessError
from triptych.settings import Settings, read_settings
from triptych.storage import Stores
from triptych.storage.places import glob_matches
from triptych.storage.walls import Walls

SECRET = b"another caller's"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root of callers that holds the workspace, a link to it, and a folder of data."""
    root = tmp_path / "root"
    victim = root / "ws" / "outputs" / "theirs" / "run 1"
    victim.mkdir(parents=True)
    (victim / "output.txt").write_bytes(SECRET)
    (root / "data" / "deep").mkdir(parents=True)
    (root / "data" / "mine.txt").write_bytes(b"mine")
    (root / "link").symlink_to(root / "ws")
    (root / "data" / "up").symlink_to(root / "ws" / "outputs")
    return root


@pytest.fixture
def config(root: Path) -> Settings:
    return read_settings(
        {
            "workspace": (root / "ws").as_uri(),
            "allowed_roots": str(root),
            "scratch": str(root / "scratch"),
            "cache": str(root / "cache"),
        }
    )


@pytest.mark.parametrize(
    "spelling",
    [
        "ws",
        "ws/",
        "ws/outputs/theirs/run%201/output.txt",
        "ws//outputs//theirs/",
        "/ws/outputs/",
        "./ws/outputs/",
        "data/../ws/outputs/theirs/",
        "data/deep/../../ws/",
        "%77%73/outputs/",
        "data/%2e%2e/ws/",
        "data%2F..%2Fws%2Foutputs/",
        "link/outputs/theirs/",
        "data/up/theirs/",
        "data/up/../outputs/theirs/",
        "w?/outputs/theirs/*/output.txt",
        "*/outputs/*/*/*",
        "[w]s/outputs/theirs/run*/*",
        "w[s]/*",
        "",
        "../root/",
        "*/",
        "scratch/attempt-1/",
        "cache/apps/",
    ],
)
@pytest.mark.parametrize("start", ["file://", "FILE://", "file://localhost", "file:"])
def test_no_spelling_of_a_folder_leads_in(config: Settings, root: Path, start: str, spelling: str) -> None:
    uri = f"{start}{root}/{spelling}"
    with pytest.raises(StorageAccessError, match="of Triptych's own"):
        Stores(config).open(uri)


@pytest.mark.parametrize(
    "spelling", ["data/", "data/mine.txt", "*.txt", "data/*", "ws2/", "w", "wsx/outputs/", "?s2/a"]
)
def test_what_lies_beside_is_open(config: Settings, root: Path, spelling: str) -> None:
    Stores(config).open(f"file://{root}/{spelling}")


@pytest.mark.parametrize(
    "uri",
    [
        "s3://jobs/ws",
        "s3://jobs/ws/",
        "s3://jobs/ws/outputs/theirs/run/output.txt",
        "S3://jobs/ws/outputs/",
        "s3://JOBS/ws/outputs/",
        "s3://jobs//ws/outputs/",
        "s3://jobs/ws//outputs/",
        "s3://jobs/w%73/outputs/",
        "s3://jobs/ws%2Foutputs/",
        "s3://jobs/*/outputs/*",
        "s3://jobs/w?/a",
        "s3://jobs/[vw]s/a",
        "s3://jobs/",
        "s3://jobs",
        "s3://jobs//",
    ],
)
def test_no_spelling_of_a_prefix_leads_in(uri: str) -> None:
    walls = Walls(read_settings({"workspace": "s3://jobs/ws"}))
    with pytest.raises(StorageAccessError, match="of Triptych's own"):
        walls.check(f"{uri}/" if uri == "s3://jobs" else uri)


@pytest.mark.parametrize("scheme", ["abfs", "azure", "AZURE"])
@pytest.mark.parametrize(
    "container", ["jobs", "Jobs", "jobs@mine.dfs.core.windows.net", "jobs@mine.blob.core.windows.net"]
)
@pytest.mark.parametrize("workspace", ["abfs://jobs/ws", "azure://jobs/ws", "abfs://jobs@mine.dfs.core.windows.net/ws"])
def test_no_spelling_of_a_container_leads_in(scheme: str, container: str, workspace: str) -> None:
    walls = Walls(read_settings({"workspace": workspace}))
    for name in ("ws/outputs/", "ws", "", "w%73/a"):
        with pytest.raises(StorageAccessError, match="of Triptych's own"):
            walls.check(f"{scheme}://{container}/{name}")
    walls.check(f"{scheme}://{container}/ws2/a")
    walls.check(f"{scheme}://others/ws/a")


@pytest.mark.parametrize(
    "uri",
    [
        "s3://other/../jobs/ws/outputs/",
        "s3://jobs/a/../ws/",
        "s3://jobs/a/%2e%2e/ws/",
        "s3://jobs/./ws/",
        "s3://./jobs/ws/",
    ],
)
def test_parts_that_stores_do_not_agree_about_are_refused(uri: str) -> None:
    with pytest.raises(StorageAccessError, match=r"a part '\.' or '\.\.'"):
        Walls(read_settings({"workspace": "s3://jobs/ws"})).check(uri)


@pytest.mark.parametrize(
    "uri", ["s3://arn:aws:s3:eu-west-1:123456789012:accesspoint:any/ws/", "s3://any-abcdef-s3alias/ws/"]
)
def test_an_access_point_may_not_hide_the_bucket(uri: str) -> None:
    with pytest.raises(StorageAccessError, match="access point"):
        Walls(read_settings({"workspace": "s3://jobs/ws"})).check(uri)
    Walls(read_settings({"workspace": "file:///ws"})).check(uri)


@pytest.mark.parametrize(
    "uri", ["s3://jobs/ws2/", "s3://jobs/in/*.csv", "s3://jobs/*.csv", "s3://other/ws/", "s3://jobs/w"]
)
def test_other_prefixes_are_open(uri: str) -> None:
    Walls(read_settings({"workspace": "s3://jobs/ws"})).check(uri)


STEPS = st.sampled_from(
    ["ws", "data", "deep", "link", "up", "outputs", "theirs", "run 1", "output.txt", "..", ".", "", "*", "?s", "[w]s"]
)


def _escaped(path: str, which: list[bool]) -> str:
    marks = which + [False] * len(path)
    return "".join(
        f"%{ord(letter):02x}" if mark and letter not in "*?[]" else quote(letter, safe="/*?[].")
        for letter, mark in zip(path, marks, strict=False)
    )


@examples(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=1, max_size=8), st.lists(st.booleans(), max_size=40), st.sampled_from(["", "/"]))
def test_whatever_is_opened_gives_nothing_of_the_workspace(
    config: Settings, root: Path, steps: list[str], escapes: list[bool], end: str
) -> None:
    """The truth: no byte of the victim's is read, and no file appears in the workspace."""
    uri = f"file://{root}/{_escaped('/'.join(steps), escapes)}{end}"
    before = sorted((root / "ws").rglob("*"))
    seen: list[bytes] = []
    with suppress(OSError):  # As our errors of stores are.
        store = Stores(config).open(uri)
        star = min((uri.find(mark) for mark in "*?[" if mark in uri), default=len(uri))
        seen += [store.read(info.uri) for info in store.list(uri[:star])]
        seen.append(store.read(uri))
    with suppress(OSError):
        Stores(config).open(f"{uri.rstrip('/')}/").put(f"{uri.rstrip('/')}/planted", b"x")
    for planted in root.rglob("planted"):
        assert not planted.resolve().is_relative_to(root / "ws")
        planted.unlink()
    assert SECRET not in seen
    assert sorted((root / "ws").rglob("*")) == before


def test_a_link_in_a_folder_of_data_leads_nowhere(config: Settings, root: Path) -> None:
    (root / "data" / "stolen").symlink_to(root / "ws" / "outputs" / "theirs" / "run 1" / "output.txt")
    store = Stores(config).open(f"file://{root}/data/")
    for ask in (
        lambda: store.read(f"file://{root}/data/stolen"),
        lambda: list(store.list(f"file://{root}/data/")),
        lambda: store.put(f"file://{root}/data/up/theirs/run%201/output.txt", b"x"),
    ):
        with pytest.raises(StorageAccessError, match="of Triptych's own"):
            ask()
    assert (root / "ws" / "outputs" / "theirs" / "run 1" / "output.txt").read_bytes() == SECRET


def test_a_listing_around_the_workspace_leaves_it_out(config: Settings, root: Path) -> None:
    store = Stores(config).open(f"file://{root}/*.txt")
    (root / "data" / "up").unlink()
    assert [info.uri for info in store.list(f"file://{root}/")] == [f"file://{root}/data/mine.txt"]


MOUNTED = """
import sys
from triptych.errors import StorageAccessError
from triptych.settings import read_settings
from triptych.storage import Stores

root = sys.argv[1]
stores = Stores(read_settings({"workspace": f"file://{root}/ws", "allowed_roots": f"{root}/data"}))
try:
    stores.open(f"file://{root}/data/deep/outputs/")
except StorageAccessError as error:
    print(error)
store = stores.open(f"file://{root}/data/")
print([info.uri.rpartition("/")[2] for info in store.list(f"file://{root}/data/")])
"""


def test_a_mount_shows_the_workspace_at_no_second_path(root: Path) -> None:
    if os.getuid() or shutil.which("unshare") is None:
        pytest.skip("only root may mount")
    (root / "data" / "up").unlink()
    mount = 'mount --bind "$1/ws" "$1/data/deep" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", str(root), sys.executable, MOUNTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert "lies inside a folder of Triptych's own" in first
    assert second == "['mine.txt']"


def test_the_machines_own_user_is_free(config: Settings, root: Path) -> None:
    store = Stores(replace(config, is_own_machine=True)).open(f"file://{root}/")
    assert store.read(f"file://{root}/ws/outputs/theirs/run%201/output.txt") == SECRET


@pytest.mark.parametrize("pattern", ["s3://b/ws[/]a", "s3://b/ws?a[/x]", "s3://b/w*[/a]", "s3://b/*"])
def test_no_wildcard_stands_for_a_slash(pattern: str) -> None:
    assert not glob_matches(pattern, "s3://b/ws/a")
    assert glob_matches("s3://b/w?/[ab]", "s3://b/ws/a")
